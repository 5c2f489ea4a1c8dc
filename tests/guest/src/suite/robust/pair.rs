//! Two users at once.

use anyhow::{Result, ensure};

use super::run::{Running, allocations, device};
use super::{NVME, load};
use crate::Outcome;

pub(super) fn two_at_once() -> Result<Outcome> {
    let args = ["--format", "json"];
    let first = Running::measure(&args)?;
    load::pairs(NVME, 100)?;
    let second = Running::measure_beside(&args, first.before())?;
    load::pairs(NVME, 2000)?;
    let first = first.end_beside()?.code(0)?.json()?;
    load::pairs(NVME, 30)?;
    let second = second.end()?.code(0)?.json()?;
    for (report, expected) in [(&first, 2100), (&second, 2030)] {
        let device = device(report, NVME, "present")?;
        let (count, frees) = (allocations(device)?, device["free"]["count"].as_u64());
        ensure!(count == expected, "{count} allocations, the module made {expected}");
        ensure!(frees == Some(expected), "{frees:?} frees, the module made {expected}");
    }
    Ok(Outcome::Passed)
}
