//! The control interface: the module iova_policy and `iova policy`, judged by what the kernel then does.

mod abi;
mod advise;
mod attempt;
mod audit;
mod cap;
mod cliff;
pub(crate) mod device;
mod disk;
pub(crate) mod edu;
mod failslab;
mod faults;
mod fuzz;
mod guard;
pub(crate) mod host;
mod lease;
mod life;
mod listed;
mod off;
mod pressure;
mod promise;
mod screen;
mod selfcheck;
mod slab;
mod stock;
mod storm;
mod syscall_stop;
mod tool;
mod uevent;

pub(crate) use self::audit::{deaf as audit_deaf, writers as audit_writers};
pub(crate) use self::lease::hold as hold_lease;
use crate::Test;

/// In a boot with the option that was advised in the one before.
pub(crate) const ADVISED: &[(&str, Test)] =
    &[("policy_advise.boot_option_keeps_its_word", advise::boot_option_kept)];

// One boot has all of those that follow, in an order in which none spoils what a later one needs.

pub(crate) const STOCK: &[(&str, Test)] = &[
    ("policy_try.load_finds_a_wrong_block", disk::load_finds_a_wrong_block),
    ("policy_stock.addresses_are_the_same", stock::addresses),
];

pub(crate) const ABI: &[(&str, Test)] = &[
    ("policy_abi.files_are_the_documented_ones", abi::files),
    ("policy_abi.requests_are_the_documented_ones", abi::requests),
];

pub(crate) const TRY: &[(&str, Test)] = &[
    ("policy_try.moves_the_disk_and_back", attempt::there_and_back),
    ("policy_try.refusals_are_clear", attempt::refusals),
    ("policy_try.kill_reverts", attempt::killed),
    ("policy_try.expiry_reverts", attempt::expired),
];

/// A trial is tested on every kernel by [`TRY`], the screen before it once.
pub(crate) const SCREEN: &[(&str, Test)] =
    &[("policy_top.tried_kept_and_taken_back", screen::tried), ("policy_top.killed", screen::killed)];

pub(crate) const CAPS: &[(&str, Test)] = &[
    ("policy_cap.32_bits", cap::low),
    ("policy_cap.36_bits", cap::middle),
    ("policy_cap.43_bits", cap::high),
    ("policy_list.caps_are_the_modules_own", listed::caps),
];

pub(crate) const CURES: &[(&str, Test)] =
    &[("policy_cliff.is_cured", cliff::cured), ("policy_advise.keeps_its_word", advise::kept)];

pub(crate) const LIFE: &[(&str, Test)] = &[
    ("policy_life.rebind", life::rebind),
    ("policy_life.removed_and_added", life::replugged),
    ("policy_life.unload", life::unload),
    ("policy_life.the_same_again_is_no_news", life::same_again),
    ("policy_life.a_full_audit_log_holds_nothing_up", audit::full_backlog),
    ("policy_life.a_lease_ends_while_space_is_being_held", promise::while_space_is_held),
    ("policy_life.off_ends_everything", off::ends_everything),
    ("policy_life.quarantine_and_cap_outlive_the_device", off::outlives_the_device),
];

/// For a guest whose clock counts instructions.
pub(crate) const PROMISE: &[(&str, Test)] = &[("policy_promise.leases_end_on_time", promise::on_time)];

/// The same while others hold everything up that can be held up.
pub(crate) const PRESSED: &[(&str, Test)] = &[
    ("policy_promise.leases_end_on_time_with_a_full_console", promise::on_time_with_a_full_console),
    ("policy_promise.leases_end_on_time_under_pressure", promise::on_time_under_pressure),
];

/// For a guest whose devices begin in identity domains.
pub(crate) const PASSTHROUGH: &[(&str, Test)] =
    &[("policy_cap.waits_for_a_domain", off::cap_waits_for_a_domain)];

pub(crate) const FAULTS: &[(&str, Test)] =
    &[("policy_guard.faults_from_four_threads", faults::from_four_threads)];

pub(crate) const FUZZ: &[(&str, Test)] =
    &[("policy_fuzz.requests", fuzz::requests), ("policy_fuzz.files", fuzz::files)];

pub(crate) const GUARD: &[(&str, Test)] = &[
    ("policy_guard.without_care_a_bystander_is_corrupted", guard::corrupted),
    ("policy_guard.the_window_keeps_the_bystander", guard::window),
    ("policy_guard.a_fault_reverts_and_quarantines", guard::fault),
    ("policy_guard.evidence_outlives_the_caches", guard::drained),
    ("policy_guard.a_late_look_still_quarantines", guard::late),
    ("policy_guard.a_fault_after_the_last_look_still_quarantines", guard::after_last_look),
    // The last: not every emulated device wakes up.
    ("policy_life.no_lease_begins_before_sleep", life::no_lease_before_sleep),
    ("policy_life.suspend", life::suspend),
];

/// For guests whose edu device keeps another number of bits.
pub(crate) const EDU: &[(&str, Test)] = &[
    ("policy_guard.without_care_a_bystander_is_corrupted", guard::corrupted),
    ("policy_guard.the_window_keeps_the_bystander", guard::window),
    ("policy_guard.a_fault_reverts_and_quarantines", guard::fault),
    ("policy_guard.evidence_outlives_the_caches", guard::drained),
];

/// For kernels whose allocations can be made to fail.
pub(crate) const FAILSLAB: &[(&str, Test)] = &[
    ("policy_failslab.every_allocation_of_an_entry", failslab::every_allocation),
    ("policy_failslab.one_allocation_in_ten", failslab::one_in_ten),
];

/// For guests whose kernel checks every object that it allocates.
pub(crate) const STORM: &[(&str, Test)] = &[("policy_storm.leaves_nothing_behind", storm::storm)];
