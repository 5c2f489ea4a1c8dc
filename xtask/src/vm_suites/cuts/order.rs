//! Is a note on disk before what it announces is done? What the host saw done before a cut must stand in the journal that
//! is found after it.

use std::collections::BTreeSet;

use iova_guest::cuts::{CHANGE, NOTES, Notes};

/// What was seen of a run until its cut.
#[derive(Debug)]
pub(super) struct Seen {
    /// What stood on the disk before the run.
    before: Notes,
    /// Something was done to the device.
    touched: bool,
    /// Widths of the policies that were set.
    widths: BTreeSet<u64>,
}

/// What a guest has said of the journals, in order.
pub(super) fn notes(said: &str) -> impl Iterator<Item = Notes> {
    said.lines().filter_map(|line| serde_json::from_str(line.strip_prefix(NOTES)?).ok())
}

impl Seen {
    /// From what a guest had said; `None` if its run had not begun.
    pub(super) fn of(said: &str) -> Option<Self> {
        let before = notes(said).nth(1)?;
        let changes: Vec<_> = said.lines().filter(|line| line.starts_with(CHANGE)).collect();
        let widths = changes.iter().filter_map(|line| line.rsplit_once("dac:")?.1.parse().ok());
        Some(Self { before, touched: !changes.is_empty(), widths: widths.collect() })
    }

    /// One sentence if the journal after the cut lacks something that was done.
    pub(super) fn contradicts(&self, after: &Notes) -> Option<String> {
        // It came to its end.
        if after.closed > self.before.closed {
            return None;
        }
        let times = |notes: &Notes, width| notes.begun.iter().filter(|begun| **begun == width).count();
        let lacks = |width: &u64| times(after, *width) <= times(&self.before, *width);
        if let Some(width) = self.widths.iter().copied().find(lacks) {
            return Some(format!(
                "a step of {width} bits was under way when the power was cut, and the journal knows nothing of it"
            ));
        }
        let untold = self.touched && after.begun.len() <= self.before.begun.len();
        untold.then(|| "the device was touched before the power was cut, and no note says so".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(lines: &str) -> Seen {
        let before = r#"# notes: {"closed":7,"begun":[]}
# notes: {"closed":2,"begun":[32,36]}
"#;
        Seen::of(&format!("{before}{lines}")).unwrap()
    }

    fn after(closed: usize, begun: &[u64]) -> Notes {
        Notes { closed, begun: begun.to_vec() }
    }

    #[test]
    fn what_was_done_must_have_been_noted() {
        let step = seen("# change 1: unbound, policy stock\n# change 2: bound, policy dac:36\n");
        assert_eq!(step.contradicts(&after(2, &[32, 36, 32, 36])), None);
        let lacking = step.contradicts(&after(2, &[32, 36, 32])).unwrap();
        assert!(lacking.contains("36 bits"), "{lacking}");
        assert_eq!(step.contradicts(&after(3, &[])), None, "closed since");

        let touched = seen("# change 1: unbound, policy stock\n");
        assert!(touched.contradicts(&after(2, &[32, 36])).is_some());
        assert_eq!(touched.contradicts(&after(2, &[32, 36, 32])), None);
        assert!(touched.contradicts(&after(2, &[])).is_some(), "the whole journal is gone");
        assert_eq!(seen("").contradicts(&after(2, &[32, 36])), None, "nothing was done");
    }

    #[test]
    fn a_run_that_has_not_begun_says_nothing() {
        assert!(Seen::of("# notes: {\"closed\":0,\"begun\":[]}\n").is_none());
    }
}
