//! From a `struct device *` to its slot.

use iova_common::agg::{DeviceAgg, DeviceInfo, SLOT_OTHER};
use iova_common::event::Kind;

use crate::asm::{low32, masked};
use crate::event;
use crate::kernel::{Ptr, group_of};
use crate::maps::{DEVICE_SLOTS, DEVICES, FREE_SLOTS, lost};

/// A device's aggregates on this CPU.
pub struct Slot {
    /// Its number.
    pub number: u32,
    /// Its counters.
    pub agg: *mut DeviceAgg,
}

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

/// The slot of `dev`. `iovad` tells which domain it allocates from and is called for a device's first use only.
#[inline(always)]
pub fn slot(dev: Ptr, iovad: impl FnOnce() -> Ptr) -> Option<Slot> {
    let hint = hint(dev);
    let number = unsafe { hint.read_volatile() };
    let agg = DEVICES.get_ptr_mut(number)?;
    if unsafe { (*agg).dev } == dev as u64 {
        return Some(Slot { number, agg });
    }
    let number = find_or_assign(dev, iovad);
    let agg = DEVICES.get_ptr_mut(number)?;
    if number == SLOT_OTHER {
        lost!(no_slot);
    } else {
        unsafe {
            hint.write_volatile(number);
            (*agg).dev = dev as u64;
        }
    }
    Some(Slot { number, agg })
}

/// The slow way, once per device, CPU and collision of hints.
#[inline(always)]
fn find_or_assign(dev: Ptr, iovad: impl FnOnce() -> Ptr) -> u32 {
    let key = dev as u64;
    if let Some(info) = DEVICE_SLOTS.get_ptr(key) {
        return unsafe { (*info).slot };
    }
    let Ok(Some(number)) = FREE_SLOTS.pop() else {
        return SLOT_OTHER;
    };
    let info = DeviceInfo { dev: key, iovad: iovad() as u64, group: group_of(dev), slot: number };
    if DEVICE_SLOTS.insert(key, info, u64::from(aya_ebpf::bindings::BPF_NOEXIST)).is_ok() {
        event::send(
            Kind::DeviceNew,
            event::Facts {
                dev: key,
                iovad: info.iovad,
                arg: info.group as u64,
                slot: number,
                ..event::Facts::NONE
            },
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
    let _ = DEVICE_SLOTS.remove(key);
    unsafe { hint(dev).write_volatile(SLOT_OTHER) };
}
