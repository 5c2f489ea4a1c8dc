//! When the power is cut, and what the guest does then.

use std::fmt;
use std::time::Duration;

use iova_guest::cuts::{BEGINS, CHANGE, Deed, ENDED};
use iova_guest::random::Random;

use crate::lab::Cut;

/// Between a change of the device and the cut at most: what is quick is hit as often as what lasts.
const AFTER_CHANGE_MS: usize = 150;

/// A run that nobody cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Whole {
    pub(super) lasts: Duration,
    /// How often the device's driver, domain or policy changed.
    pub(super) changes: usize,
}

impl Whole {
    /// From what the guest has said: "# the run has ended: 12345 ms".
    pub(super) fn of(said: &str) -> Option<Self> {
        let end = said.lines().find_map(|line| line.strip_prefix(ENDED))?;
        let ms = end.trim_start_matches(": ").split(' ').next()?.parse().ok()?;
        let changes = said.lines().filter(|line| line.starts_with(CHANGE)).count();
        (changes > 0).then_some(Self { lasts: Duration::from_millis(ms), changes })
    }
}

/// What is drawn for one boot.
#[derive(Clone, Debug)]
pub(super) struct Moment {
    pub(super) deed: Deed,
    /// Boots with strict unmapping: another type of domain is the stock one then.
    pub(super) strict: bool,
    pub(super) cut: Cut,
}

/// Moments, one after the other, always the same for a seed and a run.
pub(super) struct Moments {
    random: Random,
    whole: Whole,
    drawn: usize,
}

impl Moments {
    pub(super) fn new(seed: u64, whole: Whole) -> Self {
        Self { random: Random::new(seed), whole, drawn: 0 }
    }

    /// Half of them anywhere in the time that a run takes, half right after something was done to the device.
    pub(super) fn draw(&mut self) -> Moment {
        let deed = self.random.pick(&[Deed::Close, Deed::Finish, Deed::Resume]);
        let strict = self.random.below(2) == 1;
        self.drawn += 1;
        let cut = if self.drawn % 2 == 1 { self.in_time() } else { self.at_a_change() };
        Moment { deed, strict, cut }
    }

    fn in_time(&mut self) -> Cut {
        let ms = usize::try_from(self.whole.lasts.as_millis()).unwrap_or(usize::MAX).max(1);
        Cut { marks: vec![BEGINS.into()], after: self.milliseconds(ms) }
    }

    fn at_a_change(&mut self) -> Cut {
        let change = 1 + self.random.below(self.whole.changes);
        // Who goes on may have less to do.
        let marks = vec![format!("{CHANGE}{change}:"), ENDED.into()];
        Cut { marks, after: self.milliseconds(AFTER_CHANGE_MS) }
    }

    fn milliseconds(&mut self, below: usize) -> Duration {
        Duration::from_millis(self.random.below(below) as u64)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = self.cut.marks.first().map_or("", |mark| mark.trim_matches(['#', ' ', ':']));
        let strict = if self.strict { " strict" } else { "" };
        write!(f, "{}{strict}, {} ms after \"{mark}\"", self.deed.name(), self.cut.after.as_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Whole = Whole { lasts: Duration::from_millis(2500), changes: 3 };

    #[test]
    fn a_run_is_measured_by_what_it_says() {
        let said =
            "# the run begins\n# change 1: a\n# change 2: b\n# change 3: c\n# the run has ended: 2500 ms\n";
        assert_eq!(Whole::of(said), Some(WHOLE));
        assert_eq!(Whole::of("# the run begins\n# change 1: a\n"), None);
    }

    #[test]
    fn a_seed_is_always_the_same_and_falls_everywhere() {
        let draw = |seed| {
            let mut moments = Moments::new(seed, WHOLE);
            (0..40).map(|_| moments.draw()).collect::<Vec<_>>()
        };
        let text = |moments: &[Moment]| moments.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(text(&draw(7)), text(&draw(7)));
        assert_ne!(text(&draw(7)), text(&draw(8)));
        let moments = draw(1);
        for deed in [Deed::Close, Deed::Finish, Deed::Resume] {
            assert!(moments.iter().any(|moment| moment.deed == deed), "{deed:?}");
        }
        let in_time = moments.iter().filter(|moment| moment.cut.marks[0] == BEGINS);
        let after: Vec<_> = in_time.map(|moment| moment.cut.after).collect();
        assert!(after.len() == 20 && after.iter().all(|after| *after < WHOLE.lasts));
        assert!(after.iter().any(|after| *after < WHOLE.lasts / 4));
        assert!(after.iter().any(|after| *after > WHOLE.lasts / 4 * 3));
    }
}
