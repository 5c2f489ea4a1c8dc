//! Which of the module's records are new.

use super::entry::GapEntry;
use super::{Entry, What};
use crate::policy::module::Record;

/// Where the history stands in the module's numbering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Last {
    seq: u64,
    time_ns: u64,
}

/// Entries for the records that `past` has not, in their order, with the gaps between.
///
/// Numbers start anew with each boot and each loading of the module. Records of one loading come in the order of their
/// numbers; so a number that is not above the last one is new only if its time is later, and then the module was loaded
/// again.
pub(super) fn new_entries(past: &[Entry], boot: &str, records: &[Record]) -> Vec<Entry> {
    let mut last = last(past, boot);
    let mut new = Vec::new();
    for record in records {
        match last {
            Some(known) if record.seq <= known.seq && record.time_ns <= known.time_ns => continue,
            Some(known) if record.seq > known.seq + 1 => {
                new.push(gap(boot, record, known.seq + 1));
            }
            // The first numbers after loading are lost too, if the ring has wrapped before anybody read it.
            _ if is_restart(last, record) && record.seq > FIRST => new.push(gap(boot, record, FIRST)),
            _ => {}
        }
        last = Some(Last { seq: record.seq, time_ns: record.time_ns });
        new.push(Entry::of_record(boot, record));
    }
    new
}

/// The module's first number.
const FIRST: u64 = 0;

fn is_restart(last: Option<Last>, record: &Record) -> bool {
    last.is_none_or(|last| record.seq <= last.seq)
}

fn gap(boot: &str, before: &Record, from_seq: u64) -> Entry {
    let what = What::Gap(GapEntry { from_seq, to_seq: before.seq - 1 });
    Entry { time_ns: before.time_ns, boot: boot.to_owned(), what }
}

fn last(past: &[Entry], boot: &str) -> Option<Last> {
    past.iter().rev().filter(|entry| entry.boot == boot).find_map(|entry| match &entry.what {
        What::Kernel(kernel) => Some(Last { seq: kernel.seq, time_ns: entry.time_ns }),
        _ => None,
    })
}
