//! What a change would do, before it is made: pure functions of what is known about the device, plus the module's own
//! answer to a dry run.

mod facts;
mod hazard;
mod listed;
mod plan;
mod window;

pub(super) use facts::regions;
pub use facts::{Facts, LowUse};
pub use hazard::Hazard;
pub use plan::{NotAdvisable, Plan};
pub use window::{NoWindow, Window};

use super::module::{Control, ModuleError, Request, Staged};
use super::{Bdf, Policy, Refusal};

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// BDF of the device.
    pub device: String,
    /// The policy.
    pub policy: Policy,
    /// Drain the domain's caches, so that no cached low address is handed out any more.
    pub flush: bool,
    /// `dac:N` from the top of the width down, without a window: only when the user says so, because a truncated
    /// address then hits what is mapped low.
    pub whole: bool,
    /// Wider than the compatibility list allows: only when the user says so.
    pub beyond_list: bool,
}

impl Wish {
    /// A wish without flush, with a window and within the list.
    pub fn new(device: impl Into<String>, policy: Policy) -> Self {
        Self { device: device.into(), policy, flush: false, whole: false, beyond_list: false }
    }
}

/// What the module said to a dry run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It would do this.
    Would(Staged),
    /// It refuses.
    Refuses(Refusal),
    /// It was not asked: it is not loaded.
    NotAsked,
}

/// Asks the module, if there is one, and puts the plan together.
///
/// # Errors
/// What keeps the module from answering (`Busy`, `Stale`, `NotPermitted`, …); a refusal is no error but part of the
/// plan.
pub fn plan(facts: &Facts, wish: &Wish, control: Option<&Control>) -> Result<Plan, ModuleError> {
    let window = window::choose(facts, wish);
    let bdf = wish.device.parse::<Bdf>();
    let (Some(control), Ok(bdf)) = (control, bdf) else {
        let answer = if bdf.is_err() { Answer::Refuses(Refusal::NoMechanism) } else { Answer::NotAsked };
        return Ok(Plan::new(facts, wish, window, answer));
    };
    let request = Request {
        bdf,
        generation: facts.now.as_ref().map(|now| now.generation).filter(|&generation| generation != 0),
        policy: wish.policy,
        window: match &window {
            Some(Ok(window)) => Some(window.top),
            // Asked with the default, so that the rest of the plan can be told; such a plan gives no request.
            Some(Err(_)) => Some(Window::DEFAULT_TOP),
            None => None,
        },
        flush: wish.flush,
    };
    let answer = match control.dry_run(&request) {
        Ok(staged) => Answer::Would(staged),
        Err(ModuleError::Refused(refusal)) => Answer::Refuses(refusal),
        Err(error) => return Err(error),
    };
    Ok(Plan::new(facts, wish, window, answer))
}

#[cfg(test)]
mod tests;
