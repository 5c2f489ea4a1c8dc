//! Proving how wide the addresses of a device may be on its path: the library under `iova verify`.
//!
//! A walk from narrow to wide. Each step gives the device a new, empty domain and the policy `dac:N`, under which every
//! address has bit N-1, and below it bits that earlier steps have proved; then the device works. Nothing is mapped
//! where an address points that has lost high bits, so the IOMMU refuses it, and the address it reports tells how many
//! bits came through.
//!
//! - [`Facts`] and [`check`]: whether that can be done to this device at all, and what to do if not;
//! - [`Ladder`] and [`next`]: which step comes next, or the [`Verdict`], out of the steps so far;
//! - [`judge`] and [`Seen`]: what a step came to, out of what was seen in it;
//! - [`Aliases`]: would a truncated address hit something that is mapped, so that nobody hears of it?
//! - [`Journal`]: all of that on disk, each line before what it announces is done;
//! - [`disk`]: what is mounted, and which partition is which;
//! - [`stamp`]: blocks that say where they belong.
//!
//! Nothing here changes the host.

mod alias;
mod check;
pub mod disk;
mod facts;
mod journal;
mod judge;
mod ladder;
mod record;
pub mod stamp;
mod verdict;
mod walk;

pub use alias::{Alias, Aliases};
pub use check::{Check, check};
pub use facts::Facts;
pub use journal::{Begun, Entry, Event, Journal, JournalError, Past, journals};
pub use judge::{Seen, judge};
pub use ladder::{Bound, Ladder};
pub use record::{Addresses, Outcome, Purpose, StepRecord, Work};
pub use verdict::{Basis, Verdict};
pub use walk::{Next, next};

/// Every device that works at all reaches these: what the kernel hands out by itself lies there.
pub const FIRST: u8 = 32;

/// Widest `dac` of the module (`IOVP_DAC_MAX`).
pub const LAST: u8 = 57;

/// The least address of `dac:N` with the module's own window (`iovp_base()`, iova-kmod/policy.c): bit N-1, and all from
/// bit 32 on but N-2.
pub fn least(width: u8) -> u64 {
    let bit = |number: u8| 1_u64.checked_shl(number.into()).unwrap_or(0);
    match width {
        0..=FIRST => 0,
        33 | 34 => bit(width - 1),
        _ => bit(width - 1) | (bit(width - 2) - bit(32)),
    }
}

/// The highest address of such a step, inclusive; of a step of 32 bits what the kernel may choose by itself.
pub fn limit(width: u8) -> u64 {
    if width <= FIRST {
        u64::from(u32::MAX)
    } else {
        least(width) + u64::from(super::explain::Window::DEFAULT_TOP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_of_a_step_has_its_bit() {
        assert_eq!((least(32), limit(32)), (0, 0xffff_ffff));
        assert_eq!((least(33), least(34), least(36)), (1 << 32, 1 << 33, 0xb_0000_0000));
        assert_eq!((least(40), limit(40)), (0xbf_0000_0000, 0xbf_7fff_ffff));
        for width in 33..=LAST {
            assert_eq!(64 - least(width).leading_zeros(), u32::from(width));
            assert_eq!(64 - limit(width).leading_zeros(), u32::from(width));
        }
    }
}
