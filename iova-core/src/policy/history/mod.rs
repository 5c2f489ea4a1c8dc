//! Who changed which policy, when, why and with which result: `policy-history.jsonl` in the state directory.
//!
//! One JSON object per line, only ever appended to. Two sources flow in: the module's records ([`History::merge`]),
//! which are complete as long as its ring is read before it wraps (a gap is shown as such), and the tool's own entries
//! ([`History::append`]), which know the person, the reason and the figures. A line that is no entry (a torn last line
//! after a crash, a hand edit) is counted, skipped, and never touched.

mod entry;
mod file;
mod merge;

pub(in crate::policy) use entry::boot_id;
pub use entry::{Action, Entry, GapEntry, Identity, KernelEntry, ToolEntry, What};
pub use file::{History, Past};
