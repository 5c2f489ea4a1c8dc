//! From a `struct iova_domain *` to its slot. Only slow paths come here, so a hash look-up is cheap enough.

use iova_common::agg::DomainAgg;

use crate::log::log;
use crate::maps::{DOMAIN_SLOTS, DOMAINS, FREE_DOMAIN_SLOTS, lost};

/// This CPU's aggregates of a domain, which gets a slot if it has none yet.
#[inline(always)]
pub fn agg(iovad: u64) -> Option<*mut DomainAgg> {
    slot(iovad).and_then(|slot| DOMAINS.get_ptr_mut(slot))
}

/// The slot of a domain, which gets one if it has none yet.
#[inline(always)]
pub fn slot(iovad: u64) -> Option<u32> {
    if let Some(slot) = known(iovad) {
        return Some(slot);
    }
    let Ok(Some(slot)) = FREE_DOMAIN_SLOTS.pop() else {
        log!(warn, "no slot is left for domain {:x}", half(iovad));
        lost!(no_domain_slot);
        return None;
    };
    if DOMAIN_SLOTS.insert(iovad, slot, u64::from(aya_ebpf::bindings::BPF_NOEXIST)).is_ok() {
        log!(info, "domain {:x} has slot {}", half(iovad), slot);
        return Some(slot);
    }
    let _ = FREE_DOMAIN_SLOTS.push(slot, 0);
    known(iovad)
}

/// This CPU's aggregates of a domain that has a slot.
#[inline(always)]
pub fn known_agg(iovad: u64) -> Option<*mut DomainAgg> {
    known(iovad).and_then(|slot| DOMAINS.get_ptr_mut(slot))
}

/// The slot of a domain that has one already: what is not an IOVA domain must not get one.
#[inline(always)]
pub fn known(iovad: u64) -> Option<u32> {
    DOMAIN_SLOTS.get_ptr(iovad).map(|slot| unsafe { *slot })
}
