//! What may go wrong, as far as it can be told beforehand.

use serde::Serialize;

use super::listed::listed;
use super::{Answer, Facts, NoWindow, Window, Wish};
use crate::finding::Severity;
use crate::metric::Unit;
use crate::policy::{Mechanism, Policy};

/// Something that may go wrong with a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hazard {
    /// Stable name.
    pub id: &'static str,
    /// How bad it would be.
    pub severity: Severity,
    /// One sentence with figures, and what helps.
    pub text: String,
}

/// What the checks look at.
pub(super) struct Case<'a> {
    pub(super) facts: &'a Facts,
    pub(super) wish: &'a Wish,
    pub(super) window: Option<&'a Result<Window, NoWindow>>,
    pub(super) answer: Answer,
}

type Check = fn(&Case<'_>) -> Option<Hazard>;

/// All checks, most dangerous first.
const CHECKS: &[Check] = &[
    listed,
    root_disk,
    direct_region,
    coherent_mask,
    low_aliases,
    window_outgrown,
    exhaustion,
    shared_group,
    lazy,
    cached_low,
    fill_cost,
    best_effort,
];

pub(super) fn check(case: &Case<'_>) -> Vec<Hazard> {
    CHECKS.iter().filter_map(|check| check(case)).collect()
}

pub(super) fn hazard(id: &'static str, severity: Severity, text: impl Into<String>) -> Option<Hazard> {
    Some(Hazard { id, severity, text: text.into() })
}

fn bytes(bytes: u64) -> String {
    Unit::Bytes.render(Some(bytes as f64))
}

impl Case<'_> {
    fn is_dac(&self) -> bool {
        matches!(self.wish.policy, Policy::Dac(_))
    }

    fn uses(&self, mechanism: Mechanism) -> bool {
        matches!(self.answer, Answer::Would(staged) if staged.mechanisms.has(mechanism))
    }
}

fn root_disk(case: &Case<'_>) -> Option<Hazard> {
    if !case.facts.is_root_disk || case.wish.policy == Policy::Stock {
        return None;
    }
    let text = "The root file system is on this device: if it drops address bits, the damage reaches the system \
                itself, and the tool may not live to undo it. Try a twin of the device first, with a backup.";
    hazard("root-disk", if case.is_dac() { Severity::Critical } else { Severity::Warning }, text)
}

fn direct_region(case: &Case<'_>) -> Option<Hazard> {
    let direct = case.facts.direct.first().filter(|_| case.is_dac())?;
    let text = format!(
        "The firmware keeps addresses of this device's group identity mapped ({:#x} to {:#x}{}): a truncated address \
         there hits memory, without a fault.",
        direct.0,
        direct.1,
        if case.facts.direct.len() > 1 { ", and more" } else { "" },
    );
    hazard("direct-region", Severity::Critical, text)
}

/// With the low space held, whoever can only use low addresses gets none.
fn coherent_mask(case: &Case<'_>) -> Option<Hazard> {
    let bits = case.facts.device.as_ref()?.coherent_mask_bits.filter(|&bits| bits <= 32 && case.is_dac())?;
    if case.uses(Mechanism::Fill) {
        let text = format!(
            "The driver asks for coherent buffers of {bits} bits, and the low space would be held: its next such \
             request fails."
        );
        return hazard("coherent-mask", Severity::Critical, text);
    }
    let text =
        format!("The driver asks for coherent buffers of {bits} bits: those stay below 4 GiB, as they must.");
    hazard("coherent-mask", Severity::Note, text)
}

fn low_aliases(case: &Case<'_>) -> Option<Hazard> {
    let low = case.facts.low_use().filter(|low| low.live_bytes > 0)?;
    if !case.is_dac() || !case.wish.whole {
        return None;
    }
    let text = format!(
        "{} are mapped below 4 GiB. Without a window, addresses come from the top of the width down, and their low 32 \
         bits are those of just these mappings: a device that drops the high bits writes into them, without a fault.",
        bytes(low.live_bytes)
    );
    hazard("low-aliases", Severity::Critical, text)
}

fn window_outgrown(case: &Case<'_>) -> Option<Hazard> {
    let Some(Ok(window)) = case.window else { return None };
    let low = case.facts.low_use()?;
    let used = low.live_bytes + low.pending_bytes + low.cached_bytes + low.high_bytes;
    if used <= window.room_bytes {
        return None;
    }
    let text = format!(
        "The domain has {} in use, and the window has room for {}: what is beyond has other low bits, and if its high ones \
         are lost, it may hit what is mapped low.",
        bytes(used),
        bytes(window.room_bytes),
    );
    hazard("window-outgrown", Severity::Warning, text)
}

/// Share of the capacity in use from which a 32-bit cap is likely to fail.
const TIGHT: f64 = 0.5;

fn exhaustion(case: &Case<'_>) -> Option<Hazard> {
    let low = case.facts.low_use().filter(|_| case.wish.policy == Policy::STRICT32)?;
    let used = low.live_bytes + low.cached_bytes + low.pending_bytes + low.high_bytes;
    let share = used as f64 / low.capacity_bytes.max(1) as f64;
    if share < TIGHT {
        return None;
    }
    let text = format!(
        "The domain uses {} now ({} of it above 4 GiB), and below 4 GiB there are {}: under strict32 requests beyond that \
         fail, as lost packets or I/O errors.",
        bytes(used),
        bytes(low.high_bytes),
        bytes(low.capacity_bytes)
    );
    hazard("exhaustion", if share >= 0.9 { Severity::Critical } else { Severity::Warning }, text)
}

fn shared_group(case: &Case<'_>) -> Option<Hazard> {
    if case.facts.mates.is_empty() || case.wish.policy == Policy::Stock {
        return None;
    }
    let text = format!(
        "The device shares its IOMMU domain with {}: a stray access of it reaches their mappings as well.",
        case.facts.mates.join(", ")
    );
    hazard("shared-group", Severity::Warning, text)
}

fn lazy(case: &Case<'_>) -> Option<Hazard> {
    case.facts.domain.as_ref().filter(|domain| domain.lazy && case.is_dac())?;
    let text = "The domain unmaps lazily: an address stays reachable for up to 10 ms after its unmap, and a truncated \
                access in that time is silent. For a trial, strict mode is safer (iommu.strict=1, or the group's type \
                DMA).";
    hazard("lazy-unmap", Severity::Info, text)
}

fn cached_low(case: &Case<'_>) -> Option<Hazard> {
    let low = case.facts.low_use().filter(|low| low.cached_bytes > 0)?;
    if !case.is_dac() || case.wish.flush {
        return None;
    }
    let text = format!(
        "{} of low addresses are in the caches and go on to be handed out for requests up to 128 KiB: say --flush to \
         drain them.",
        bytes(low.cached_bytes)
    );
    hazard("cached-low", Severity::Info, text)
}

fn fill_cost(case: &Case<'_>) -> Option<Hazard> {
    if !case.uses(Mechanism::Fill) {
        return None;
    }
    let text = "This kernel has no per-device flag, so the space below 4 GiB is held instead: each request still makes \
                the attempt below, which fails at once, but only after a look into the caches.";
    hazard("fill-cost", Severity::Info, text)
}

fn best_effort(case: &Case<'_>) -> Option<Hazard> {
    if !case.uses(Mechanism::Mask) {
        return None;
    }
    let text = "This kernel ignores the bus limit of this device, so its DMA masks are narrowed after its driver has set \
                them: what was mapped while it started stays, and the driver may widen them again.";
    hazard("best-effort", Severity::Warning, text)
}
