//! Which devices get series of their own: the busiest ones, and they keep them for a while, because a series that comes
//! and goes is worth little.

use std::collections::BTreeMap;
use std::time::Duration;

/// What a device did counts half after this time.
const HALF_LIFE: Duration = Duration::from_secs(60);
/// A device keeps its place at least this long.
const TENURE: Duration = Duration::from_secs(60);
/// Who wants a place has to be this many times as busy as who has it.
const BUSIER: f64 = 2.0;
/// Who was not seen for so long is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(300);

#[derive(Debug, Default)]
struct Candidate {
    /// Calls, older ones weighing less.
    activity: f64,
    seen: u64,
    shown_since: Option<u64>,
}

/// The choice of the busiest `places` of all devices.
#[derive(Debug)]
pub(super) struct Choice {
    places: usize,
    candidates: BTreeMap<String, Candidate>,
    last: u64,
}

impl Choice {
    pub(super) fn new(places: usize) -> Self {
        Self { places, candidates: BTreeMap::new(), last: 0 }
    }

    /// Takes an interval that ends at `ns`: the calls of each device.
    pub(super) fn update<'a>(&mut self, ns: u64, calls: impl Iterator<Item = (&'a str, u64)>) {
        let passed = Duration::from_nanos(ns.saturating_sub(self.last));
        self.last = ns;
        let decay = (-passed.div_duration_f64(HALF_LIFE)).exp2();
        self.candidates.values_mut().for_each(|candidate| candidate.activity *= decay);
        for (key, calls) in calls {
            if !self.candidates.contains_key(key) {
                self.candidates.insert(key.to_owned(), Candidate::default());
            }
            if let Some(candidate) = self.candidates.get_mut(key) {
                candidate.activity += calls as f64;
                candidate.seen = ns;
            }
        }
        self.candidates.retain(|_, candidate| !over(candidate.seen, FORGOTTEN, ns));
        self.fill(ns);
        self.replace(ns);
    }

    pub(super) fn is_shown(&self, key: &str) -> bool {
        self.candidates.get(key).is_some_and(|candidate| candidate.shown_since.is_some())
    }

    /// Devices known, but not shown.
    pub(super) fn hidden(&self) -> usize {
        self.candidates.values().filter(|candidate| candidate.shown_since.is_none()).count()
    }

    /// Free places go to the busiest.
    fn fill(&mut self, ns: u64) {
        let free = self.places.saturating_sub(self.candidates.len() - self.hidden());
        let mut waiting: Vec<&mut Candidate> =
            self.candidates.values_mut().filter(|candidate| candidate.shown_since.is_none()).collect();
        waiting.sort_by(|a, b| b.activity.total_cmp(&a.activity));
        waiting.into_iter().take(free).for_each(|candidate| candidate.shown_since = Some(ns));
    }

    /// Taken ones too, if somebody is much busier.
    fn replace(&mut self, ns: u64) {
        for _ in 0..self.places {
            let busiest = self.candidates.iter().filter(|(_, it)| it.shown_since.is_none());
            let busiest = busiest.max_by(|a, b| a.1.activity.total_cmp(&b.1.activity));
            let tenured = |it: &Candidate| it.shown_since.is_some_and(|since| over(since, TENURE, ns));
            let least = self.candidates.iter().filter(|(_, it)| tenured(it));
            let least = least.min_by(|a, b| a.1.activity.total_cmp(&b.1.activity));
            let (Some((new, busy)), Some((old, idle))) = (busiest, least) else { return };
            if busy.activity <= idle.activity * BUSIER + 1.0 {
                return;
            }
            let (new, old) = (new.clone(), old.clone());
            self.set(&new, Some(ns));
            self.set(&old, None);
        }
    }

    fn set(&mut self, key: &str, shown_since: Option<u64>) {
        if let Some(candidate) = self.candidates.get_mut(key) {
            candidate.shown_since = shown_since;
        }
    }
}

fn over(since: u64, length: Duration, now: u64) -> bool {
    Duration::from_nanos(now.saturating_sub(since)) >= length
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn shown(choice: &Choice) -> Vec<&str> {
        choice.candidates.keys().map(String::as_str).filter(|key| choice.is_shown(key)).collect()
    }

    #[test]
    fn places_go_to_the_busiest_and_are_kept_for_a_while() {
        let mut choice = Choice::new(2);
        choice.update(SECOND, [("a", 10), ("b", 5), ("c", 1)].into_iter());
        assert_eq!((shown(&choice), choice.hidden()), (vec!["a", "b"], 1));
        // Twice as busy, but not for long yet; then it takes the place of the idlest.
        choice.update(2 * SECOND, [("a", 10), ("b", 5), ("c", 500)].into_iter());
        assert_eq!(shown(&choice), ["a", "b"]);
        for second in 3..70 {
            choice.update(second * SECOND, [("a", 10), ("b", 5), ("c", 500)].into_iter());
        }
        assert_eq!(shown(&choice), ["a", "c"]);
    }

    #[test]
    fn two_alike_do_not_take_turns() {
        let mut choice = Choice::new(1);
        choice.update(SECOND, [("a", 10), ("b", 9)].into_iter());
        for second in 2..1000 {
            let calls = if second % 2 == 0 { [("a", 8), ("b", 13)] } else { [("a", 13), ("b", 8)] };
            choice.update(second * SECOND, calls.into_iter());
            assert_eq!(shown(&choice), ["a"]);
        }
    }

    #[test]
    fn who_is_gone_frees_its_place() {
        let mut choice = Choice::new(1);
        choice.update(SECOND, [("a", 1000), ("b", 0)].into_iter());
        for second in 2..400 {
            choice.update(second * SECOND, [("b", 0)].into_iter());
        }
        assert_eq!((shown(&choice), choice.candidates.len()), (vec!["b"], 1));
    }
}
