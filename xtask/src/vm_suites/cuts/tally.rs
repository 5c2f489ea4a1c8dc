//! What the cuts have hit.

use std::collections::BTreeMap;

use iova_guest::cuts::{CHANGE, ENDED, LEFT};

use super::order::{self, Seen};
use crate::lab::Lost;

/// All cuts of a row.
#[derive(Debug, Default)]
pub(super) struct Cuts {
    all: usize,
    within: usize,
    /// How the device was, as the guest last said.
    device: BTreeMap<String, usize>,
    /// Writes to the state disk that a cut made it forget, or half of them.
    forgotten: Lost,
    /// Where the journal ends.
    journal: BTreeMap<String, usize>,
    /// What was seen before the last cut, until the boot after it says what is left of that.
    seen: Option<Seen>,
}

impl Cuts {
    /// Adds a boot that was cut, after [`Cuts::left`] was told what it had found; says where the cut hit it.
    pub(super) fn add(&mut self, said: &str, forgotten: Lost) -> String {
        self.all += 1;
        self.seen = Seen::of(said);
        self.forgotten += forgotten;
        if said.contains(ENDED) {
            return "the run had ended".to_owned();
        }
        self.within += 1;
        let device = device(said);
        *self.device.entry(device.clone()).or_default() += 1;
        device
    }

    /// Takes what a boot has found in the journal; one sentence if that can't be, after what was seen.
    pub(super) fn left(&mut self, said: &str) -> Option<String> {
        let left = said.lines().find_map(|line| line.strip_prefix(LEFT)).filter(|_| self.all > 0)?;
        *self.journal.entry(left.to_owned()).or_default() += 1;
        self.seen.take()?.contradicts(&order::notes(said).next()?)
    }

    pub(super) fn all(&self) -> usize {
        self.all
    }

    /// Those that hit a run.
    pub(super) fn within(&self) -> usize {
        self.within
    }

    pub(super) fn summary(&self) -> String {
        let list = |counts: &BTreeMap<String, usize>| {
            counts.iter().map(|(what, count)| format!("{count} × {what}")).collect::<Vec<_>>().join("; ")
        };
        format!(
            "{} cuts, {} within a run. The device, as last seen: {}. The journal: {}. The state disk: {}",
            self.all,
            self.within,
            list(&self.device),
            list(&self.journal),
            self.forgotten
        )
    }
}

/// How the guest saw the device last.
fn device(said: &str) -> String {
    let last = said.lines().rev().find_map(|line| line.strip_prefix(CHANGE)?.split_once(": "));
    last.map_or_else(|| "nothing was done yet".to_owned(), |(_, how)| how.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_belongs_to_the_cut_before() {
        let mut cuts = Cuts::default();
        let lost = Lost { flushed: 5, unflushed: 4, lost: 2, torn: 1 };
        assert_eq!(cuts.add("# left: nothing\n# the run begins\n", lost), "nothing was done yet");
        let said = "# left: a step\n# the run begins\n# change 1: unbound\n# change 2: bound\n# chan";
        assert_eq!(cuts.left(said), None);
        assert_eq!(cuts.add(said, lost), "bound");
        assert_eq!(cuts.left("# left: closed\n"), None);
        assert_eq!(cuts.add("# left: closed\n# the run has ended: 1 ms\n", lost), "the run had ended");
        cuts.left("# left: a step\n");
        assert_eq!((cuts.all(), cuts.within()), (3, 2));
        assert_eq!(
            cuts.summary(),
            "3 cuts, 2 within a run. The device, as last seen: 1 × bound; 1 × nothing was done yet. \
             The journal: 2 × a step; 1 × closed. \
             The state disk: 15 flushed writes, and of 12 others 6 lost and 3 torn"
        );
    }
}
