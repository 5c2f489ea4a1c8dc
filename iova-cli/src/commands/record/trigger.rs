//! Findings that make a ring be written.

use iova_core::finding::Severity;
use iova_core::model::Cursor;
use iova_core::sample::Sample;
use std::collections::BTreeSet;
use std::time::Duration;

/// What was wrong once is not told again before it was gone for this long.
const FORGOTTEN: Duration = Duration::from_secs(300);

/// What a finding is about.
type About = (&'static str, Option<String>);

/// Watches for findings.
pub(super) struct Trigger {
    limit: Severity,
    cursor: Cursor,
    known: BTreeSet<About>,
    /// When one of those was last seen.
    seen_ns: u64,
}

impl Trigger {
    /// `cursor`: at the first sample.
    pub(super) fn new(cursor: Cursor, limit: Severity) -> Self {
        Self { limit, cursor, known: BTreeSet::new(), seen_ns: 0 }
    }

    /// Takes the next sample; says what is wrong now that was not before.
    pub(super) fn step(&mut self, sample: Sample) -> Option<String> {
        let step = self.cursor.step(sample);
        let bad = step.lately.findings.iter().filter(|finding| finding.severity >= self.limit);
        let bad: Vec<(About, &str)> =
            bad.map(|finding| ((finding.id, finding.device.clone()), finding.text.as_str())).collect();
        if bad.is_empty() {
            if Duration::from_nanos(step.ns.saturating_sub(self.seen_ns)) >= FORGOTTEN {
                self.known.clear();
            }
            return None;
        }
        self.seen_ns = step.ns;
        let new = bad.iter().find(|(about, _)| !self.known.contains(about));
        let why =
            new.map(|((id, device), text)| format!("{id} {}: {text}", device.as_deref().unwrap_or("host")));
        self.known.extend(bad.into_iter().map(|(about, _)| about));
        why
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixtures;
    use crate::session::{self, Played, Source as _};
    use iova_core::record::Options;

    #[test]
    fn what_is_wrong_is_told_once() {
        let path = std::env::temp_dir().join(format!("iova-trigger-{}.iova", std::process::id()));
        std::fs::write(&path, fixtures::recording("filling", Options::default())).unwrap();
        let mut played = Played::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let (profile, inventory, snapshot) =
            (played.profile().unwrap(), played.inventory(), played.snapshot());
        let first = played.sample().unwrap();
        let cursor = session::cursor(&played, profile, inventory, snapshot, first);
        let mut trigger = Trigger::new(cursor, Severity::Warning);
        let mut told = Vec::new();
        while let Some(moment) = played.moment().unwrap() {
            told.extend(trigger.step(moment.sample));
        }
        assert!(told.iter().any(|why| why.contains("00:04.0")), "{told:?}");
        let kinds: BTreeSet<&str> = told.iter().filter_map(|why| why.split(':').next()).collect();
        assert_eq!(kinds.len(), told.len(), "{told:?}");
    }
}
