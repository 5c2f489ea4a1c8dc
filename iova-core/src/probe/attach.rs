//! Loading and attaching.

use aya::include_bytes_aligned;
use aya::maps::{Map, MapData, MapError, Queue};
use iova_common::config::{Config, sac};
use std::collections::BTreeMap;

use super::constants::Constants;
use super::entries::{Entries, frame_cpus};
use super::hooks::{HOOKS, Hook, Place, Role, is_pointless};
use super::object::{AttachError, Object, ObjectError};
use super::recycle::Recycler;
use super::resolve;
use super::slots::Demand;
use super::totals::Totals;
use super::weigh::Scale;
use super::{Extras, ProbeError, Profile, Skipped, Tracer, events, kmsg, sys};
use crate::kernel::{Kernel, Lockdown, btf::TypeId};

pub(super) static OBJECT: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/iova.bpf.o"));

/// A call this slow is worth an event and its stack in profile `full`, ns.
const SLOW_CALL_NS: u64 = 50_000;

pub(super) fn attach(
    kernel: &Kernel,
    profile: Profile,
    demand: Demand,
    extras: Extras,
) -> Result<Tracer, ProbeError> {
    if OBJECT.is_empty() {
        return Err(ProbeError::NoObject);
    }
    sys::raise_memlock();
    let cpus = aya::util::nr_cpus().map_err(|(_, error)| error)?;
    let offsets = kernel.offsets();
    let sac = sac(kernel);
    let base = config(profile, demand.strict);
    let config = Config {
        watch_dev: extras.watch.unwrap_or(0),
        closer: u64::from(extras.watch.is_some() || base.slow_call_ns > 0),
        call_sampling: extras.calls.map_or(0, |calls| calls.get().into()),
        sac: sac.unwrap_or(sac::NEVER),
        sac_flag: sac_flag(kernel).unwrap_or(0),
        pci_bus: kernel.symbol("pci_bus_type").unwrap_or(0) & 0xffff_ffff,
        cpu_mask: u64::from(frame_cpus(cpus)) - 1,
        ..base
    };
    let entries = Entries::new(demand, profile, &config, extras, cpus);
    let slots = entries.slots;
    let constants = Constants { config, offsets };
    let mut object = Object::load(OBJECT, &constants, &entries).map_err(load_error)?;
    give_out(&mut object, "FREE_SLOTS", 1..slots.devices)?;
    give_out(&mut object, "FREE_DOMAIN_SLOTS", 0..slots.domains)?;
    let (roles, mut skipped) =
        attach_all(&mut object, kernel, profile, extras.calls.is_some(), config.free_latency != 0)?;
    object.complete();
    let log = fault_log(kernel, &mut skipped);
    // What loading took is not needed again, and a screen may stay for days.
    sys::give_back_memory();
    Ok(Tracer {
        object,
        profile,
        skipped,
        roles,
        totals: Totals::default(),
        recycler: Recycler::default(),
        cpus,
        slots,
        config,
        scale: Scale::default(),
        calls_counted: (0, 0),
        backlog: events::Backlog::default(),
        log,
        sac_known: sac.is_some(),
        symbols: kernel.symbols.clone(),
    })
}

/// The kernel log, where an IOMMU of this host reports faults nowhere else.
fn fault_log(kernel: &Kernel, skipped: &mut Vec<Skipped>) -> Option<kmsg::Log> {
    if !kmsg::needed(&kernel.root) {
        return None;
    }
    kmsg::Log::open(&kernel.root)
        .map_err(|error| {
            let why = format!(
                "this IOMMU reports faults to the kernel log only, and /dev/kmsg can't be read: {error}"
            );
            skipped.push(Skipped { hook: "/dev/kmsg", metric: Role::Fault.metric(), why });
        })
        .ok()
}

/// Measurements of a profile. In `default`, frees are timed where one may have to wait for the IOMMU: in a `strict` domain.
pub(super) fn config(profile: Profile, strict: bool) -> Config {
    let base = Config::DEFAULT;
    match profile {
        Profile::Light => Config { alloc_entry: 0, free_latency: 0, ..base },
        Profile::Default => Config { free_sample_mask: 15, free_latency: strict.into(), ..base },
        Profile::Full => Config { slow_call_ns: SLOW_CALL_NS, ..base },
    }
}

/// By what the kernel decides whether it tries below 4 GiB first: one of [`sac`]; `None` if that can't be told.
fn sac(kernel: &Kernel) -> Option<u64> {
    if sac_flag(kernel).is_some() {
        return Some(sac::FLAG);
    }
    let line = kernel.root.text("proc/cmdline").unwrap_or_default();
    let forced = ["iommu.forcedac=1", "iommu.forcedac=on", "iommu.forcedac=y", "intel_iommu=forcedac"];
    if line.split_whitespace().any(|word| forced.contains(&word)) {
        return Some(sac::NEVER);
    }
    kernel.symbol("pci_bus_type").map(|_| sac::PCI)
}

/// The bit of `pci_32bit_workaround` in its byte; `None` on a kernel without it.
fn sac_flag(kernel: &Kernel) -> Option<u64> {
    let flag = kernel.btf.member("dev_iommu.pci_32bit_workaround")?;
    Some(1 << (flag.bit_offset % 8))
}

fn load_error(error: ObjectError) -> ProbeError {
    match error {
        ObjectError::Map(MapError::CreateError { ref io_error, .. })
            if io_error.kind() == std::io::ErrorKind::PermissionDenied =>
        {
            ProbeError::NotPermitted
        }
        error => ProbeError::Load(error),
    }
}

