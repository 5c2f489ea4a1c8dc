//! The row of boots, and what must be true in each.

use anyhow::{Result, bail};

use crate::{advice, export, list, policy, system, whodunit};

/// One check; what it gives are remarks for the reader, lines that begin with `#`.
pub(crate) type Check = (&'static str, fn() -> Result<String>);

/// Nothing is persisted: everything is as if there were no units. A trial is confirmed, and persisted. Then metrics are asked for.
const FIRST: &[Check] = &[
    ("units_are_skipped", system::units_are_skipped),
    ("system_is_up", system::is_up),
    ("units_are_sound", system::units_are_sound),
    ("device_is_stock", policy::is_stock),
    ("stock_is_not_persisted", policy::stock_is_not_persisted),
    ("trial_is_kept", policy::trial_is_kept),
    ("policy_is_persisted", policy::is_persisted),
    ("export_is_enabled", export::is_enabled),
    ("export_answers", export::answers),
    ("export_has_no_rights", export::has_no_rights),
    ("export_is_closed", export::is_closed),
    ("export_stops_and_starts", export::stops_and_starts),
];

/// The policy is back, and the boot counts as good.
const RESTORED: &[Check] = &[
    ("system_is_up", system::is_up),
    ("policy_is_in_force", policy::is_in_force),
    ("was_marked_before_the_end", policy::was_marked),
    ("mark_is_cleared", policy::has_no_mark),
    ("log_says_so", policy::log_has_restore),
    ("disk_can_be_read", policy::disk_can_be_read),
];

/// The machine dies after the policy was applied, twice.
const DIES_1: &[Check] =
    &[("policy_is_in_force", policy::is_in_force), ("is_marked", || policy::has_mark(1))];
const DIES_2: &[Check] =
    &[("policy_is_in_force", policy::is_in_force), ("is_marked", || policy::has_mark(2))];

/// It is not tried a third time, and says why; then it is forgotten.
const SKIPPED: &[Check] = &[
    ("system_is_up", system::is_up),
    ("device_is_stock", policy::is_stock),
    ("marks_are_kept", || policy::has_mark(2)),
    ("journal_says_why", policy::journal_says_why),
    ("log_says_why", policy::log_says_why),
    ("is_forgotten", policy::is_forgotten),
];

/// As in the first boot.
const FORGOTTEN: &[Check] = &[
    ("units_are_skipped", system::units_are_skipped),
    ("system_is_up", system::is_up),
    ("device_is_stock", policy::is_stock),
];

/// The compatibility list's files for udev are installed, and enabled.
const CAPPED: &[Check] = &[
    ("system_is_up", system::is_up),
    ("cold_boot_is_capped", list::cold_boot_is_capped),
    ("udev_knows_why", list::udev_knows_why),
    ("revision_is_asked_for", list::revision_is_asked_for),
    ("iova_knows_why", list::iova_knows_why),
    ("disk_can_be_read", policy::disk_can_be_read),
    ("hot_plug_is_capped", list::hot_plug_is_capped),
    ("disk_can_be_read_again", policy::disk_can_be_read),
];

/// After a boot trial.
const STOCK_AGAIN: &[Check] = &[
    ("system_is_up", system::is_up),
    ("devices_are_stock", whodunit::is_stock),
    ("nothing_is_under_way", whodunit::nothing_is_under_way),
];

/// Everything is strict; the disk is measured, and the advice for it followed while it is in use.
const MEASURED: &[Check] = &[
    ("system_is_up", system::is_up),
    ("host_is_strict", advice::host_is_strict),
    ("advice_is_written", advice::advice_is_written),
    ("small_requests_keep_their_word", advice::small_requests_keep_their_word),
    ("advice_applies_at_once", advice::applies_at_once),
    ("disk_can_be_read", policy::disk_can_be_read),
    ("advice_can_be_taken_back", advice::can_be_taken_back),
];

/// The same host, with the files in place from the beginning.
const ADVISED: &[Check] = &[
    ("system_is_up", system::is_up),
    ("cold_boot_has_it", advice::cold_boot_has_it),
    ("lazy_mode_keeps_its_word", advice::lazy_mode_keeps_its_word),
];

/// The same host, with a fleet's files.
const FLEET: &[Check] = &[
    ("system_is_up", system::is_up),
    ("cold_boot_has_it", advice::cold_boot_has_it),
    ("udev_knows_kind", advice::udev_knows_kind),
];

/// The checks of a boot.
pub(crate) fn of(boot: &str) -> Result<&'static [Check]> {
    Ok(match boot {
        "first" => FIRST,
        "restored" => RESTORED,
        "dies-1" => DIES_1,
        "dies-2" => DIES_2,
        "skipped" => SKIPPED,
        "forgotten" => FORGOTTEN,
        "capped" => CAPPED,
        "stock-again" => STOCK_AGAIN,
        "measured" => MEASURED,
        "advised" => ADVISED,
        "fleet" => FLEET,
        _ => bail!("there is no boot {boot}"),
    })
}

/// Whether it never comes up.
pub(crate) fn fails(boot: &str) -> bool {
    boot.starts_with("dies")
}
