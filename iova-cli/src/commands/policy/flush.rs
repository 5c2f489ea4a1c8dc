//! `iova policy flush`: drains the caches of a device's domain.

use super::changes::{self, Change};
use super::host::{self, Host};
use crate::args::Format;
use crate::args::policy::OneArgs;
use crate::exit::{Exit, Stop};
use crate::term::Term;
use iova_core::policy::module::{Control, Drain};

pub(super) fn run(args: &OneArgs, format: Format, term: Term) -> Result<Exit, Stop> {
    let host = Host::look()?;
    let device = host.one(&args.device)?;
    let control = Control::open(host.kernel.as_ref()).map_err(host::stop)?;
    control
        .flush(host::bdf(device)?, Drain::ALL)
        .map_err(|error| host::stop_for(error, &host.root(), &device.bdf))?;
    let change = Change::of(&host, device, "the caches of its domain were drained");
    changes::print("iova.policy.flush", vec![change], format, term)
}
