//! What can only be seen in several records together.

use super::complaint::Complaint;
use super::parse::Parsed;
use super::words::Verdict;

/// A record, the file it stands in.
pub(super) struct InFile<'a> {
    pub(super) file: &'a str,
    pub(super) parsed: &'a Parsed,
}

/// Complaints about each record in the light of those before it.
pub(super) fn together(all: &[InFile<'_>]) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (index, later) in all.iter().enumerate() {
        for earlier in all.iter().take(index) {
            complaints.extend(pair(earlier, later));
        }
    }
    complaints
}

fn pair(earlier: &InFile<'_>, later: &InFile<'_>) -> Option<Complaint> {
    let (a, b) = (&earlier.parsed.record, &later.parsed.record);
    let twin = |one| a.matches.iter().any(|other| other.is_like(one));
    let index = b.matches.iter().position(twin)?;
    let line = later.parsed.match_lines.get(index).copied().unwrap_or(1);
    let device = b.matches.get(index)?.device;
    let reason = match (a.verdict, b.verdict) {
        (x, y) if x == y => format!("{device} has a record of the same kind already, in {}", earlier.file),
        (Verdict::Ok, _) if a.width > b.width => wider(a.width, b.width, device, earlier.file, "the ok"),
        (_, Verdict::Ok) if b.width > a.width => wider(b.width, a.width, device, earlier.file, "the cap"),
        _ => return None,
    };
    Some(Complaint { file: later.file.to_owned(), line, reason })
}

fn wider(ok: u8, cap: u8, device: impl std::fmt::Display, file: &str, other: &str) -> String {
    format!("{device} is ok up to {ok} bits and capped at {cap}: that can't both be ({other} is in {file})")
}
