//! The row of boots, and what must be true in each.

use anyhow::{Result, bail};

use crate::{policy, system};

/// One check; what it gives are remarks for the reader, lines that begin with `#`.
pub(crate) type Check = (&'static str, fn() -> Result<String>);

/// Nothing is persisted: everything is as if there were no units. A trial is confirmed, and persisted.
const FIRST: &[Check] = &[
    ("units_are_skipped", system::units_are_skipped),
    ("system_is_up", system::is_up),
    ("units_are_sound", system::units_are_sound),
    ("device_is_stock", policy::is_stock),
    ("stock_is_not_persisted", policy::stock_is_not_persisted),
    ("trial_is_kept", policy::trial_is_kept),
    ("policy_is_persisted", policy::is_persisted),
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

/// The checks of a boot.
pub(crate) fn of(boot: &str) -> Result<&'static [Check]> {
    Ok(match boot {
        "first" => FIRST,
        "restored" => RESTORED,
        "dies-1" => DIES_1,
        "dies-2" => DIES_2,
        "skipped" => SKIPPED,
        "forgotten" => FORGOTTEN,
        _ => bail!("there is no boot {boot}"),
    })
}

/// Whether it never comes up.
pub(crate) fn fails(boot: &str) -> bool {
    boot.starts_with("dies")
}
