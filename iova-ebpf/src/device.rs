//! From a `struct device *` to its slot.

use iova_common::agg::{DeviceAgg, DeviceInfo, SLOT_OTHER, sac};
use iova_common::config::sac as sac_told_by;
use iova_common::event::Kind;

use crate::asm::{low32, masked};
use crate::event;
use crate::kernel::{Ptr, config, field, group_of, offset};
use crate::log::log;
use crate::maps::{DEVICE_SLOTS, DEVICES, FREE_SLOTS, lost};

/// Direct-mapped hints in front of [`DEVICE_SLOTS`]: hashed device pointer to slot. A wrong hint costs a hash look-up,
/// never a wrong count: the slot itself knows its device. (In `.bss`, because a look-up in a map costs four times as
/// much as an index.)
static mut SLOT_HINTS: [u32; HINTS as usize] = [SLOT_OTHER; HINTS as usize];

const HINTS: u64 = 1024;

/// The hint for `dev`. `struct device` sits in slab objects of 1 KiB and more, so the lowest bits say nothing.
#[inline(always)]
fn hint(dev: Ptr) -> *mut u32 {
    let index = masked::<{ HINTS - 1 }>(low32(dev) >> 10);
    unsafe { (&raw mut SLOT_HINTS).cast::<u32>().add(index as usize) }
}

/// This CPU's counters of `dev`. `heeds_buses` says whether its calls heed `bus_dma_limit` and try below 4 GiB first only for PCI
/// devices; `iovad` tells which domain it allocates from, and is called for a device's first use only.
#[inline(always)]
pub fn slot(dev: Ptr, heeds_buses: bool, iovad: impl FnOnce() -> Ptr) -> Option<*mut DeviceAgg> {
    let number = unsafe { hint(dev).read_volatile() };
    let agg = DEVICES.get_ptr_mut(number)?;
    if unsafe { (*agg).dev } == dev as u64 {
        return Some(agg);
    }
    let agg = first_use(dev, u64::from(heeds_buses), iovad());
    if agg.is_null() { None } else { Some(agg) }
}

/// The slow way, once per device, CPU and collision of hints. A subprogram, so that the usual way keeps few registers.
#[cold]
#[inline(never)]
fn first_use(dev: Ptr, heeds_buses: u64, iovad: Ptr) -> *mut DeviceAgg {
    let number = find_or_assign(dev, iovad);
    let Some(agg) = DEVICES.get_ptr_mut(number) else { return core::ptr::null_mut() };
    unsafe {
        (*agg).slot = number;
        (*agg).sac = when_sac(dev, heeds_buses);
        if number == SLOT_OTHER {
            log!(warn, "no slot is left for device {:x}", half(dev as u64));
            lost!(no_slot);
        } else {
            hint(dev).write_volatile(number);
            (*agg).dev = dev as u64;
        }
    }
    agg
}

/// Condition for the kernel to try below 4 GiB first for `dev`, as far as that never changes.
#[inline(always)]
fn when_sac(dev: Ptr, heeds_buses: u64) -> u32 {
    let told_by = config!(sac);
    if told_by == sac_told_by::NEVER {
        return sac::SEARCHED;
    }
    if heeds_buses == 0 {
        return sac::ALWAYS;
    }
    let limit = field::<u64>(dev, offset!(device_bus_dma_limit)).unwrap_or(0);
    if limit != 0 && limit >> 32 == 0 {
        return sac::CONFINED;
    }
    if told_by == sac_told_by::FLAG {
        return sac::FLAG;
    }
    let bus = field::<Ptr>(dev, offset!(device_bus)).unwrap_or(core::ptr::null());
    if low32(bus) == config!(pci_bus) { sac::ALWAYS } else { sac::SEARCHED }
}

/// The number of a device's slot.
#[inline(always)]
fn find_or_assign(dev: Ptr, iovad: Ptr) -> u32 {
    let key = dev as u64;
    if let Some(info) = DEVICE_SLOTS.get_ptr(key) {
        return unsafe { (*info).slot };
    }
    let Ok(Some(number)) = FREE_SLOTS.pop() else {
        return SLOT_OTHER;
    };
    let info = DeviceInfo { dev: key, iovad: iovad as u64, group: group_of(dev), slot: number };
    if DEVICE_SLOTS.insert(key, info, u64::from(aya_ebpf::bindings::BPF_NOEXIST)).is_ok() {
        log!(info, "device {:x} of group {} has slot {}", half(key), info.group, number);
        let arg = info.group as u64;
        event::send(
            Kind::DeviceNew,
            event::Facts { dev: key, iovad: info.iovad, arg, slot: number, ..event::Facts::NONE },
        );
        return number;
    }
    // Another CPU was first, or the table is full.
    let _ = FREE_SLOTS.push(number, 0);
    DEVICE_SLOTS.get_ptr(key).map_or(SLOT_OTHER, |info| unsafe { (*info).slot })
}

/// Forgets a device that is being removed, so that another one at the same address gets a slot of its own.
#[inline(always)]
pub fn forget(dev: Ptr) {
    let key = dev as u64;
    // Told of idle devices too: the next one may be at the same address.
    let number = DEVICE_SLOTS.get_ptr(key).map_or(SLOT_OTHER, |info| unsafe { (*info).slot });
    event::send(Kind::DeviceGone, event::Facts { dev: key, slot: number, ..event::Facts::NONE });
    if number == SLOT_OTHER {
        return;
    }
    log!(info, "device {:x} is gone, slot {} is free", half(key), number);
    let _ = DEVICE_SLOTS.remove(key);
    unsafe { hint(dev).write_volatile(SLOT_OTHER) };
}
