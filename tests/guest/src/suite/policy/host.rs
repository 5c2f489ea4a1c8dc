//! What this guest is, and what its kernel must therefore offer. The tests don't ask the module what it can do: one
//! that says "nothing" would pass them all.

use std::env;

fn is(name: &str, value: &str) -> bool {
    env::var(name).is_ok_and(|is| is == value)
}

/// QEMU's AMD-Vi blocks a write to an address that is not mapped, but tells nobody.
pub(crate) fn reports_faults() -> bool {
    !is("IOVA_LAB_IOMMU", "amd")
}

/// On 5.10 the emulated disk's interrupts are gone after a sleep of the devices, without our module as with it: its
/// driver waits for 30 seconds, resets it in vain, and removes it.
pub(super) fn disk_wakes_up() -> bool {
    !is("IOVA_LAB_KERNEL", "5.10")
}

/// Where addresses below 4 GiB are that no mapping ever gets, the windows of host bridges, one that was cut short can
/// always be made to hit nothing. VT-d on 5.10 does not reserve them.
pub(super) fn low_space_has_holes() -> bool {
    !(is("IOVA_LAB_KERNEL", "5.10") && is("IOVA_LAB_IOMMU", "intel"))
}

/// The bits that the edu device keeps.
pub(super) fn edu_bits() -> u32 {
    let mask = env::var("IOVA_LAB_EDU_MASK").ok();
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim_start_matches("0x"), 16).ok());
    mask.unwrap_or(u64::from(u32::MAX)).trailing_ones()
}
