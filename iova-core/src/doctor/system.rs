//! The machine and its kernel.

use super::{Ability, State, rights};
use crate::inventory::{DomainType, Inventory};
use crate::kernel::{Kernel, KernelError, Lockdown, Root};
use crate::metric::grouped;
use crate::probe::{self, Demand, Footprint, Profile};

const ALL: &str = "everything: measuring, allocator state, device policy";
const STATE: &str = "allocator state: tree, caches, flush queues, largest gap; and the policy of each device";

pub(super) fn iommu(inventory: &Inventory) -> Ability {
    let kinds = inventory.host.iommu.join(", ");
    if !kinds.is_empty() {
        return Ability::ok("iommu", kinds);
    }
    Ability::lacking(
        State::Missing,
        "iommu",
        "no IOMMU is in use",
        "there is nothing to see: without an IOMMU no IOVA is ever allocated",
        "switch VT-d or AMD-Vi on in the firmware, and boot with intel_iommu=on (Intel)",
    )
}

pub(super) fn translation(inventory: &Inventory) -> Ability {
    let name = "translation";
    let all = inventory.devices.len();
    let translated = |kind| matches!(kind, DomainType::Dma | DomainType::DmaFq);
    let some = inventory.devices.iter().filter(|device| translated(device.domain_type)).count();
    let found = format!("{some} of {all} devices are translated");
    match some {
        0 => Ability::lacking(
            State::Missing,
            name,
            found,
            "there is nothing to see: passthrough allocates no IOVA",
            "boot with iommu.passthrough=0, or write DMA-FQ to /sys/kernel/iommu_groups/N/type of an unbound device",
        ),
        some if some == all => Ability::ok(name, found),
        _ => Ability::lacking(
            State::Limited,
            name,
            found,
            "devices in passthrough never show up in a measurement",
            "",
        ),
    }
}

pub(super) fn types(kernel: Result<&Kernel, &KernelError>) -> Ability {
    match kernel {
        Ok(kernel) => Ability::ok("btf", format!("{} types", kernel.btf.len())),
        Err(error @ KernelError::Symbols(_)) => {
            let found = format!("not looked at: {error}");
            Ability::lacking(State::Limited, "btf", found, ALL, "see symbols")
        }
        Err(error) => Ability::lacking(
            State::Missing,
            "btf",
            error.to_string(),
            ALL,
            "use a kernel with CONFIG_DEBUG_INFO_BTF=y",
        ),
    }
}

pub(super) fn symbols(kernel: Result<&Kernel, &KernelError>) -> Ability {
    let name = "symbols";
    match kernel {
        Ok(kernel) if kernel.symbols.hidden() => Ability::lacking(
            State::Limited,
            name,
            "/proc/kallsyms shows names, but no addresses",
            STATE,
            "run as root with CAP_SYSLOG, or set kernel.kptr_restrict to 1 or 0",
        ),
        Ok(_) => Ability::ok(name, "/proc/kallsyms shows names and addresses"),
        Err(error @ KernelError::Symbols(_)) => Ability::lacking(
            State::Missing,
            name,
            error.to_string(),
            ALL,
            "mount procfs; use a kernel with CONFIG_KALLSYMS=y",
        ),
        Err(_) => Ability::lacking(
            State::Limited,
            name,
            "not looked at: there is no BTF to use them with",
            ALL,
            "see btf",
        ),
    }
}

pub(super) fn lockdown(root: &Root) -> Ability {
    let name = "lockdown";
    match Lockdown::read(root) {
        Lockdown::None if !root.exists("sys/kernel/security/lockdown") => {
            Ability::ok(name, "none known (no lockdown in this kernel, or securityfs is not mounted)")
        }
        Lockdown::None => Ability::ok(name, "none"),
        Lockdown::Integrity => Ability::ok(name, "integrity: nothing `iova` reads is blocked by it"),
        Lockdown::Confidentiality => Ability::lacking(
            State::Limited,
            name,
            "confidentiality: kernel memory is closed, /proc/kcore and eBPF's way to read it; counting and timing go on",
            "allocator state, the policy of each device, and the faults of VT-d",
            "boot with lockdown=integrity, or none",
        ),
    }
}

pub(super) fn memory(kernel: Result<&Kernel, &KernelError>) -> Ability {
    let name = "kcore";
    match kernel.map(Kernel::kcore) {
        Ok(Ok(_)) => Ability::ok(name, "/proc/kcore is readable"),
        Ok(Err(error)) => Ability::lacking(State::Missing, name, error.to_string(), STATE, remedy(&error)),
        Err(_) => Ability::lacking(
            State::Limited,
            name,
            "not looked at: there is no BTF to use it with",
            STATE,
            "see btf",
        ),
    }
}

