//! What the list says already about a device that was reported.

use std::collections::BTreeSet;

use crate::compat::device::PciFacts;
use crate::compat::list::List;
use crate::compat::pattern::Fit;
use crate::compat::record::Record;
use crate::compat::words::{Failure, Verdict};

/// The records of one verdict that hold for it on this path, for any form in which it was met; by width.
pub(super) fn records<'a>(list: &'a List, forms: &BTreeSet<PciFacts>, verdict: Verdict) -> Vec<&'a Record> {
    let holds = |record: &&Record| {
        record.verdict == verdict
            && record.failure != Some(Failure::NeedsHigh)
            && forms.iter().any(|form| record.fits(form) == Fit::Yes)
    };
    let mut records: Vec<&Record> = list.records().filter(holds).collect();
    records.sort_by(|a, b| (a.width, &a.id).cmp(&(b.width, &b.id)));
    records
}

pub(super) fn file(record: &Record) -> String {
    format!("compat/{}.toml", record.id)
}
