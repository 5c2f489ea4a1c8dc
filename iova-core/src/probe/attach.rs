//! Loading and attaching.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use aya::maps::{Map, MapData, Queue};
use aya::programs::{FEntry, FExit, ProgramError};
use aya::{Btf, Ebpf, EbpfError, EbpfLoader, Endianness, include_bytes_aligned};
use iova_common::agg::ORDERS;
use iova_common::config::Config;

use super::hooks::{HOOKS, Hook, Place, Role, is_pointless};
use super::totals::Totals;
use super::weigh::Scale;
use super::{Extras, ProbeError, Profile, Skipped, Tracer, calls, events, kmsg, sys};
use crate::kernel::{Kernel, Lockdown};

static OBJECT: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/iova.bpf.o"));

/// Slots beyond the devices and domains known at start, for those that come later.
const SPARE: u32 = 16;
/// Slots there can be at most: the size of the queues of free slots.
const MOST: u32 = 4096;
/// A call this slow is worth an event and its stack in profile `full`, ns.
const SLOW_CALL_NS: u64 = 50_000;

/// What loads the programs. To be made before anything large is held: its library reads all of the kernel's types when
/// it starts, which it does not need, and which are dropped here again.
pub struct Loader(EbpfLoader<'static>);

impl Loader {
    /// A loader without the kernel's types.
    pub fn new() -> Self {
        sys::keep_large_apart();
        let mut loader = EbpfLoader::new();
        loader.btf(None);
        sys::give_back_memory();
        Self(loader)
    }
}

impl Default for Loader {
    fn default() -> Self {
        Self::new()
    }
}

pub(super) fn attach(
    loader: Loader,
    kernel: &Kernel,
    profile: Profile,
    max_devices: usize,
    extras: Extras,
) -> Result<Tracer, ProbeError> {
    if OBJECT.is_empty() {
        return Err(ProbeError::NoObject);
    }
    sys::raise_memlock();
    let slots = u32::try_from(max_devices).unwrap_or(MOST).saturating_add(SPARE + 1).min(MOST);
    let offsets = kernel.offsets();
    let fast_hook = usable(kernel, profile, Role::Fast);
    let config = Config {
        watch_dev: extras.watch.unwrap_or(0),
        call_sampling: extras.calls.map_or(0, NonZeroU32::get),
        ..config(profile, fast_hook)
    };
    let mut loader: EbpfLoader<'_> = loader.0;
    let mut ebpf = loader
        .override_global("OFFSETS", &offsets, true)
        .override_global("CONFIG", &config, true)
        .map_max_entries("DEVICES", slots)
        .map_max_entries("FREES", if config.free_sample_mask == 0 { slots } else { 1 })
        .map_max_entries("FREE_SAMPLES", if config.free_sample_mask == 0 { 1 } else { slots })
        .map_max_entries("MAPS", if profile >= Profile::Full { slots } else { 1 })
        .map_max_entries("DOMAINS", slots)
        .map_max_entries("FQ_TIMERS", slots)
        .map_max_entries("LOCK_WAITS", if profile >= Profile::Full { slots } else { 1 })
        .map_max_entries("WATCHED", if extras.watch.is_some() { ORDERS as u32 } else { 1 })
        .map_max_entries("CALLS", calls::ring_bytes(extras.calls))
        .load(OBJECT)
        .map_err(load_error)?;
    give_out(&mut ebpf, "FREE_SLOTS", 1..slots)?;
    give_out(&mut ebpf, "FREE_DOMAIN_SLOTS", 0..slots)?;
    // Before the next large piece: what reading the object took.
    sys::give_back_memory();
    let btf = types_of_hooks(kernel)?;
    let (roles, mut skipped) = attach_all(&mut ebpf, &btf, kernel, profile, extras.calls.is_some())?;
    let log = fault_log(kernel, &mut skipped);
    let cpus = aya::util::nr_cpus().map_err(|(_, error)| error)?;
    drop(btf);
    // What loading took is not needed again, and a screen may stay for days.
    sys::give_back_memory();
    Ok(Tracer {
        ebpf,
        profile,
        skipped,
        roles,
        totals: Totals::default(),
        cpus,
        slots,
        config,
        scale: Scale::default(),
        calls_counted: (0, 0),
        early: events::Read::default(),
        log,
        symbols: kernel.symbols.clone(),
    })
}

/// Type information of what we attach to, and of nothing else. Its tables are large while they are made, so those of the
/// kernel are given back before.
fn types_of_hooks(kernel: &Kernel) -> Result<Btf, ProbeError> {
    // A tracepoint's arguments are the type of this typedef.
    let typedefs: Vec<String> = HOOKS.iter().map(|hook| format!("btf_trace_{}", hook.target)).collect();
    let names: Vec<&str> =
        HOOKS.iter().map(|hook| hook.target).chain(typedefs.iter().map(String::as_str)).collect();
    let only = kernel.btf.only(&names).unwrap_or_default();
    // What attaching asks of them is remembered.
    for hook in HOOKS {
        exists(kernel, hook);
    }
    kernel.btf.forget();
    Ok(Btf::parse(&only, Endianness::default())?)
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

fn config(profile: Profile, fast_hook: bool) -> Config {
    let base = Config { fast_hook: u32::from(fast_hook), ..Config::DEFAULT };
    match profile {
        Profile::Light => Config { alloc_sample_mask: 63, free_latency: 0, ..base },
        Profile::Default => Config { free_sample_mask: 15, ..base },
        Profile::Full => Config { slow_call_ns: SLOW_CALL_NS, ..base },
    }
}

/// True if some hook of `role` will be attached.
fn usable(kernel: &Kernel, profile: Profile, role: Role) -> bool {
    HOOKS.iter().any(|hook| hook.role == role && hook.from <= profile && exists(kernel, hook))
}

fn load_error(error: EbpfError) -> ProbeError {
    let denied = match &error {
        EbpfError::MapError(aya::maps::MapError::CreateError { io_error, .. }) => {
            io_error.kind() == std::io::ErrorKind::PermissionDenied
        }
        _ => false,
    };
    if denied { ProbeError::NotPermitted } else { ProbeError::Load(error) }
}

/// The map called `name`.
fn map<'a>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<&'a mut Map, ProbeError> {
    ebpf.map_mut(name).ok_or(ProbeError::NoObject)
}

fn give_out(ebpf: &mut Ebpf, name: &'static str, slots: std::ops::Range<u32>) -> Result<(), ProbeError> {
    let fail = |error| ProbeError::Map { name, error };
    let mut queue: Queue<&mut MapData, u32> = Queue::try_from(map(ebpf, name)?).map_err(fail)?;
    for slot in slots {
        queue.push(slot, 0).map_err(fail)?;
    }
    Ok(())
}

pub(super) fn know_domains(ebpf: &mut Ebpf, iovads: impl IntoIterator<Item = u64>) -> Result<(), ProbeError> {
    for iovad in iovads {
        let name = "FREE_DOMAIN_SLOTS";
        let mut queue: Queue<_, u32> =
            Queue::try_from(map(ebpf, name)?).map_err(|error| ProbeError::Map { name, error })?;
        let Ok(slot) = queue.pop(0) else { return Ok(()) };
        let name = "DOMAIN_SLOTS";
        let mut slots: aya::maps::HashMap<_, u64, u32> = aya::maps::HashMap::try_from(map(ebpf, name)?)
            .map_err(|error| ProbeError::Map { name, error })?;
        // A slow allocation may have been faster; its slot is then the right one and ours stays unused.
        let _ = slots.insert(iovad, slot, 1);
    }
    Ok(())
}

fn exists(kernel: &Kernel, hook: &Hook) -> bool {
    match hook.place {
        Place::Entry | Place::Exit => kernel.hookable(hook.target),
        // The type of a tracepoint's arguments is a typedef of this name.
        Place::Tracepoint => kernel.symbols.exists(&format!("__tracepoint_{}", hook.target)),
    }
}

type Attached = (BTreeMap<Role, usize>, Vec<Skipped>);

fn attach_all(
    ebpf: &mut Ebpf,
    btf: &Btf,
    kernel: &Kernel,
    profile: Profile,
    calls: bool,
) -> Result<Attached, ProbeError> {
    let mut roles = BTreeMap::new();
    let mut failed: Vec<(Role, Skipped)> = Vec::new();
    for hook in HOOKS.iter().filter(|hook| hook.from <= profile) {
        let why = if exists(kernel, hook) {
            match attach_one(ebpf, btf, hook, hook.program_for(calls)) {
                Ok(()) => {
                    *roles.entry(hook.role).or_insert(0) += 1;
                    continue;
                }
                Err(error) => refusal(kernel, &error),
            }
        } else {
            "this kernel has no such function or tracepoint to hook".to_owned()
        };
        failed.push((hook.role, Skipped { hook: hook.target, metric: hook.role.metric(), why }));
    }
    if !roles.contains_key(&Role::Alloc) {
        let why =
            failed.iter().find(|(role, _)| *role == Role::Alloc).map(|(_, skipped)| skipped.why.clone());
        let why = why.unwrap_or_default();
        // The verifier says EACCES too; EPERM is about privileges only.
        if why.contains("Operation not permitted") {
            return Err(ProbeError::NotPermitted);
        }
        return Err(ProbeError::NoHook { release: kernel.release.clone(), why });
    }
    // Of the two sources of faults VT-d uses this one only.
    let vtd = kernel.root.names("sys/class/iommu").iter().any(|name| name.starts_with("dmar"));
    failed.retain(|(role, skipped)| {
        !(roles.contains_key(role) || is_pointless(kernel, *role)) || vtd && skipped.hook == "dmar_fault"
    });
    Ok((roles, failed.into_iter().map(|(_, skipped)| skipped).collect()))
}

fn attach_one(ebpf: &mut Ebpf, btf: &Btf, hook: &Hook, program: &str) -> Result<(), ProgramError> {
    let program = ebpf.program_mut(program).ok_or(ProgramError::NotLoaded)?;
    match hook.place {
        Place::Entry => {
            let program: &mut FEntry = program.try_into()?;
            program.load(hook.target, btf)?;
            program.attach()?;
        }
        Place::Exit => {
            let program: &mut FExit = program.try_into()?;
            program.load(hook.target, btf)?;
            program.attach()?;
        }
        Place::Tracepoint => {
            let program: &mut aya::programs::BtfTracePoint = program.try_into()?;
            program.load(hook.target, btf)?;
            program.attach()?;
        }
    }
    Ok(())
}

/// Lockdown takes one helper away (`LOCKDOWN_BPF_READ_KERNEL`, kernel/trace/bpf_trace.c); the verifier then finds the
/// program at fault, and its error says nothing of lockdown.
fn refusal(kernel: &Kernel, error: &ProgramError) -> String {
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
fn reason(error: &ProgramError) -> String {
    match error {
        ProgramError::LoadError { io_error, verifier_log } => {
            if std::env::var_os("IOVA_VERIFIER_LOG").is_some() {
                return format!("{io_error}\n{verifier_log}");
            }
            format!("the kernel refused the program: {io_error}")
        }
        ProgramError::SyscallError(error) => format!("{}: {}", error.call, error.io_error),
        other => other.to_string(),
    }
}
