//! The running kernel as a source of measurements.

use crate::exit::Stop;
use crate::session::Source;
use iova_core::doctor::{self, State};
use iova_core::inventory::Inventory;
use iova_core::kernel::{Kernel, KernelError};
use iova_core::model::{SacControl, Unknown};
use iova_core::probe::{Demand, Extras, ProbeError, Profile, Tracer};
use iova_core::sample::{Calls, Event, Sample};
use iova_core::snapshot::{self, Snapshot};
use std::num::NonZeroU32;
use std::os::fd::BorrowedFd;
use std::path::Path;

/// The running kernel, and the probes once they are attached.
pub(crate) struct Live {
    kernel: Result<Kernel, KernelError>,
    tracer: Option<Tracer>,
    /// One allocation or free in so many is wanted by itself.
    calls: Option<NonZeroU32>,
}

impl Live {
    pub(crate) fn new() -> Result<Self, Stop> {
        mounted()?;
        Ok(Self { kernel: Kernel::load(), tracer: None, calls: None })
    }

    /// Single allocations and frees as well, one in so many; to be said before anything is attached.
    pub(super) fn want_calls(&mut self, sampling: Option<NonZeroU32>) {
        self.calls = sampling;
    }

    pub(super) fn kernel(&self) -> Result<&Kernel, Stop> {
        self.kernel.as_ref().map_err(Stop::unusable)
    }

    /// Starts counting; with latencies per order of the device whose `struct device` is at `watch`.
    pub(super) fn attach_watching(
        &mut self,
        profile: Profile,
        inventory: &Inventory,
        watch: Option<u64>,
    ) -> Result<(), Stop> {
        if self.tracer.is_some() {
            // One measurement after the other (iova gate run): each counts from its own first reading.
            return Ok(());
        }
        let kernel = self.kernel()?;
        let extras = Extras { watch, calls: self.calls };
        let tracer = Tracer::attach(kernel, profile, Demand::of(inventory), extras);
        let mut tracer = tracer.map_err(|error| match error {
            ProbeError::NotPermitted => not_permitted(kernel, inventory),
            error => probe_stop(error),
        })?;
        #[cfg(feature = "bpf-log")]
        super::bpf_log::follow(&tracer)?;
        tracer.know_domains(Demand::domains(inventory)).map_err(probe_stop)?;
        self.tracer = Some(tracer);
        Ok(())
    }

    /// Keeps the kernel's memory open, for when the right to open it is given up. Why not, if it can't be.
    pub(crate) fn hold_memory(&mut self) -> Result<(), String> {
        let kernel = self.kernel.as_mut().map_err(|error| error.to_string())?;
        kernel.hold_kcore().map_err(|error| error.to_string())
    }

    /// The state of one group's domain now.
    pub(super) fn snapshot_of(&self, group: u32) -> Snapshot {
        self.kernel
            .as_ref()
            .map_or_else(|_| Snapshot::default(), |kernel| snapshot::take_group(kernel, group))
    }

    /// High addresses that the watched device got lately; none if that can't be read.
    pub(super) fn recent_addresses(&self) -> Vec<(u64, u64)> {
        self.tracer.as_ref().and_then(|tracer| tracer.recent_addresses().ok()).unwrap_or_default()
    }

    /// Descriptors that are readable when [`Live::events`] has something that no sample has had.
    pub(super) fn event_descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.tracer.as_ref().map(Tracer::event_descriptors).unwrap_or_default()
    }

    /// Gives back what was read of the kernel's types and symbols, now that everything was looked at once.
    pub(crate) fn forget_tables(&self) {
        self.kernel.iter().for_each(Kernel::forget_tables);
    }

    /// Turns on or off the measurement of what the probes themselves cost.
    pub(crate) fn weigh(&mut self, on: bool) {
        if let Some(tracer) = &mut self.tracer {
            tracer.weigh(on);
        }
    }

    /// Events since the last call, those that a sample has had meanwhile too.
    pub(super) fn events(&mut self) -> Result<Vec<Event>, Stop> {
        self.tracer.as_mut().map_or_else(|| Ok(Vec::new()), |tracer| tracer.peek_events().map_err(probe_stop))
    }
}

impl Source for Live {
    fn inventory(&mut self) -> Inventory {
        Inventory::collect(self.kernel.as_ref().ok())
    }

    fn select(&self, inventory: &Inventory, words: &[String]) -> Result<Vec<String>, Stop> {
        select(inventory, words)
    }

