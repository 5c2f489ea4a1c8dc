//! Without the rights.

use std::os::unix::process::CommandExt;

use anyhow::{Context, Result, ensure};

use super::run::{Answer, allocations, answer, device, iova, unknown};
use super::sandbox::without_capabilities;
use super::{NVME, load};
use crate::Outcome;

const NOBODY: u32 = 65534;

/// Of `include/uapi/linux/capability.h`.
const SYS_RAWIO: libc::c_ulong = 17;
const SYS_ADMIN: libc::c_ulong = 21;
const SYSLOG: libc::c_ulong = 34;
const PERFMON: libc::c_ulong = 38;

pub(super) fn unprivileged() -> Result<Outcome> {
    without_rights("run as root")
}

/// Root could not read the state of the allocator either.
pub(super) fn unprivileged_in_lockdown() -> Result<Outcome> {
    without_rights("lockdown=confidentiality closes /proc/kcore")
}

fn without_rights(no_state: &str) -> Result<Outcome> {
    let doctor = as_nobody(&["doctor"])?.code(2)?;
    doctor.says(&["missing ebpf rights this process lacks CAP_BPF and CAP_PERFMON", "run as root"])?;
    let devices = as_nobody(&["devices"])?.code(0)?;
    devices.quiet()?.says(&["00:04.0", "nvme0n1", "missing:", no_state])?;
    let report = as_nobody(&["report", "--duration", "10ms"])?.code(2)?;
    ensure!(report.stdout.is_empty(), "a report without rights");
    report.sentence(&["CAP_BPF and CAP_PERFMON", "run as root"])?;
    Ok(Outcome::Passed)
}

fn as_nobody(args: &[&str]) -> Result<Answer> {
    let mut command = iova(args);
    command.uid(NOBODY).gid(NOBODY);
    answer(command).with_context(|| format!("as nobody: iova {}", args.join(" ")))
}

pub(super) fn capabilities() -> Result<Outcome> {
    let lacking = |args: &[&str]| answer(without_capabilities(iova(args), &[SYS_ADMIN, PERFMON]));
    lacking(&["doctor"])?.code(2)?.says(&["this process lacks CAP_PERFMON", "run as root"])?;
    lacking(&["report", "--duration", "10ms"])?.code(2)?.sentence(&["lacks CAP_PERFMON", "run as root"])?;
    counts_without_state()?;
    Ok(Outcome::Passed)
}

/// The state of the allocator needs more rights than counting; without them counting goes on.
fn counts_without_state() -> Result<()> {
    let limited = |args: &[&str]| without_capabilities(iova(args), &[SYS_RAWIO, SYSLOG]);
    let doctor = answer(limited(&["doctor"]))?.code(1)?;
    doctor.says(&["missing kcore", "CAP_SYS_RAWIO", "iova report works here"])?;
    let args = ["report", "--profile", "light", "--format", "json", "--", "sh", "-c", "echo up; exec cat"];
    let mut command = limited(&args);
    command.stdin(std::process::Stdio::piped());
    let mut running = super::run::Running::start(command)?;
    running.hear("up")?;
    load::pairs(NVME, 1000)?;
    let report = running.end()?.code(0)?.json()?;
    let nvme = device(&report, NVME, "present")?;
    let count = allocations(nvme)?;
    ensure!(count == 1000, "{count} allocations, the module made 1000");
    ensure!(nvme["low_space"]["live_bytes"].is_null(), "live bytes from nowhere");
    let why = unknown(&report, "low_space")?;
    ensure!(why.contains("CAP_SYS_RAWIO"), "{why}");
    Ok(())
}
