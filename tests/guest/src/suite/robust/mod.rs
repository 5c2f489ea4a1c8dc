//! Bad input and hard cases: each ends with one clear sentence and the documented exit code, without a panic, and
//! leaves nothing attached (which [`run`] checks after every single run of `iova`).

mod bpf;
mod cost;
mod ends;
mod hosts;
pub(crate) mod hotplug;
mod kernel;
mod load;
pub(crate) mod maps;
mod pair;
mod rights;
pub(crate) mod run;
mod sandbox;
mod strings;
mod symbols;
mod terminal;
mod usage;

use crate::Test;

/// Where the lab has its devices.
const NIC: &str = "0000:00:03.0";
pub(crate) const NVME: &str = "0000:00:04.0";
/// The SATA controller: in the lab nothing ever uses it.
const IDLE: &str = "0000:00:1f.2";

/// What no kernel has a part in.
pub(crate) const USAGE: &[(&str, Test)] = &[
    ("robust.wrong_usage", usage::wrong_usage),
    ("robust.unknown_device_offers_the_nearest", usage::unknown_device),
    ("robust.command_that_cannot_run_or_is_killed", usage::commands),
    ("robust.output_that_cannot_be_written", terminal::outputs),
    ("robust.idle_device_on_20_columns_without_stdin", terminal::narrow),
    ("robust.hostile_names_reach_no_terminal", strings::hostile_names),
];

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("robust.symbols_by_index_and_listing", symbols::both_ways),
    ("robust.hooks_inlined_away", kernel::inlined),
    ("robust.memory_and_first_sample", cost::memory_and_first_sample),
    ("robust.maps_take_what_doctor_says", maps::take_what_doctor_says),
    ("robust.devices_removed_and_added", hotplug::removed_and_added),
];

/// What the oldest kernel and the newest may see differently.
pub(crate) const RIGHTS_AND_ENDS: &[(&str, Test)] = &[
    ("robust.unprivileged", rights::unprivileged),
    ("robust.missing_capabilities", rights::capabilities),
    ("robust.kernel_without_btf", kernel::without_btf),
    ("robust.file_systems_not_mounted", kernel::without_file_systems),
    ("robust.interrupt_still_reports", ends::interrupt),
    ("robust.terminate_still_reports", ends::terminate),
    ("robust.kill_leaves_nothing_attached", ends::kill),
    ("robust.two_at_once", pair::two_at_once),
];

/// Measurements that a kernel with PREEMPT_RT does not give.
pub(crate) const REALTIME: &[(&str, Test)] =
    &[("robust.waits_that_sleep_are_not_measured", hosts::waits_that_sleep)];

pub(crate) const STRICT: &[(&str, Test)] = &[("robust.strict", hosts::strict)];

pub(crate) const PASSTHROUGH: &[(&str, Test)] = &[("robust.passthrough", hosts::passthrough)];

pub(crate) const OFF: &[(&str, Test)] = &[("robust.no_iommu", hosts::no_iommu)];

pub(crate) const LOCKDOWN: &[(&str, Test)] = &[
    ("robust.lockdown_counts_on", hosts::lockdown),
    ("robust.lockdown_device_removed_and_added", hotplug::in_lockdown),
    ("robust.lockdown_unprivileged", rights::unprivileged_in_lockdown),
];