    fn sac_control(&self, inventory: &Inventory) -> SacControl {
        self.kernel.as_ref().map_or(SacControl::Unknown, |kernel| SacControl::of(kernel, inventory))
    }

    fn attach(&mut self, profile: Profile, inventory: &Inventory) -> Result<(), Stop> {
        self.attach_watching(profile, inventory, None)
    }

    fn snapshot(&mut self) -> Snapshot {
        match &self.kernel {
            Ok(kernel) => snapshot::take(kernel),
            Err(error) => Snapshot { missing: vec![error.to_string()], ..Snapshot::default() },
        }
    }

    fn sample(&mut self) -> Result<Sample, Stop> {
        let tracer = self.tracer.as_mut().ok_or_else(|| Stop::internal("the probes are not attached"))?;
        tracer.sample().map_err(probe_stop)
    }

    fn calls(&mut self) -> Result<Option<Calls>, Stop> {
        self.tracer.as_mut().map_or(Ok(None), |tracer| tracer.calls().map_err(probe_stop))
    }

    fn unmeasured(&self) -> Vec<Unknown> {
        let skipped = self.tracer.as_ref().map(Tracer::skipped).unwrap_or_default();
        let mut list: Vec<Unknown> = Vec::new();
        for skip in skipped {
            let metric = skip.metric;
            // Several functions that are missing for one reason are one line.
            match list.iter_mut().find(|known| known.metric == metric && known.why.ends_with(&skip.why)) {
                Some(known) => known.why.insert_str(0, &format!("{}, ", skip.hook)),
                // Most reasons name the function.
                None if skip.why.starts_with(skip.hook) => {
                    list.push(Unknown { metric: metric.to_owned(), why: skip.why.clone() });
                }
                None => list
                    .push(Unknown { metric: metric.to_owned(), why: format!("{}: {}", skip.hook, skip.why) }),
            }
        }
        list
    }
}

/// The devices of the running kernel, with or without the rights to look closely.
pub(super) fn inventory() -> Result<(Inventory, SacControl), Stop> {
    look().map(|(_, inventory, control)| (inventory, control))
}

/// The same, and the kernel itself.
pub(super) fn look() -> Result<(Result<Kernel, KernelError>, Inventory, SacControl), Stop> {
    mounted()?;
    let kernel = Kernel::load();
    let mut inventory = Inventory::collect(kernel.as_ref().ok());
    inventory.missing.extend(kernel.as_ref().err().map(ToString::to_string));
    let control = kernel.as_ref().map_or(SacControl::Unknown, |kernel| SacControl::of(kernel, &inventory));
    Ok((kernel, inventory, control))
}

/// Without these two file systems, a machine looks as if it had no IOMMU: better to say nothing than that.
fn mounted() -> Result<(), Stop> {
    for (probe, kind, place) in [("/sys/kernel", "sysfs", "/sys"), ("/proc/self", "proc", "/proc")] {
        if !Path::new(probe).exists() {
            return Err(Stop::unusable(format!(
                "{place} is not mounted, so nothing can be found out: mount -t {kind} {kind} {place}"
            )));
        }
    }
    Ok(())
}

/// The BDFs that `words` name; empty for no words.
pub(crate) fn select(inventory: &Inventory, words: &[String]) -> Result<Vec<String>, Stop> {
    let mut wanted = Vec::new();
    for word in words {
        let found = inventory.find(word).map_err(Stop::unusable)?;
        wanted.extend(found.into_iter().map(|device| device.bdf.clone()));
    }
    Ok(wanted)
}

/// Says which right is missing, where we can tell.
fn not_permitted(kernel: &Kernel, inventory: &Inventory) -> Stop {
    let abilities = doctor::survey(Ok(kernel), inventory);
    let rights = abilities.into_iter().find(|ability| ability.name == "ebpf rights");
    match rights.filter(|rights| rights.state == State::Missing) {
        Some(rights) => Stop::unusable(format!(
            "{}, without which the kernel loads no probes: run as root, or grant the capabilities (and CAP_SYS_RAWIO \
             and CAP_SYSLOG for the state of the allocator)",
            rights.found
        )),
        None => Stop::unusable(
            "the kernel refuses tracing programs in spite of all rights: a security module, a container or the maker of \
             this kernel forbids it; run iova on the host itself",
        ),
    }
}

/// What the user can change is exit code 2; what we did wrong is 3.
fn probe_stop(error: ProbeError) -> Stop {
    match error {
        ProbeError::NoObject | ProbeError::Read(_) | ProbeError::Map { .. } => Stop::internal(error),
        _ => Stop::unusable(error),
    }
}
