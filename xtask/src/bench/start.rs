//! Limits for the cost of a start.

use serde::{Deserialize, Serialize};

use super::baseline::Pair;

/// Instructions from the start of `iova report` to its first sample, by profile, and of `iova devices` as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Start {
    pub(crate) default: u64,
    pub(crate) full: u64,
    pub(crate) devices: u64,
}

impl Start {
    fn named(self) -> [(&'static str, u64); 3] {
        [("first sample", self.default), ("first sample of full", self.full), ("iova devices", self.devices)]
    }

    /// As a line of the table.
    pub(super) fn describe(self) -> String {
        let figures = self.named().map(|(name, count)| format!("{name} {} million", count / MILLION));
        figures.join(", ")
    }
}

const MILLION: u64 = 1_000_000;

/// Millions of instructions at most, by kernel line: a tenth more than was measured. 5.10 has to print
/// all of its symbols (380 million), to verify two front ends, and to search its symbols from the first on for each
/// function that is hooked. On 7.3 attaching takes 250 million, and the verifier twice what it takes on 6.12.
const LIMITS: [(&str, Start); 4] = [
    ("5.10", Start { default: 920, full: 1315, devices: 430 }),
    ("6.1", Start { default: 520, full: 440, devices: 44 }),
    ("6.12", Start { default: 255, full: 390, devices: 40 }),
    ("7.3", Start { default: 550, full: 920, devices: 42 }),
];

/// Every figure that is beyond its limit, in a sentence each.
pub(super) fn beyond(pair: &Pair) -> Vec<String> {
    let Some((_, limits)) = LIMITS.iter().find(|(line, _)| *line == pair.line) else { return Vec::new() };
    let Some(start) = pair.start else { return vec![format!("{}: no start was measured", pair.line)] };
    let figures = start.named().into_iter().zip(limits.named());
    let beyond = figures.filter(|((_, count), (_, limit))| *count > limit * MILLION);
    beyond
        .map(|((name, count), (_, limit))| {
            format!("{} {name}: {} million instructions, {limit} allowed", pair.line, count / MILLION)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::baseline::Profiles;
    use super::*;

    fn pair(start: Option<Start>) -> Pair {
        let flat = Profiles { light: 1, default: 1, full: 1 };
        Pair {
            line: "6.12".into(),
            kernel: "a".into(),
            none: 1,
            stock: Some(1),
            floor: flat,
            iova: flat,
            events: [].into(),
            strict: None,
            start,
        }
    }

    #[test]
    fn each_figure_has_its_limit() {
        let start = Start { default: 255_000_000, full: 390_000_000, devices: 40_000_000 };
        assert!(beyond(&pair(Some(start))).is_empty());
        let slow = Start { devices: 41_000_000, ..start };
        assert_eq!(beyond(&pair(Some(slow))), ["6.12 iova devices: 41 million instructions, 40 allowed"]);
        assert_eq!(beyond(&pair(None)), ["6.12: no start was measured"]);
    }
}
