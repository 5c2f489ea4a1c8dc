//! Slots come back: those of devices and domains that are gone are emptied and given out again, so that a host whose devices come and
//! go is counted for ever.
//!
//! A slot is emptied at the second reading that finds its owner gone. By then no CPU is still in a call for it: the kernel takes a
//! device out of its group after its last unmap (`iommu_group_remove_device()`, drivers/iommu/iommu.c), and readings are
//! milliseconds apart at least.

use std::collections::BTreeSet;

use iova_common::agg::{DeviceAgg, DomainAgg, Latency, MapAgg, SLOT_OTHER};

use super::totals::{DevicesRead, Measured};
use super::{ProbeError, Profile, Tracer, attach, read};

/// Owners that were gone at the last reading.
#[derive(Default)]
pub(super) struct Recycler {
    devices: BTreeSet<u32>,
    /// Domains that were there at the last reading, with their slots.
    domains: BTreeSet<(u64, u32)>,
    /// Those that were there at the one before only.
    gone_domains: BTreeSet<(u64, u32)>,
}

impl Recycler {
    /// Slots whose devices were gone at the last reading already.
    fn due_devices(&mut self, gone: BTreeSet<u32>) -> Vec<u32> {
        let due = gone.intersection(&self.devices).copied().collect::<Vec<_>>();
        self.devices = gone.into_iter().filter(|slot| !due.contains(slot)).collect();
        due
    }

    /// The same for domains, given those that have a slot now.
    fn due_domains(&mut self, known: &[(u64, u32)]) -> Vec<(u64, u32)> {
        let now: BTreeSet<_> = known.iter().copied().collect();
        let due: Vec<_> = self.gone_domains.difference(&now).copied().collect();
        self.gone_domains = self.domains.difference(&now).copied().collect();
        self.domains = now;
        due
    }
}

/// Gives back the slots of devices that are gone for a while.
pub(super) fn devices(
    tracer: &mut Tracer,
    measured: Measured,
    figures: &DevicesRead,
) -> Result<(), ProbeError> {
    let totals = &tracer.totals;
    let has_gone = |slot: &u32| *slot != SLOT_OTHER && !totals.alive.contains(slot);
    let gone = totals.infos.keys().copied().filter(has_gone).collect();
    let due = tracer.recycler.due_devices(gone);
    if due.is_empty() {
        return Ok(());
    }
    tracer.totals.close(&due, measured, figures);
    for &slot in &due {
        read::empty::<DeviceAgg>(tracer, "DEVICES", slot)?;
        if tracer.profile >= Profile::Full {
            read::empty::<MapAgg>(tracer, "MAPS", slot)?;
        }
        if tracer.config.free_latency != 0 {
            let map = if tracer.config.free_sample_mask == 0 { "FREES" } else { "FREE_SAMPLES" };
            read::empty::<Latency>(tracer, map, slot)?;
        }
    }
    attach::give_out(&mut tracer.object, "FREE_SLOTS", due)
}

/// The same for domains, given those that have a slot now.
pub(super) fn domains(tracer: &mut Tracer, known: &[(u64, u32)]) -> Result<(), ProbeError> {
    let mut due = tracer.recycler.due_domains(known);
    // A walk through a table that changes may have missed it twice.
    let slots = read::hash::<u64, u32>(&tracer.object, "DOMAIN_SLOTS")?;
    due.retain(|(iovad, slot)| slots.get(iovad, 0).ok().as_ref() != Some(slot));
    if due.is_empty() {
        return Ok(());
    }
    tracer.totals.close_domains(&due);
    let slots: Vec<u32> = due.into_iter().map(|(_, slot)| slot).collect();
    for &slot in &slots {
        read::empty::<DomainAgg>(tracer, "DOMAINS", slot)?;
        read::empty::<Latency>(tracer, "FQ_TIMERS", slot)?;
        if tracer.profile >= Profile::Full {
            read::empty::<Latency>(tracer, "LOCK_WAITS", slot)?;
        }
    }
    attach::give_out(&mut tracer.object, "FREE_DOMAIN_SLOTS", slots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_due_at_the_second_reading_without_it() {
        let mut recycler = Recycler::default();
        assert!(recycler.due_devices([3, 4].into()).is_empty());
        // The fourth came back between two readings: a walk through a table that changes may miss some.
        assert_eq!(recycler.due_devices([3].into()), [3]);
        assert!(recycler.due_devices(BTreeSet::new()).is_empty());
        assert!(recycler.due_devices([4].into()).is_empty());
    }

    #[test]
    fn a_domain_is_due_once() {
        let mut recycler = Recycler::default();
        assert!(recycler.due_domains(&[(0xa, 0), (0xb, 1)]).is_empty());
        assert!(recycler.due_domains(&[(0xa, 0)]).is_empty());
        assert_eq!(recycler.due_domains(&[(0xa, 0)]), [(0xb, 1)]);
        assert!(recycler.due_domains(&[(0xa, 0)]).is_empty());
        // The slot is another domain's now.
        assert!(recycler.due_domains(&[(0xa, 0), (0xc, 1)]).is_empty());
        assert!(recycler.due_domains(&[(0xc, 1)]).is_empty());
        assert_eq!(recycler.due_domains(&[(0xc, 1)]), [(0xa, 0)]);
    }

    #[test]
    fn a_domain_that_a_walk_missed_keeps_its_slot() {
        let mut recycler = Recycler::default();
        assert!(recycler.due_domains(&[(0xa, 0)]).is_empty());
        assert!(recycler.due_domains(&[]).is_empty());
        assert!(recycler.due_domains(&[(0xa, 0)]).is_empty());
        assert!(recycler.due_domains(&[(0xa, 0)]).is_empty());
    }
}
