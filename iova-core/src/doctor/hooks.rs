//! Which of the functions and tracepoints that are measured exist on this kernel.

use super::{Ability, State};
use crate::inventory::Inventory;
use crate::kernel::{Kernel, Lockdown};
use crate::probe::hooks::{HOOKS, Hook, Role};
use crate::probe::resolve;

/// One line per metric: usable if for every job behind it one hook is.
pub(super) fn survey(kernel: &Kernel, inventory: &Inventory) -> Vec<Ability> {
    let mut metrics: Vec<&str> = Vec::new();
    for hook in HOOKS {
        if !metrics.contains(&hook.role.metric()) {
            metrics.push(hook.role.metric());
        }
    }
    metrics.into_iter().map(|metric| one(kernel, inventory, metric)).collect()
}

fn one(kernel: &Kernel, inventory: &Inventory, metric: &str) -> Ability {
    let hooks: Vec<&Hook> = HOOKS.iter().filter(|hook| hook.role.metric() == metric).collect();
    let name = format!("hook {metric}");
    let missing = resolve::missing(kernel, |hook| hook.role.metric() == metric);
    if !missing.is_empty() {
        let mut why: Vec<String> = missing.into_iter().map(|skipped| skipped.why).collect();
        why.dedup();
        return Ability::lacking(State::Missing, &name, why.join("; "), metric, remedy(kernel, metric));
    }
    let mut used: Vec<&str> = Vec::new();
    for hook in hooks.iter().filter(|hook| resolve::usable(kernel, hook)) {
        if !used.contains(&hook.target) {
            used.push(hook.target);
        }
    }
    let vtd = inventory.host.iommu.iter().any(|kind| kind.contains("VT-d"));
    if vtd && used.contains(&"dmar_fault") && kernel.lockdown() == Lockdown::Confidentiality {
        let found = "dmar_fault: lockdown=confidentiality keeps its records from eBPF";
        let remedy =
            "boot with lockdown=integrity, or none; faults are in the kernel log (dmesg) all the same";
        return Ability::lacking(State::Missing, &name, found, metric, remedy);
    }
    let blind = inventory.host.iommu.iter().any(|kind| kind == "virtio-iommu");
    if blind && hooks.iter().any(|hook| hook.role == Role::Fault) {
        let found = "virtio-iommu reports faults to the kernel log only, which is rate limited";
        let lost = "faults beyond ten in five seconds";
        return Ability::lacking(
            State::Limited,
            &name,
            found,
            lost,
            "nothing: the driver has no other channel",
        );
    }
    Ability::ok(&name, used.join(", "))
}

/// What to do where a metric has no hook.
fn remedy(kernel: &Kernel, metric: &str) -> &'static str {
    match metric {
        "lock.wait_ns" if kernel.btf.spinlocks_sleep() => {
            "measure waits for locks on a kernel without PREEMPT_RT"
        }
        "lock.wait_ns" => "use Linux 5.19 or later, whose locks have tracepoints",
        "faults.count" => "look into the kernel log (dmesg)",
        _ => "use a kernel whose compiler kept the function whole, such as a distribution's",
    }
}
