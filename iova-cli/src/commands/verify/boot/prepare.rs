//! The next boot: written down, loaded, begun.

use super::Look;
use crate::exit::Stop;
use iova_core::kernel::Root;
use iova_core::policy::Bdf;
use iova_core::policy::boot_trial::{Plan, kexec, parameter};
use serde::Serialize;
use std::process::Command;

/// The boot that comes next.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Boot {
    /// How many devices get the full range in it.
    pub(crate) devices: usize,
    /// The kernel's command line.
    pub(crate) command_line: String,
    /// It is loaded: `systemctl kexec` begins it.
    pub(crate) loaded: bool,
}

impl Boot {
    /// Adds it to the plan, and does nothing else.
    pub(super) fn of(plan: &mut Plan, look: &Look, chosen: Vec<Bdf>) -> Result<Self, Stop> {
        let devices = chosen.len();
        let command_line = plan.add_round(&look.root, chosen);
        // COMMAND_LINE_SIZE, arch/x86/include/asm/setup.h.
        if command_line.len() >= 2048 {
            return Err(Stop::unusable(format!(
                "the kernel's command line would be {} bytes long, and 2047 is the most: name fewer devices",
                command_line.len()
            )));
        }
        Ok(Self { devices, command_line, loaded: false })
    }
}

/// Loads it and writes it down; nothing is booted before both are done.
pub(super) fn prepare(plan: &mut Plan, look: &Look, chosen: Vec<Bdf>, print: bool) -> Result<Boot, Stop> {
    let mut boot = Boot::of(plan, look, chosen)?;
    if !print {
        // A kernel that can't be loaded leaves no plan behind.
        kexec::load(&plan.image, &plan.initrd, &boot.command_line).map_err(Stop::unusable)?;
        boot.loaded = true;
    }
    plan.save(&look.dir).map_err(Stop::unusable)?;
    Ok(boot)
}

/// The shutdown in good order that ends in the loaded kernel.
pub(super) fn reboot_into(boot: &Boot) -> Result<(), Stop> {
    if boot.loaded { systemctl("kexec") } else { Ok(()) }
}

pub(super) fn reboot_to_stock() -> Result<(), Stop> {
    systemctl("reboot")
}

fn systemctl(verb: &str) -> Result<(), Stop> {
    let status = Command::new("systemctl").args(["--no-block", verb]).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Stop::unusable(format!("`systemctl {verb}` failed ({status}): run it yourself"))),
        Err(error) => Err(Stop::unusable(format!(
            "`systemctl {verb}` can't be run ({error}): shut down by other means that end in kexec, or boot by hand with the \
             parameters that --print shows"
        ))),
    }
}

/// This boot is one of a trial.
pub(super) fn is_trial(root: &Root) -> bool {
    parameter::read(&root.text("proc/cmdline").unwrap_or_default()).is_some()
}