/// What measuring takes of the kernel's memory: known before anything is loaded.
pub(super) fn map_memory(inventory: &Inventory) -> Ability {
    let name = "map memory";
    let demand = Demand::of(inventory);
    let of = |profile| probe::footprint(demand, profile);
    let (Some(default), Some(full)) = (of(Profile::Default), of(Profile::Full)) else {
        return Ability::ok(name, "not known: this binary was built without its eBPF programs");
    };
    Ability::ok(name, map_memory_text(demand, default, full.bytes))
}

fn map_memory_text(demand: Demand, default: Footprint, full_bytes: u64) -> String {
    let Footprint { slots, value_bytes, cpus, bytes } = default;
    let counters = default.slot_bytes();
    format!(
        "`iova report` takes {} bytes for its maps: {slots} slots x {value_bytes} bytes x {cpus} possible CPUs = {}, and {} for the \
         rest; with --profile full {} bytes. Slots: {} for devices with a driver, {} for others and later ones, 1 for all that \
         find none",
        grouped(bytes),
        grouped(counters),
        grouped(bytes.saturating_sub(counters)),
        grouped(full_bytes),
        demand.mapping,
        slots.saturating_sub(demand.mapping + 1),
    )
}

fn remedy(error: &KernelError) -> &'static str {
    match error {
        KernelError::NotPermitted => "run as root (sudo iova …)",
        KernelError::LockedDown => "boot with lockdown=integrity, or none",
        _ => "use a kernel with CONFIG_PROC_KCORE=y, and mount procfs",
    }
}

/// fentry and fexit programs need trampolines, and those the JIT.
pub(super) fn trampolines(kernel: &Kernel) -> Ability {
    let name = "fentry";
    let lost = "all measuring: counts, latencies, failures, faults";
    if !kernel.symbols.exists("arch_prepare_bpf_trampoline") {
        let remedy = "use a kernel with CONFIG_BPF_JIT=y on x86-64, or 6.0 or later on arm64";
        return Ability::lacking(
            State::Missing,
            name,
            "this kernel can't make eBPF trampolines",
            lost,
            remedy,
        );
    }
    if kernel.root.number("proc/sys/net/core/bpf_jit_enable") == Some(0) {
        let remedy = "sysctl net.core.bpf_jit_enable=1";
        return Ability::lacking(State::Missing, name, "the eBPF JIT is switched off", lost, remedy);
    }
    if let (State::Ok, Err(error)) = (rights::ebpf(&kernel.root).state, probe::try_tracing(kernel)) {
        let found = format!("the kernel refuses tracing programs in spite of all rights: {error}");
        let remedy = "a security module, a container or the maker of this kernel forbids it: run iova on the host itself";
        return Ability::lacking(State::Missing, name, found, lost, remedy);
    }
    Ability::ok(name, "programs can attach to the entry and return of kernel functions")
}

pub(super) fn ring_buffer(kernel: &Kernel) -> Ability {
    if kernel.symbols.exists("bpf_ringbuf_output") {
        return Ability::ok("ring buffer", "rare events can be sent one by one");
    }
    let lost = "single events: failures below 4 GiB, slow calls with stacks, faults";
    Ability::lacking(State::Missing, "ring buffer", "this kernel has none", lost, "use Linux 5.8 or later")
}

pub(super) fn names(root: &Root) -> Ability {
    let places = ["usr/share/misc/pci.ids", "usr/share/hwdata/pci.ids", "var/lib/pciutils/pci.ids"];
    match places.iter().find(|place| root.exists(place)) {
        Some(place) => Ability::ok("pci.ids", format!("/{place}")),
        None => Ability::lacking(
            State::Limited,
            "pci.ids",
            "there is no list of PCI names",
            "names of devices: they are shown as vendor:device",
            "install the package pci.ids (Debian) or hwdata (Fedora, SUSE)",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn map_memory_is_worked_out() {
        let demand = Demand { mapping: 120, idle: 180, domains: 120, strict: true };
        let default = Footprint { slots: 166, value_bytes: 1392, cpus: 256, bytes: 62_000_000 };
        let text = map_memory_text(demand, default, 170_000_000);
        assert_eq!(
            text,
            "`iova report` takes 62,000,000 bytes for its maps: 166 slots x 1392 bytes x 256 possible CPUs = 59,154,432, and \
             2,845,568 for the rest; with --profile full 170,000,000 bytes. Slots: 120 for devices with a driver, 45 for others \
             and later ones, 1 for all that find none"
        );
    }
}
