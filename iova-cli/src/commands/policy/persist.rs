//! `iova policy persist` and `forget`: what is applied at boot.

use super::changes::{self, Change};
use super::host::{self, Host};
use super::journal::{Journal, history};
use crate::args::Format;
use crate::args::policy::PersistArgs;
use crate::exit::{Exit, Stop};
use crate::term::Term;
use iova_core::policy::history::Action;
use iova_core::policy::persist::{self, PersistError};
use iova_core::policy::{Policy, StateDir};

pub(super) fn persist(args: &PersistArgs, format: Format, term: Term) -> Result<Exit, Stop> {
    let host = Host::look()?;
    let root = host.root();
    let device = host.one(&args.device)?;
    let bdf = host::bdf(device)?;
    // A confirmation may be in the module's records only.
    Journal::collect(host.kernel.as_ref());
    let policy = host.policy(&device.bdf)?.policy;
    persist::persist(&StateDir::default(), &history(), &root, bdf, policy).map_err(stop)?;
    let journal = Journal::new(&root, device, args.reason.text.clone());
    journal.note(Action::Persist, policy, |_| {});
    let text = "applied at every boot by iova-policy.service from now on (systemctl enable iova-policy.service \
                iova-policy-boot-ok.service)";
    changes::print("iova.policy.persist", vec![Change::of(&host, device, text)], format, term)
}

pub(super) fn forget(args: &PersistArgs, format: Format, term: Term) -> Result<Exit, Stop> {
    let host = Host::look()?;
    let device = host.one(&args.device)?;
    let bdf = host::bdf(device)?;
    let there_was = persist::forget(&StateDir::default(), bdf).map_err(Stop::unusable)?;
    let text = if there_was {
        let policy = host.policy(&device.bdf).map_or(Policy::Stock, |now| now.policy);
        let journal = Journal::new(&host.root(), device, args.reason.text.clone());
        journal.note(Action::Forget, policy, |_| {});
        "no longer applied at boot; what is in force stays until then"
    } else {
        "nothing was applied at boot"
    };
    changes::print("iova.policy.forget", vec![Change::of(&host, device, text)], format, term)
}

fn stop(error: PersistError) -> Stop {
    match error {
        PersistError::Stock | PersistError::NotConfirmed { .. } | PersistError::FailedSince { .. } => {
            Stop::no(error)
        }
        PersistError::NoDevice(_) | PersistError::Damaged { .. } | PersistError::State(_) => {
            Stop::unusable(error)
        }
    }
}
