//! The command line of `iova policy`.

use super::Format;
use crate::duration;
use clap::{Args as ClapArgs, Subcommand};
use iova_core::policy::Policy;
use std::time::Duration;

pub(super) const HELP: &str = "\
A POLICY says how wide the addresses of a device may be:
  stock      what the kernel does by itself: below 4 GiB first
  cap:N      below 4 GiB first, never above N bits (32 to 63); strict32 is cap:32
  dac:N      the range up to N bits at once (33 to 57), without the vain search
             below 4 GiB

Examples:
  iova policy show
  iova policy explain nvme0n1 dac:40       what would happen; changes nothing
  iova policy try nvme0n1 dac:40 --flush   with a lease: comes back by itself
  iova policy revert --all
  iova policy log --since 1h

Changing a policy needs the kernel module iova_policy, CAP_SYS_ADMIN and
CAP_SYS_RAWIO.

Exit codes:
  0  done
  1  the answer is \"no\": refused, busy, not kept, ended by a fault
  2  wrong usage, a missing module or right, or an output that cannot be
     written
  3  an internal error";

const SHOW_HELP: &str = "\
Examples:
  iova policy show
  iova policy show nvme0n1 --measure 1s    also where addresses really land
  iova policy show --format json

configured is what was asked for, effective what the device's fields say now,
high the share of addresses that came from 4 GiB or above in the time measured.

Exit codes: 0 done, 2 wrong usage, 3 an internal error.";

const EXPLAIN_HELP: &str = "\
Examples:
  iova policy explain nvme0n1 dac:40
  iova policy explain eth0 cap:36 --format json

Exit codes: 0 it would be done, 1 it would be refused, 2 wrong usage or a missing
module or right, 3 an internal error.";

const TRY_HELP: &str = "\
Examples:
  iova policy try nvme0n1 dac:40 --flush             10 minutes, then asks
  iova policy try nvme0n1 dac:40 --flush -- fio job  while fio runs, then asks
  iova policy try eth0 cap:36 --for 1h
  iova policy confirm nvme0n1                        from another terminal: yes

Measures as it is (--before), then changes the policy for --for at most and shows
both side by side. The kernel takes the policy back when iova ends, however it
ends, and when the time is over; only a yes keeps it: to the question here (press
Enter to be asked early), or by `iova policy confirm`. Losing the terminal, the
end of the input, SIGHUP, SIGINT and SIGTERM are a no. Without a terminal nothing
is asked: it waits for `iova policy confirm`.

A DMA fault or a PCIe error of the device ends the trial at once: the policy is
taken back, and the device is quarantined with the evidence (see `iova policy
release`).

With -- COMMAND the trial lasts as long as the command, and --for at most if
given. Its standard output goes to standard error. --keep-if-ok keeps the policy
if the command exits with 0 and nothing went wrong.

Exit codes:
  0  kept
  1  not kept: refused, answered no, interrupted, or ended by a fault
  2  wrong usage, a missing module or right
  3  an internal error";

const CONFIRM_HELP: &str = "\
Example:
  iova policy confirm nvme0n1 --reason \"ticket 4711\"

Says yes to the `iova policy try` that is running for the device. A trial with a
command keeps the policy when the command has ended.

Exit codes: 0 kept (or will be), 1 no trial is running or it is too late, 2 wrong
usage or a missing right, 3 an internal error.";

const REVERT_HELP: &str = "\
Examples:
  iova policy revert nvme0n1
  iova policy revert --all

Back to stock. Ends no trial of another process: that is refused, and its holder
named. What is mapped high stays until its driver unmaps it; that is shown.

Exit codes: 0 done, 1 refused or busy, 2 wrong usage or a missing module or
right, 3 an internal error.";

const SET_HELP: &str = "\
Examples:
  iova policy set nvme0n1 dac:40 --yes --flush --reason \"tried for a week\"
  iova policy set eth0 cap:36 --yes

Changes the policy without a trial, until the machine is booted again (see `iova
policy persist`). For scripts; people had better `try`. Without --yes it says what
it would do, and exits with 1.

Exit codes: 0 done, 1 refused, busy, or --yes is missing, 2 wrong usage or a
missing module or right, 3 an internal error.";

const FLUSH_HELP: &str = "\
Example:
  iova policy flush nvme0n1

