//! `iova doctor`: what this host and kernel can do.

use crate::args::DoctorArgs;
use crate::exit::{Exit, Stop};
use crate::term::Term;

pub(super) fn run(_: &DoctorArgs, _: Term) -> Result<Exit, Stop> {
    Err(Stop::internal("doctor is not built yet"))
}
