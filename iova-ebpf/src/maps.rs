//! All maps. The sizes here are upper bounds or placeholders: user space sets those that depend on the machine.

use aya_ebpf::btf_maps::{Array, HashMap, PerCpuArray, Queue, RingBuf, StackTrace};
use aya_ebpf::macros::btf_map;
use iova_common::agg::{DeviceAgg, DeviceInfo, DomainAgg, Latency, MapAgg, ORDERS, QualityAgg, Recent};
use iova_common::call::Call;
use iova_common::event::Event;

use crate::event::Budget;
use crate::lock::Wait;

/// Aggregates per device slot; slot 0 is "other". Sized to the machine's devices.
#[btf_map]
pub static DEVICES: PerCpuArray<DeviceAgg, 64> = PerCpuArray::new();

/// `struct device *` to its slot and what is known about it.
#[btf_map]
pub static DEVICE_SLOTS: HashMap<u64, DeviceInfo, 4096> = HashMap::new();

/// Slots nobody has yet. Popping is atomic, so two CPUs never give one slot to two devices.
#[btf_map]
pub static FREE_SLOTS: Queue<u32, 4096> = Queue::new();

/// Latencies of unmaps per device slot, where every one is timed (profile `full`).
#[btf_map]
pub static FREES: PerCpuArray<Latency, 64> = PerCpuArray::new();

/// The same where few are timed (profile `default`): one value for all CPUs is less to read, and so rarely changed that
/// they hardly meet. Its maximum may miss a sample when they do.
#[btf_map]
pub static FREE_SAMPLES: Array<Latency, 64> = Array::new();

/// `dma_map` latencies per device slot (profile `full`).
#[btf_map]
pub static MAPS: PerCpuArray<MapAgg, 64> = PerCpuArray::new();

/// Latencies of the watched device's allocations, per order. One entry if no device is watched.
#[btf_map]
pub static WATCHED: PerCpuArray<Latency, { ORDERS }> = PerCpuArray::new();

/// The watched device's last high addresses.
#[btf_map]
pub static RECENT: PerCpuArray<Recent, 1> = PerCpuArray::new();

/// Aggregates per domain slot.
#[btf_map]
pub static DOMAINS: PerCpuArray<DomainAgg, 64> = PerCpuArray::new();

/// Waits for `iova_rbtree_lock` per domain slot (profile `full`).
#[btf_map]
pub static LOCK_WAITS: PerCpuArray<Latency, 64> = PerCpuArray::new();

/// Runs of the flush-queue timer per domain slot. A domain has one timer, which never runs on two CPUs at once: one
/// value for all CPUs is less to read.
#[btf_map]
pub static FQ_TIMERS: Array<Latency, 64> = Array::new();

/// `struct iova_domain *` to its slot.
#[btf_map]
pub static DOMAIN_SLOTS: HashMap<u64, u32, 4096> = HashMap::new();

/// Domain slots nobody has yet.
#[btf_map]
pub static FREE_DOMAIN_SLOTS: Queue<u32, 4096> = Queue::new();

/// The lock this CPU waits for.
#[btf_map]
pub static WAITS: PerCpuArray<Wait, 1> = PerCpuArray::new();

/// How many events this CPU may still send in this second.
#[btf_map]
pub static BUDGET: PerCpuArray<Budget, 1> = PerCpuArray::new();

/// What could not be counted.
#[btf_map]
pub static QUALITY: PerCpuArray<QualityAgg, 1> = PerCpuArray::new();

/// Rare events.
#[btf_map]
pub static EVENTS: RingBuf<Event, { 256 * 1024 }> = RingBuf::new();

/// Single allocations and frees. A page if nobody wants them.
#[btf_map]
pub static CALLS: RingBuf<Call, { 4 << 20 }> = RingBuf::new();

/// Stacks of slow calls (profile `full`).
#[btf_map]
pub static STACKS: StackTrace<1024> = StackTrace::new();

/// Counts something that was lost on this CPU.
macro_rules! lost {
    ($field:ident) => {
        use iova_common::agg::QualityAgg;
        if let Some(quality) = crate::maps::QUALITY.get_ptr_mut(0) {
            crate::asm::add!(quality, QualityAgg.$field, 1);
        }
    };
}
pub(crate) use lost;