Drains the caches of freed addresses, from which addresses of an earlier policy
are still served. Changes no policy.

Exit codes: 0 done, 1 refused, 2 wrong usage or a missing module or right, 3 an
internal error.";

const RELEASE_HELP: &str = "\
Example:
  iova policy release nvme0n1 --reason \"new firmware\"

Lifts a quarantine: wider policies may be tried on the device again.

Exit codes: 0 done, 1 it is not in quarantine, 2 wrong usage or a missing module
or right, 3 an internal error.";

const LOG_HELP: &str = "\
Examples:
  iova policy log
  iova policy log nvme0n1 --since 1h
  iova policy log --format json

What was changed or refused, by whom and why, with the evidence: from the history
on disk, and from the module's own records (which have what others did).

Exit codes: 0 done, 2 wrong usage, 3 an internal error.";

const PERSIST_HELP: &str = "\
Examples:
  iova policy persist nvme0n1
  iova policy forget nvme0n1

Applies the device's policy at every boot from now on. Only what is in force and
was confirmed can be persisted. At boot each policy is marked as tried before it
is applied; after two boots that were not finished it is skipped. Enable the units
once: systemctl enable iova-policy.service iova-policy-boot-ok.service

Exit codes: 0 done, 1 it is not confirmed, 2 wrong usage or a missing module or
right, 3 an internal error.";

const BOOT_HELP: &str = "\
For the systemd units iova-policy.service (restore) and
iova-policy-boot-ok.service (boot-ok, once the machine is up).

Exit codes: 0 done, 1 something was skipped or refused, 2 wrong usage or a missing
module or right, 3 an internal error.";

/// `iova policy`.
#[derive(Debug, ClapArgs)]
pub(crate) struct PolicyArgs {
    /// Output format.
    #[arg(long, global = true, default_value = "text")]
    pub(crate) format: Format,
    #[command(subcommand)]
    pub(crate) command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Show each device's policy: configured, in effect, leased, by whom.
    #[command(after_long_help = SHOW_HELP)]
    Show(ShowArgs),
    /// Say what a policy would change, how, at what risk; change nothing.
    #[command(after_long_help = EXPLAIN_HELP)]
    Explain(ExplainArgs),
    /// Change a policy for a while, watch, and ask whether to keep it.
    #[command(after_long_help = TRY_HELP)]
    Try(TryArgs),
    /// Keep what a running `try` has changed.
    #[command(after_long_help = CONFIRM_HELP)]
    Confirm(ConfirmArgs),
    /// Go back to stock.
    #[command(after_long_help = REVERT_HELP)]
    Revert(RevertArgs),
    /// Change a policy without a trial (scripts).
    #[command(after_long_help = SET_HELP)]
    Set(SetArgs),
    /// Drain the caches of a device's domain.
    #[command(after_long_help = FLUSH_HELP)]
    Flush(OneArgs),
    /// Lift a quarantine.
    #[command(after_long_help = RELEASE_HELP)]
    Release(ReleaseArgs),
    /// Show what was changed, when, by whom, why, and on what evidence.
    #[command(after_long_help = LOG_HELP)]
    Log(LogArgs),
    /// Apply a device's confirmed policy at every boot.
    #[command(after_long_help = PERSIST_HELP)]
    Persist(PersistArgs),
    /// No longer apply it at boot; the policy in force stays.
    #[command(after_long_help = PERSIST_HELP)]
    Forget(PersistArgs),
    /// Apply the persisted policies (boot).
    #[command(after_long_help = BOOT_HELP)]
    Restore,
    /// Say that this boot went well (boot).
    #[command(name = "boot-ok", after_long_help = BOOT_HELP)]
    BootOk,
}

