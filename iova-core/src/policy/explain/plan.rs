//! The plan: everything `iova policy explain` shows, and the request that `try` makes of it.

use serde::Serialize;

use super::hazard::{self, Case};
use super::listed;
use super::{Answer, Facts, Hazard, LowUse, NoWindow, Window, Wish};
use crate::metric::Unit;
use crate::policy::module::{DevicePolicy, Request, Staged};
use crate::policy::{Bdf, Mechanism, Policy, Refusal};
use crate::snapshot::RangeKind;

/// What a change would do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// BDF.
    pub device: String,
    /// Name for people.
    pub name: String,
    /// The wish.
    pub policy: Policy,
    /// What is configured now; `None` if the module is not loaded.
    pub now: Option<DevicePolicy>,
    /// What the module would do; `None` if it refuses or was not asked.
    pub staged: Option<Staged>,
    /// Why the module refuses.
    pub refusal: Option<Refusal>,
    /// Where the low 32 bits of new addresses lie (`dac:N` with a window).
    pub window: Option<Window>,
    /// Why there is no window, in one sentence.
    pub no_window: Option<String>,
    /// What would change, each one sentence.
    pub changes: Vec<String>,
    /// What a later revert can't take back without binding the driver anew, each one sentence.
    pub lasting: Vec<String>,
    /// What the compatibility list says about the device, with its reference.
    pub listed: Option<String>,
    /// What may go wrong.
    pub hazards: Vec<Hazard>,
    /// Use of the space below 4 GiB; `None` if kernel memory can't be read.
    pub low_space: Option<LowUse>,
    #[serde(skip)]
    wish: Wish,
    #[serde(skip)]
    trouble: Option<NotAdvisable>,
}

/// Why a plan is not to be tried; each sentence says what to do instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAdvisable {
    /// No module.
    #[error("{}", crate::policy::module::ModuleError::NotLoaded)]
    NotLoaded,
    /// The module refuses.
    #[error("refused ({reason}): {}", reason.sentence())]
    Refused {
        /// Why.
        reason: Refusal,
    },
    /// The compatibility list is against it.
    #[error("{0}")]
    Listed(String),
    /// A truncated address might hit a live mapping.
    #[error(transparent)]
    NoWindow(#[from] NoWindow),
    /// It is no PCI device of the interface.
    #[error("the module can't name {0}: only PCI devices of segments 0000 to ffff have policies")]
    NoAddress(String),
}

impl Plan {
    /// Puts it together; pure.
    pub fn new(facts: &Facts, wish: &Wish, window: Option<Result<Window, NoWindow>>, answer: Answer) -> Self {
        let case = Case { facts, wish, window: window.as_ref(), answer };
        let device = facts.device.as_ref();
        Self {
            device: wish.device.clone(),
            name: device.map_or_else(|| wish.device.clone(), |device| device.name.clone()),
            policy: wish.policy,
            now: facts.now.clone(),
            staged: if let Answer::Would(staged) = answer { Some(staged) } else { None },
            refusal: if let Answer::Refuses(refusal) = answer { Some(refusal) } else { None },
            changes: changes(&case),
            lasting: lasting(&case),
            listed: listed::line(&case),
            hazards: hazard::check(&case),
            low_space: facts.low_use(),
            wish: wish.clone(),
            trouble: trouble(&case),
            no_window: window.as_ref().and_then(|window| window.as_ref().err()).map(ToString::to_string),
            window: window.and_then(Result::ok),
        }
    }

    /// What to ask the module for.
    ///
    /// # Errors
    /// Why it is better not to.
    pub fn request(&self) -> Result<Request, NotAdvisable> {
        if let Some(trouble) = &self.trouble {
            return Err(trouble.clone());
        }
        let bdf = self.device.parse::<Bdf>().map_err(|_| NotAdvisable::NoAddress(self.device.clone()))?;
        Ok(Request {
            bdf,
            generation: self.now.as_ref().map(|now| now.generation).filter(|&generation| generation != 0),
            policy: self.policy,
            window: self.window.map(|window| window.top),
            flush: self.wish.flush,
        })
    }
}

fn trouble(case: &Case<'_>) -> Option<NotAdvisable> {
    let Case { wish, window, answer, .. } = *case;
    match (answer, window) {
        _ if wish.device.parse::<Bdf>().is_err() => Some(NotAdvisable::NoAddress(wish.device.clone())),
        (Answer::NotAsked, _) => Some(NotAdvisable::NotLoaded),
        (Answer::Refuses(refusal), _) => Some(NotAdvisable::Refused { reason: refusal }),
        (_, Some(Err(why))) => listed::against(case)
            .map(NotAdvisable::Listed)
            .or_else(|| Some(NotAdvisable::NoWindow(why.clone()))),
        _ => listed::against(case).map(NotAdvisable::Listed),
    }
}

fn changes(case: &Case<'_>) -> Vec<String> {
    let mut list = Vec::new();
    if let Answer::Refuses(_) = case.answer {
        return list;
    }
    if let Answer::Would(staged) = case.answer {
        let means: Vec<_> = staged.mechanisms.iter().map(Mechanism::what).collect();
        if !means.is_empty() {
            list.push(format!("By: {}.", means.join("; ")));
        }
        if case.wish.policy != Policy::Stock {
            list.push(format!("New addresses are at most {:#x}.", staged.limit));
        }
        if staged.held_bytes > 0 {
            let held = Unit::Bytes.render(Some(staged.held_bytes as f64));
            list.push(format!("{held} below 4 GiB are held while the policy is in force."));
        }
    }
    if let Some(Ok(window)) = case.window {
        let room = Unit::Bytes.render(Some(window.room_bytes as f64));
        list.push(format!(
            "An address cut to 32 bits is at most {:#x}, where nothing is mapped for {room}, and one cut to more bits lies \
             above 4 GiB, where nothing is either: a fault instead of silent corruption.",
            window.top
        ));
    }
    if case.wish.flush {
        list.push("The domain's caches are drained, so that new addresses come at once.".to_owned());
    }
    list
}

/// Mappings live on: a policy decides about new ones only.
fn lasting(case: &Case<'_>) -> Vec<String> {
    let mut list = Vec::new();
    if let Answer::Refuses(_) = case.answer {
        return list;
    }
    if matches!(case.wish.policy, Policy::Dac(_)) {
        list.push(
            "What the driver maps for long while the policy is in force (rings, coherent buffers) stays high after a \
             revert, until the driver is bound anew."
                .to_owned(),
        );
    }
    if let Some(above) = above_cap(case).filter(|&bytes| bytes > 0) {
        let above = Unit::Bytes.render(Some(above as f64));
        list.push(format!("{above} mapped above the limit stay there until they are unmapped."));
    }
    let low = case.facts.low_use().filter(|low| low.live_bytes > 0);
    if let (Policy::Dac(_), Some(low)) = (case.wish.policy, low) {
        let live = Unit::Bytes.render(Some(low.live_bytes as f64));
        list.push(format!("{live} mapped below 4 GiB stay there until they are unmapped."));
    }
    list
}

fn above_cap(case: &Case<'_>) -> Option<u64> {
    let width = case.wish.policy.width().filter(|_| case.wish.policy != Policy::Stock)?;
    let domain = case.facts.domain.as_ref()?;
    let first_above = (1_u64 << width) / domain.granule.max(1);
    let live = domain.ranges.iter().filter(|range| range.kind == RangeKind::Live);
    let pages: u64 = live.map(|range| (range.pfn_hi + 1).saturating_sub(range.pfn_lo.max(first_above))).sum();
    Some(pages.saturating_mul(domain.granule))
}
