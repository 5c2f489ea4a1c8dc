//! The live source: load and attach the eBPF programs, read their maps.
//!
//! Everything is held by file descriptors: when the process ends, however it ends, the kernel detaches the programs
//! and frees the maps. Nothing is pinned.

mod attach;
mod calls;
mod constants;
mod entries;
mod events;
mod footprint;
pub mod hooks;
pub(crate) mod kmsg;
mod object;
mod read;
mod recycle;
pub(crate) mod resolve;
mod slots;
mod sum;
mod sys;
mod totals;
mod weigh;

#[cfg(feature = "bench")]
#[doc(hidden)]
pub mod bench;

pub use footprint::{Footprint, footprint};
pub use object::ObjectError;
pub use slots::Demand;

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::os::fd::BorrowedFd;
use std::str::FromStr;

use aya::maps::MapError;
use iova_common::config::Config;

use crate::bpf;
use crate::kernel::Kernel;
use crate::sample::{Calls, Event, Sample};
use hooks::Role;
use object::Object;
use slots::Slots;

/// How closely to look. Each profile adds to the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Profile {
    /// Counts, and the latency of one allocation in 64.
    Light,
    /// Adds SAC attempts, the latency of every allocation and of one free in 16, flush-queue timer runs.
    #[default]
    Default,
    /// Adds the latency of every free and of `dma_map`, lock waits, and stacks of slow calls.
    Full,
}

impl Profile {
    /// All of them, least first.
    pub const ALL: [Self; 3] = [Self::Light, Self::Default, Self::Full];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Default => "default",
            Self::Full => "full",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|profile| profile.name() == text)
            .ok_or_else(|| format!("there is no profile '{text}': use light, default or full"))
    }
}

/// What is wanted beyond the profile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extras {
    /// Address of a `struct device` whose latencies are kept per order too.
    pub watch: Option<u64>,
    /// One allocation or free in so many is told by itself.
    pub calls: Option<NonZeroU32>,
}

/// A hook that could not be used, and what that costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Kernel function or tracepoint.
    pub hook: &'static str,
    /// Metric that is missing.
    pub metric: &'static str,
    /// Why.
    pub why: String,
}

/// Why the tracer can't work. Each sentence says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// Built without the programs.
    #[error("this binary was built without its eBPF programs: build it with `cargo xtask build`")]
    NoObject,
    /// Missing privileges.
    #[error(
        "the kernel refused to load eBPF programs (permission denied): run as root, or grant CAP_BPF and CAP_PERFMON \
         (kernels before 5.8: CAP_SYS_ADMIN)"
    )]
    NotPermitted,
    /// The object could not be loaded.
    #[error("the eBPF object can't be loaded: {0}")]
    Load(#[from] ObjectError),
    /// No allocation hook at all.
    #[error(
        "no hook for IOVA allocations could be used on kernel {release}: {why}; run `iova doctor` for the whole list"
    )]
    NoHook {
        /// `uname -r`.
        release: String,
        /// What the kernel said.
        why: String,
    },
    /// A map could not be read.
    #[error("the counters can't be read: {0}")]
    Read(#[from] std::io::Error),
    /// A map is not what it should be.
    #[error("map {name}: {error}")]
    Map {
        /// Its name.
        name: &'static str,
        /// What is wrong.
        error: MapError,
    },
}

/// Tries whether a program may be loaded for the function that counts most; `Ok` where this kernel has none.
pub fn try_tracing(kernel: &Kernel) -> std::io::Result<()> {
    let mut hooks = hooks::HOOKS.iter().filter(|hook| hook.role == Role::Alloc);
    let hook = hooks.find(|hook| kernel.hookable(hook.target));
    hook.and_then(|hook| kernel.btf.function(hook.target)).map_or(Ok(()), bpf::try_tracing)
}

/// The attached programs and the running totals.
pub struct Tracer {
    object: Object,
    profile: Profile,
    skipped: Vec<Skipped>,
    /// Roles that are filled: what is measured at all.
    roles: BTreeMap<Role, usize>,
    totals: totals::Totals,
    recycler: recycle::Recycler,
    /// CPUs there can be: the kernel gives a value for each.
    cpus: usize,
    slots: Slots,
    config: Config,
    scale: weigh::Scale,
    /// Single calls that were lost and passed over, as last read.
    calls_counted: (u64, u64),
    /// Events that a sample or a peek still has to get.
    backlog: events::Backlog,
    /// Where some IOMMUs leave the only trace of a fault.
    log: Option<kmsg::Log>,
    /// Attempts below 4 GiB that a cache served are told from other allocations.
    sac_known: bool,
    symbols: std::sync::Arc<crate::kernel::Symbols>,
}

impl Tracer {
    /// Loads and attaches everything the profile wants and the kernel offers. `demand` sizes the maps; devices that come when there
    /// is no slot left are counted together as "other".
    pub fn attach(
        kernel: &Kernel,
        profile: Profile,
        demand: Demand,
        extras: Extras,
    ) -> Result<Self, ProbeError> {
        attach::attach(kernel, profile, demand, extras)
    }

    /// Events that came since the last call, oldest first, also those that a sample has had meanwhile; since the first call. The next
    /// sample has them too.
    pub fn peek_events(&mut self) -> Result<Vec<Event>, ProbeError> {
        events::peek(self)
    }

    /// Descriptors that poll as readable when [`Tracer::peek_events`] has something.
    pub fn event_descriptors(&self) -> Vec<BorrowedFd<'_>> {
        events::descriptors(self)
    }

    /// Names the domains that exist, those that matter most first, so that lock waits are seen before a domain's first slow
    /// allocation. Slots for those that come later stay free.
    pub fn know_domains(&mut self, iovads: impl IntoIterator<Item = u64>) -> Result<(), ProbeError> {
        attach::know_domains(&mut self.object, self.slots.domains.saturating_sub(slots::SPARE), iovads)
    }

    /// Reads all counters: cumulative since attach. To be called at least every ten seconds, because the kernel's
    /// histogram buckets have 32 bits.
    pub fn sample(&mut self) -> Result<Sample, ProbeError> {
        read::sample(self)
    }

    /// Addresses at or above 4 GiB that the device of [`Extras::watch`] got lately, first and last byte: up to 64 per CPU. They may be
    /// unmapped by now.
    pub fn recent_addresses(&self) -> Result<Vec<(u64, u64)>, ProbeError> {
        read::recent(self)
    }

    /// Single allocations and frees that came since the last call, and how many were lost or passed over meanwhile; `None`
    /// unless [`Extras::calls`] asks for them. Their ring holds 75,000.
    pub fn calls(&mut self) -> Result<Option<Calls>, ProbeError> {
        calls::take(self)
    }

    /// Turns on or off the measurement of what the programs themselves cost ([`crate::sample::Quality::own_run_ns`]),
    /// which costs something too.
    pub fn weigh(&mut self, on: bool) {
        self.scale.turn(on, &self.object);
    }

    /// Logs of the programs from now on, read by `logger`; `None` if they log nothing, as those of the usual object.
    #[cfg(feature = "bpf-log")]
    pub fn bpf_log<L: log::Log + Copy>(&self, logger: L) -> Option<aya_log::EbpfLogger<L>> {
        let mut ids = self.object.programs().filter_map(|(_, program)| bpf::id(program));
        ids.find_map(|id| aya_log::EbpfLogger::init_from_id_with_logger(id, logger).ok())
    }

    /// Hooks that could not be used.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// The profile it runs with.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    fn has(&self, role: Role) -> bool {
        self.roles.contains_key(&role)
    }
}
