//! From evidence to outcomes.

use std::collections::BTreeMap;

use super::draft;
use super::evidence::{Evidence, HostWidth, Key};
use super::limit::Limit;
use super::listed::{self, file};
use super::{HOSTS, Outcome, Row};
use crate::compat::list::List;
use crate::compat::report::{HexByte, PciId};
use crate::compat::words::Verdict;
use crate::policy::verify::LAST;

/// A cap can name the port above the device only, so it is one for all paths that begin with it.
type Port = (PciId, Option<PciId>);

pub(super) fn rows(evidence: BTreeMap<Key, Evidence>, list: &List) -> Vec<Row> {
    let mut caps: BTreeMap<Port, Evidence> = BTreeMap::new();
    for ((device, path), one) in &evidence {
        let all = caps.entry((*device, path.first().copied())).or_default();
        all.limits.extend(one.limits.iter().filter(|limit| limit.credible));
        all.forms.extend(one.forms.iter().cloned());
        all.drivers.extend(one.drivers.iter().cloned());
    }
    caps.retain(|_, all| !all.limits.is_empty());
    caps.values_mut().for_each(|all| all.limits.sort_unstable());
    let mut told = BTreeMap::new();
    evidence.into_iter().map(|(key, one)| row(key, one, &caps, &mut told, list)).collect()
}

fn row(
    (device, path): Key,
    evidence: Evidence,
    caps: &BTreeMap<Port, Evidence>,
    told: &mut BTreeMap<Port, String>,
    list: &List,
) -> Row {
    let port = (device, path.first().copied());
    let mut contradictions = Vec::new();
    let outcome = match caps.get(&port) {
        Some(cap) => capped(port, cap, told, list, &mut contradictions),
        None => widened(device, &path, &evidence, list, &mut contradictions),
    };
    Row {
        device,
        path,
        hosts: evidence.hosts.len(),
        verified: evidence.verified,
        limits: evidence.limits,
        support: evidence.support,
        outcome: outcome.unwrap_or_else(|reason| Outcome::None { reason }),
        contradictions,
    }
}

/// `Err`: why nothing is proposed.
type Decided = Result<Outcome, String>;

fn capped(
    port: Port,
    evidence: &Evidence,
    told: &mut BTreeMap<Port, String>,
    list: &List,
    contradictions: &mut Vec<String>,
) -> Decided {
    let Some(least) = evidence.limits.first() else { return Err(String::new()) };
    for ok in listed::records(list, &evidence.forms, Verdict::Ok).iter().filter(|ok| ok.width > least.bits) {
        contradictions.push(format!(
            "{} says ok up to {} bits, and {}: {} bits are known to come through",
            file(ok),
            ok.width,
            least.what,
            least.bits
        ));
    }
    let known = listed::records(list, &evidence.forms, Verdict::Cap);
    if let Some(cap) = known.first().filter(|cap| cap.width <= least.bits) {
        return Err(format!("{} caps it at {} bits already", file(cap), cap.width));
    }
    for cap in known {
        contradictions.push(format!(
            "{} caps it at {} bits, and {}: {} bits are known to come through",
            file(cap),
            cap.width,
            least.what,
            least.bits
        ));
    }
    if let Some(file) = told.get(&port) {
        return Err(format!("{file}, proposed for another path behind the same port, caps it too"));
    }
    let proposal = draft::cap(port.0, port.1, evidence, least);
    told.insert(port, proposal.file.clone());
    Ok(Outcome::Proposed(proposal))
}

fn widened(
    device: PciId,
    path: &[PciId],
    evidence: &Evidence,
    list: &List,
    contradictions: &mut Vec<String>,
) -> Decided {
    if let Some(limit) = evidence.limits.first() {
        return Err(contrary(&evidence.limits, limit));
    }
    let groups = groups(&evidence.verified);
    let good: Vec<(Option<HexByte>, &[HostWidth], u8)> = groups
        .iter()
        .filter_map(|(revision, hosts)| Some((*revision, hosts.as_slice(), third(hosts)?)))
        .collect();
    let Some(width) = good.iter().map(|(_, _, width)| *width).min() else { return Err(too_few(&groups)) };
    let caps = listed::records(list, &evidence.forms, Verdict::Cap);
    if let Some(cap) = caps.first().filter(|cap| cap.width < width) {
        contradictions.push(format!(
            "{} caps it at {} bits, and {HOSTS} hosts have verified {width}",
            file(cap),
            cap.width
        ));
        return Err(format!("{} caps it at {} bits, and narrower beats wider", file(cap), cap.width));
    }
    let known = listed::records(list, &evidence.forms, Verdict::Ok);
    if let Some(ok) = known.last().filter(|ok| ok.width >= width) {
        return Err(format!("{} says ok up to {} bits already", file(ok), ok.width));
    }
    for ok in known {
        contradictions.push(format!(
            "{} says ok up to {} bits, which is less than proposed here",
            file(ok),
            ok.width
        ));
    }
    Ok(Outcome::Proposed(draft::ok(device, path, evidence, &good, width)))
}

fn contrary(limits: &[Limit], first: &Limit) -> String {
    let more = match limits.len() {
        1 => String::new(),
        count => format!(" ({} reports to the contrary in all)", count),
    };
    format!("a report to the contrary, not credible enough for a cap: {}{more}", first.what)
}

/// By revision of the device; within each the widest first.
fn groups(verified: &[HostWidth]) -> BTreeMap<Option<HexByte>, Vec<HostWidth>> {
    let mut groups: BTreeMap<_, Vec<HostWidth>> = BTreeMap::new();
    for one in verified {
        groups.entry(one.revision).or_default().push(*one);
    }
    groups
}

/// What the three best have all verified, within what a policy can ask for.
fn third(hosts: &[HostWidth]) -> Option<u8> {
    hosts.get(HOSTS - 1).map(|host| host.bits.min(LAST))
}

fn too_few(groups: &BTreeMap<Option<HexByte>, Vec<HostWidth>>) -> String {
    let Some(most) = groups.values().max_by_key(|hosts| hosts.len()) else {
        return "seen in normal use only, which widens nothing".to_owned();
    };
    let widths: Vec<String> = most.iter().map(|host| host.bits.to_string()).collect();
    let (hosts, other) = match (most.len(), groups.len()) {
        (1, 1) => ("1 host has", ""),
        (1, _) => ("1 host has", ", and others other revisions"),
        (_, 1) => ("2 hosts have", ""),
        _ => ("2 hosts have", ", and others other revisions"),
    };
    format!("{hosts} verified it (to {} bits){other}: an ok needs {HOSTS}", widths.join(" and "))
}
