//! Proposals as records of the list.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::evidence::{Evidence, HostWidth};
use super::limit::Limit;
use super::{HOSTS, Merged, Proposal};
use crate::compat::complaint::Complaint;
use crate::compat::lint::{InFile, together};
use crate::compat::parse;
use crate::compat::report::{HexByte, PciId};
use crate::compat::words::{EvidenceKind, Verdict};

/// Most references of one record.
const REFERENCES: usize = 8;

/// The linter's word on all proposals together.
pub(super) fn lint(merged: &Merged) -> Result<(), Vec<Complaint>> {
    let mut parsed = Vec::new();
    for proposal in merged.proposals() {
        parsed.push((proposal.file.as_str(), parse::parse(&proposal.file, &proposal.toml)?));
    }
    let all: Vec<_> = parsed.iter().map(|(file, parsed)| InFile { file, parsed }).collect();
    let complaints = together(&all);
    if complaints.is_empty() { Ok(()) } else { Err(complaints) }
}

pub(super) fn cap(device: PciId, port: Option<PciId>, evidence: &Evidence, least: &Limit) -> Proposal {
    let (place, part) = match port {
        Some(port) => (format!("behind {port}"), format!("behind-{}", dashed(port))),
        None => ("on a root bus".to_owned(), "on-root".to_owned()),
    };
    let mut text = format!("name = \"{device} {place}\"\n");
    text += &driver(evidence);
    let width = least.bits;
    let _ = write!(
        text,
        "verdict = \"cap\"\nwidth = {width}\nfailure = \"{}\"\nevidence = \"{}\"\n\
         note = \"{}: {}. {width} bits are known to come through.\"\n",
        least.failure.word(),
        least.evidence.word(),
        match evidence.limits.iter().map(|limit| limit.id).collect::<BTreeSet<_>>().len() {
            1 => "Seen on one host".to_owned(),
            count => format!("{count} hosts report a limit, and of the narrowest this was seen"),
        },
        least.what,
    );
    let _ = write!(text, "\n[[match]]\ndevice = \"{device}\"\n");
    if let Some(port) = port {
        let _ = writeln!(text, "bridge = [\"{port}\"]");
    }
    for limit in evidence.limits.iter().take(REFERENCES) {
        let by = if limit.evidence == EvidenceKind::Verified { "iova verify" } else { "Normal use" };
        let says = format!("{by}: {}; {} bits are known to come through.", limit.what, limit.bits);
        text += &reference(limit.id, &says);
    }
    Proposal { file: format!("{}-{part}.toml", dashed(device)), verdict: Verdict::Cap, width, toml: text }
}

pub(super) fn ok(
    device: PciId,
    path: &[PciId],
    evidence: &Evidence,
    groups: &[(Option<HexByte>, &[HostWidth], u8)],
    width: u8,
) -> Proposal {
    let port = path.first().map_or("on a root bus".to_owned(), |port| format!("behind {port}"));
    let mut text = format!("name = \"{device} {port}\"\n");
    text += &driver(evidence);
    let all = || groups.iter().flat_map(|(_, hosts, _)| hosts.iter()).filter(|host| host.bits >= width);
    let worked = all().fold(0_u64, |sum, host| sum.saturating_add(host.worked_ms));
    let _ = write!(
        text,
        "verdict = \"ok\"\nwidth = {width}\nevidence = \"verified\"\n\
         note = \"{} verified it on this path to {width} bits or more, in {} of work. No report speaks against it.\"\n",
        capital(&hosts(all().map(|host| host.id).collect::<BTreeSet<_>>().len())),
        time(worked),
    );
    let ids: Vec<String> = path.iter().map(|id| format!("\"{id}\"")).collect();
    for (revision, _, _) in groups {
        let _ = write!(text, "\n[[match]]\ndevice = \"{device}\"\n");
        if let Some(revision) = revision {
            let _ = writeln!(text, "revision = \"{revision}\"");
        }
        let _ = writeln!(text, "path = [{}]", ids.join(", "));
    }
    for (_, hosts, _) in groups {
        for host in hosts.iter().filter(|host| host.bits >= width).take(REFERENCES.max(HOSTS)) {
            let kernel =
                host.kernel.map(|kernel| format!(" on Linux {}", kernel.version)).unwrap_or_default();
            let says =
                format!("iova verify: {} bits in {} of work{kernel}.", host.bits, time(host.worked_ms));
            text += &reference(host.id, &says);
        }
    }
    let place: Vec<String> = path.iter().map(|id| dashed(*id)).collect();
    let place = if place.is_empty() { "root".to_owned() } else { place.join("-") };
    Proposal {
        file: format!("{}-ok-on-{place}.toml", dashed(device)),
        verdict: Verdict::Ok,
        width,
        toml: text,
    }
}

fn dashed(id: PciId) -> String {
    id.to_string().replace(':', "-")
}

/// If all agree.
fn driver(evidence: &Evidence) -> String {
    let mut names = evidence.drivers.iter();
    match (names.next(), names.next()) {
        (Some(Some(name)), None) => format!("driver = \"{name}\"\n"),
        _ => String::new(),
    }
}

fn reference(id: impl std::fmt::Display, says: &str) -> String {
    format!("\n[[reference]]\nurl = \"report:{id}\"\nsays = \"{says}\"\nopened = true\n")
}

fn hosts(count: usize) -> String {
    if count == 1 { "one host".to_owned() } else { format!("{count} hosts") }
}

fn capital(text: &str) -> String {
    text.replacen("one", "One", 1)
}

/// `90 s`, `12 min`, `3 h`.
fn time(ms: u64) -> String {
    match ms / 1000 {
        s if s < 120 => format!("{s} s"),
        s if s < 7200 => format!("{} min", s / 60),
        s => format!("{} h", s / 3600),
    }
}
