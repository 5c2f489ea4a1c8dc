//! How often does `iova verify` miss a device that loses address bits?

use super::{Evidence, LEVEL, Missing, Question, Statement, What, count, percent};
use crate::advise::evidence::{self, Verification};
use crate::compat::{EvidenceKind, Fit, List, PciFacts, Verdict as Listed};
use crate::gate::stats::{none_of, proportion};
use crate::policy::verify::Verdict;
use std::collections::BTreeSet;

const COMMAND: &str = "iova verify DEVICE --format json > FILE on a device of known width, given as FILE with --known FILE=BITS; or \
                       cargo xtask test --vm-only --variant verify-seed, which does that with ten emulated devices of each seed";

/// What became of a device that should have been caught.
#[derive(Default)]
struct Caught<'a> {
    found: BTreeSet<&'a str>,
    missed: BTreeSet<&'a str>,
    open: BTreeSet<&'a str>,
    /// Verified no further than its known width, or ended before: nothing to catch.
    aside: BTreeSet<&'a str>,
}

pub(super) fn question(evidence: &[Evidence], list: &List) -> Question {
    let mut caught = Caught::default();
    for one in evidence {
        if let What::Verification(verification) = &one.what
            && let Some(known) = known(verification, list)
        {
            caught.sort(verification, known, &one.source);
        }
    }
    let statements: Vec<_> = caught.rate().into_iter().chain(caught.others()).collect();
    let missing = caught.is_empty().then(|| {
        Missing::new("No file is of a device whose width is known and narrower than what was tried: the rate is unknown.", COMMAND)
    });
    Question {
        id: "detector",
        asks: "How often does iova verify miss a device that loses address bits?",
        statements,
        missing: missing.into_iter().collect(),
    }
}

/// What somebody else than `iova verify` knows: whoever gave the file, or a cap of the list that rests on the kernel's or the
/// maker's word.
fn known(verification: &Verification, list: &List) -> Option<u8> {
    let facts = PciFacts {
        id: evidence::ids(verification.kind())?,
        bridge: verification.path.get(1).and_then(|kind| evidence::ids(kind)),
        ..PciFacts::default()
    };
    let independent =
        |kind| matches!(kind, EvidenceKind::Quirk | EvidenceKind::Declared | EvidenceKind::Vendor);
    let caps = list.records().filter(|record| {
        record.verdict == Listed::Cap && independent(record.evidence) && record.fits(&facts) == Fit::Yes
    });
    verification.known_bits.or_else(|| caps.map(|record| record.width).min())
}

impl<'a> Caught<'a> {
    fn sort(&mut self, verification: &Verification, known: u8, file: &'a str) {
        let tried = verification.steps.iter().map(|step| step.width).max().unwrap_or(0);
        let place = match &verification.answer {
            _ if tried <= known => &mut self.aside,
            Some(Verdict::Limit { at_least, .. }) if *at_least <= known => &mut self.found,
            Some(Verdict::Limit { .. }) => &mut self.missed,
            Some(verdict) if verdict.proved() > known => &mut self.missed,
            Some(Verdict::CannotProve { .. }) => &mut self.open,
            Some(Verdict::Verified { .. }) | None => &mut self.aside,
        };
        place.insert(file);
    }

    fn is_empty(&self) -> bool {
        self.found.is_empty() && self.missed.is_empty() && self.open.is_empty()
    }

    fn rate(&self) -> Option<Statement> {
        let (found, missed) = (self.found.len() as u64, self.missed.len() as u64);
        let n = found + missed;
        let high = if missed == 0 { none_of(n, LEVEL)? } else { proportion(missed, n, LEVEL)?.high };
        let low = if missed == 0 { 0.0 } else { proportion(missed, n, LEVEL)?.low };
        let rule = if missed == 0 { "one-sided, 95 %; about three in n" } else { "Clopper-Pearson, 95 %" };
        let text = format!(
            "Of {} on devices that are known to keep fewer bits than were tried, {missed} missed it: at most {} of such verifications \
             do ({rule}).",
            count(n as usize, "verification"),
            percent(high),
        );
        let files = self.found.union(&self.missed).copied().collect();
        let statement = Statement::new(text, (n as usize, "verifications"), &files);
        Some(statement.figure(missed as f64 / n as f64, Some((low, high))))
    }

    fn others(&self) -> Vec<Statement> {
        let told = |files: &BTreeSet<&str>, text: &str| {
            let statement = Statement::new(text.to_owned(), (files.len(), "verifications"), files);
            (!files.is_empty()).then_some(statement)
        };
        [
            told(&self.missed, "These called widths good that the device is known not to keep."),
            told(
                &self.open,
                "These could not prove anything either way; they count neither as found nor as missed.",
            ),
            told(
                &self.aside,
                "These tried no width that the device is known to lose, so there was nothing to find.",
            ),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}