/// Why it is done.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct Reason {
    /// Why, for the history.
    #[arg(long = "reason", value_name = "TEXT")]
    pub(crate) text: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ShowArgs {
    /// Only these: BDF, driver, network interface, block device, or vendor:device.
    #[arg(value_name = "DEVICE")]
    pub(crate) devices: Vec<String>,
    /// Measure this long where addresses really land.
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub(crate) measure: Option<Duration>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ExplainArgs {
    /// BDF, driver, network interface, block device, or vendor:device.
    #[arg(value_name = "DEVICE")]
    pub(crate) device: String,
    /// stock, cap:N, strict32, or dac:N.
    #[arg(value_name = "POLICY")]
    pub(crate) policy: Policy,
    /// As with `try`.
    #[arg(long)]
    pub(crate) flush: bool,
    /// dac: use the whole width, where a truncated address may hit what is mapped low (see `explain`).
    #[arg(long)]
    pub(crate) whole: bool,
    /// dac: go beyond a cap of the compatibility list (see `iova compat check`).
    #[arg(long)]
    pub(crate) beyond_list: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct TryArgs {
    /// BDF, driver, network interface, block device, or vendor:device.
    #[arg(value_name = "DEVICE")]
    pub(crate) device: String,
    /// stock, cap:N, strict32, or dac:N.
    #[arg(value_name = "POLICY")]
    pub(crate) policy: Policy,
    /// How long at most [default: 10m; with a command: until it ends].
    #[arg(long = "for", value_name = "TIME", value_parser = duration::parse)]
    pub(crate) length: Option<Duration>,
    /// How long to measure before the change.
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "3s")]
    pub(crate) before: Duration,
    /// Drain the domain's caches while addresses of the old policy come out of them.
    #[arg(long)]
    pub(crate) flush: bool,
    /// dac: use the whole width, where a truncated address may hit what is mapped low (see `explain`).
    #[arg(long)]
    pub(crate) whole: bool,
    /// dac: go beyond a cap of the compatibility list (see `iova compat check`).
    #[arg(long)]
    pub(crate) beyond_list: bool,
    /// Don't end the trial at a fault or a PCIe error, only report it.
    #[arg(long)]
    pub(crate) no_guard: bool,
    /// Keep the policy without asking, if the command exits with 0 and nothing went wrong.
    #[arg(long, requires = "command")]
    pub(crate) keep_if_ok: bool,
    /// For programs that show the trial themselves: a line of JSON for all that happens on standard output, and the
    /// answer (y or n, a line) on standard input at any time; its end is a no.
    #[arg(long, conflicts_with = "command")]
    pub(crate) attended: bool,
    #[command(flatten)]
    pub(crate) reason: Reason,
    /// Try while this command runs.
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ConfirmArgs {
    /// BDF, driver, network interface, block device, or vendor:device.
    #[arg(value_name = "DEVICE")]
    pub(crate) device: String,
    #[command(flatten)]
    pub(crate) reason: Reason,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RevertArgs {
    /// BDF, driver, network interface, block device, or vendor:device.
    #[arg(value_name = "DEVICE", required_unless_present = "all", conflicts_with = "all")]
    pub(crate) devices: Vec<String>,
    /// Every device that is not stock.
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) reason: Reason,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct SetArgs {
    /// BDF, driver, network interface, block device, or vendor:device.
    #[arg(value_name = "DEVICE")]
    pub(crate) device: String,
    /// stock, cap:N, strict32, or dac:N.
    #[arg(value_name = "POLICY")]
    pub(crate) policy: Policy,
    /// Really do it.
    #[arg(long)]
    pub(crate) yes: bool,
    /// And drain the domain's caches.
    #[arg(long)]
    pub(crate) flush: bool,
    /// dac: use the whole width, where a truncated address may hit what is mapped low (see `explain`).
    #[arg(long)]
    pub(crate) whole: bool,
    /// dac: go beyond a cap of the compatibility list (see `iova compat check`).
    #[arg(long)]
    pub(crate) beyond_list: bool,
    #[command(flatten)]
    pub(crate) reason: Reason,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct OneArgs {
    /// BDF, driver, network interface, block device, or vendor:device.
    #[arg(value_name = "DEVICE")]
    pub(crate) device: String,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ReleaseArgs {
    /// BDF, driver, network interface, block device, or vendor:device.
    #[arg(value_name = "DEVICE")]
    pub(crate) device: String,
    #[command(flatten)]
    pub(crate) reason: Reason,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct LogArgs {
    /// Only these: BDF, driver, network interface, block device, or vendor:device.
    #[arg(value_name = "DEVICE")]
    pub(crate) devices: Vec<String>,
    /// Only what is not older than this: 10m, 1h.
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub(crate) since: Option<Duration>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct PersistArgs {
    /// BDF, driver, network interface, block device, or vendor:device.
    #[arg(value_name = "DEVICE")]
    pub(crate) device: String,
    #[command(flatten)]
    pub(crate) reason: Reason,
}
