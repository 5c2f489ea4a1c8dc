//! `iova verify`: how many address bits of a device come through, on the path that it is on.

mod begin;
mod boot;
mod document;
mod hands;
mod ladder;
mod step;
mod under_way;
mod walk;
mod watch;
mod work;

pub(crate) use boot::BootTrial;
pub(crate) use document::VerifyReport;

use crate::args::verify::VerifyArgs;
use crate::commands::live::Live;
use crate::commands::policy::host;
use crate::exit::{Exit, Stop};
use crate::session::Source as _;
use crate::signals::Signals;
use crate::term::Term;
use hands::Hands;
use iova_core::inventory::{Device, Inventory};
use iova_core::kernel::Root;
use iova_core::model::HostFigures;
use iova_core::policy::verify::{Begun, Journal, Ladder, StepRecord};
use std::num::NonZeroU32;
use std::os::fd::OwnedFd;
use work::Workload;

/// A verification under way.
pub(super) struct Verification {
    live: Live,
    live_root: Root,
    signals: Signals,
    signal_fd: OwnedFd,
    device: Device,
    hands: Hands,
    workload: Workload,
    journal: Journal,
    begun: Begun,
    ladder: Option<Ladder>,
    steps: Vec<StepRecord>,
}

/// What is found out before anything is changed.
struct Look {
    live: Live,
    root: Root,
    signals: Signals,
    inventory: Inventory,
    host: HostFigures,
    device: Device,
}

pub(super) fn run(args: &VerifyArgs, term: Term) -> Result<Exit, Stop> {
    if args.boot {
        return boot::run(args, term);
    }
    let [word] = args.device.as_slice() else {
        return Err(Stop::unusable("one device at a time is verified; --boot takes several"));
    };
    let signals = Signals::block_for_trial().map_err(|error| Stop::internal(format!("signals: {error}")))?;
    let mut live = Live::new()?;
    live.want_calls(Some(NonZeroU32::MIN));
    let inventory = live.inventory();
    let host = HostFigures::new(&inventory, live.sac_control(&inventory));
    let device = host::one(&inventory, word)?.clone();
    let root = live.kernel()?.root.clone();
    let look = Look { live, root, signals, inventory, host, device };
    match (args.close, args.resume) {
        (true, _) => under_way::close(look, args.format, term),
        (_, true) => under_way::resume(look, args.format, term),
        _ => begin::begin(look, args, term),
    }
}