/// The map called `name`.
fn map<'a>(object: &'a mut Object, name: &'static str) -> Result<&'a mut Map, ProbeError> {
    object.map_mut(name).ok_or(ProbeError::NoObject)
}

/// Makes slots available to the programs.
pub(super) fn give_out(
    object: &mut Object,
    name: &'static str,
    slots: impl IntoIterator<Item = u32>,
) -> Result<(), ProbeError> {
    let fail = |error| ProbeError::Map { name, error };
    let mut queue: Queue<&mut MapData, u32> = Queue::try_from(map(object, name)?).map_err(fail)?;
    for slot in slots {
        queue.push(slot, 0).map_err(fail)?;
    }
    Ok(())
}

pub(super) fn know_domains(
    object: &mut Object,
    most: u32,
    iovads: impl IntoIterator<Item = u64>,
) -> Result<(), ProbeError> {
    let mut left = most;
    for iovad in iovads {
        if left == 0 {
            break;
        }
        let name = "FREE_DOMAIN_SLOTS";
        let mut queue: Queue<_, u32> =
            Queue::try_from(map(object, name)?).map_err(|error| ProbeError::Map { name, error })?;
        let Ok(slot) = queue.pop(0) else { return Ok(()) };
        let name = "DOMAIN_SLOTS";
        let mut slots: aya::maps::HashMap<_, u64, u32> = aya::maps::HashMap::try_from(map(object, name)?)
            .map_err(|error| ProbeError::Map { name, error })?;
        // A slow allocation may have been faster, or another device of the group; its slot is then the right one.
        if slots.insert(iovad, slot, 1).is_err() {
            give_out(object, "FREE_DOMAIN_SLOTS", [slot])?;
        } else {
            left -= 1;
        }
    }
    Ok(())
}

/// The number among the kernel's types of what a hook attaches to.
fn target(kernel: &Kernel, hook: &Hook) -> Option<TypeId> {
    match hook.place {
        Place::Entry | Place::Exit => kernel.btf.function(hook.target),
        // The arguments of a tracepoint have a type of this name.
        Place::Tracepoint => kernel.btf.typedef(&format!("btf_trace_{}", hook.target)),
    }
}

type Attached = (BTreeMap<Role, usize>, Vec<Skipped>);

fn attach_all(
    object: &mut Object,
    kernel: &Kernel,
    profile: Profile,
    calls: bool,
    frees_timed: bool,
) -> Result<Attached, ProbeError> {
    let in_use = |hook: &Hook| hook.serves(profile) && (frees_timed || !hook.role.times_frees());
    let wanted: Vec<&Hook> = HOOKS.iter().filter(|hook| in_use(hook)).collect();
    let mut roles = BTreeMap::new();
    // With what the kernel said, if it was asked.
    let mut failed: Vec<(&Hook, Option<String>)> = Vec::new();
    for hook in &wanted {
        if !resolve::usable(kernel, hook) {
            failed.push((hook, None));
            continue;
        }
        match object.attach(hook.program_for(calls), hook.place, target(kernel, hook)) {
            Ok(()) => *roles.entry(hook.role).or_insert(0) += 1,
            Err(error) => failed.push((hook, Some(refusal(kernel, &error)))),
        }
    }
    let why =
        |hook: &Hook, refusal: Option<String>| refusal.or_else(|| resolve::why_not(kernel, hook, &wanted));
    if !roles.contains_key(&Role::Alloc) {
        let mut reasons = failed
            .into_iter()
            .filter(|(hook, _)| hook.role == Role::Alloc)
            .filter_map(|(hook, refusal)| why(hook, refusal));
        let why = reasons.next().unwrap_or_default();
        // The verifier says EACCES too; EPERM is about privileges only.
        if why.contains("Operation not permitted") {
            return Err(ProbeError::NotPermitted);
        }
        return Err(ProbeError::NoHook { release: kernel.release.clone(), why });
    }
    // Of the two sources of faults VT-d uses this one only.
    let vtd = kernel.root.names("sys/class/iommu").iter().any(|name| name.starts_with("dmar"));
    failed.retain(|(hook, _)| {
        !(roles.contains_key(&hook.role) || is_pointless(kernel, hook.role))
            || vtd && hook.target == "dmar_fault"
    });
    let skipped = failed.into_iter().filter_map(|(hook, refusal)| {
        let why = why(hook, refusal)?;
        Some(Skipped { hook: hook.target, metric: hook.role.metric(), why })
    });
    Ok((roles, skipped.collect()))
}

/// Lockdown takes one helper away (`LOCKDOWN_BPF_READ_KERNEL`, kernel/trace/bpf_trace.c); the verifier then finds the
/// program at fault, and its error says nothing of lockdown.
fn refusal(kernel: &Kernel, error: &AttachError) -> String {
    let reason = reason(error);
    if kernel.lockdown() != Lockdown::Confidentiality {
        return reason;
    }
    format!(
        "lockdown=confidentiality forbids eBPF to read the kernel's memory: boot with lockdown=integrity or none \
         ({reason})"
    )
}

/// The error and what caused it, without the verifier's log (unless asked for: it is long).
fn reason(error: &AttachError) -> String {
    match error {
        AttachError::Absent => "the kernel's type information does not have it".to_owned(),
        AttachError::Load { error, log: None } => format!("the kernel refused the program: {error}"),
        AttachError::Load { error, log: Some(log) } => format!("{error}\n{log}"),
        AttachError::Attach(error) => format!("bpf_raw_tracepoint_open: {error}"),
    }
}
