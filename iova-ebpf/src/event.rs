//! Rare events, within a budget per CPU and second.

use aya_ebpf::helpers::{bpf_get_smp_processor_id, bpf_ktime_get_ns};
use iova_common::event::{Event, Kind};

use crate::kernel::config;
use crate::maps::{BUDGET, EVENTS, lost};

const SECOND: u64 = 1_000_000_000;

/// What this CPU may still send.
#[repr(C)]
pub struct Budget {
    /// When the current second began.
    since: u64,
    /// Events sent in it, faults not counted.
    sent: u64,
    /// Faults sent in it: a storm of failed allocations must not hide them, nor the other way round.
    faults: u64,
}

/// What is known about an event; see [`Event`] for the fields.
#[derive(Clone, Copy)]
pub struct Facts {
    pub dev: u64,
    pub iovad: u64,
    pub addr: u64,
    pub size: u64,
    pub arg: u64,
    pub slot: u32,
    pub stack: i32,
}

impl Facts {
    /// Nothing known.
    pub const NONE: Self = Self { dev: 0, iovad: 0, addr: 0, size: 0, arg: 0, slot: 0, stack: -1 };
}

/// True if one more event of this kind fits the budget.
#[inline(always)]
fn allowed(now: u64, fault: bool) -> bool {
    let Some(budget) = BUDGET.get_ptr_mut(0) else { return false };
    let budget = unsafe { &mut *budget };
    if now.wrapping_sub(budget.since) > SECOND {
        budget.since = now;
        budget.sent = 0;
        budget.faults = 0;
    }
    let sent = if fault { &mut budget.faults } else { &mut budget.sent };
    *sent += 1;
    *sent <= config!(events_per_second)
}

/// Sends an event, or counts that it was not sent.
#[inline(always)]
pub fn send(kind: Kind, facts: Facts) {
    let ns = unsafe { bpf_ktime_get_ns() };
    let fault = matches!(kind, Kind::Fault | Kind::FaultIntel);
    if !allowed(ns, fault) {
        if fault {
            lost!(faults_limited);
        } else {
            lost!(events_limited);
        }
        return;
    }
    let Some(mut entry) = EVENTS.reserve(0) else {
        lost!(events_lost);
        return;
    };
    let Facts { dev, iovad, addr, size, arg, slot, stack } = facts;
    let cpu = unsafe { bpf_get_smp_processor_id() };
    entry.write(Event { ns, dev, iovad, addr, size, arg, kind: kind as u32, cpu, slot, stack });
    entry.submit(0);
}
