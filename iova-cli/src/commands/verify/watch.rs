//! Watching the device in a step: its addresses, its faults, its PCIe errors, and whoever wants us to end.

use super::work::Job;
use crate::commands::live::Live;
use crate::commands::policy::aer::Aer;
use crate::commands::policy::fault::fault_of;
use crate::exit::Stop;
use crate::poll::{self, For};
use crate::session::Source as _;
use crate::signals::{Signals, Wake};
use iova_core::inventory::Device;
use iova_core::policy::verify::{Addresses, Aliases, least};
use iova_core::sample::{Call, CallKind};
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::{Duration, Instant};

/// Between two looks.
const TICK: Duration = Duration::from_millis(200);
/// After a fault the work may go on for so long: more faults tell more, and each hits nothing.
const AFTER_FAULT: Duration = Duration::from_secs(3);
/// And is then asked to end, and after so much longer made to.
const PATIENCE: Duration = Duration::from_secs(5);
/// Reports of faults may be a little late.
const SETTLE: Duration = Duration::from_millis(500);
/// Pages of the tracer.
const PAGE: u64 = 4096;
/// More faults than that tell no more.
const FAULTS: usize = 256;

/// What has been seen of one step.
#[derive(Default)]
pub(super) struct Sight {
    pub(super) addresses: Addresses,
    /// Everything that was mapped.
    pub(super) mapped: Aliases,
    /// Addresses of faults.
    pub(super) faults: Vec<u64>,
    pub(super) pcie_errors: Option<String>,
}

/// The watch over one step.
pub(super) struct Watch<'a> {
    live: &'a mut Live,
    signals: &'a Signals,
    signal_fd: &'a OwnedFd,
    width: u8,
    aer: Aer,
    pub(super) sight: Sight,
}

impl<'a> Watch<'a> {
    /// From now on; the driver is not bound yet.
    pub(super) fn new(
        live: &'a mut Live,
        signals: &'a Signals,
        signal_fd: &'a OwnedFd,
        bdf: &str,
        width: u8,
    ) -> Result<Self, Stop> {
        // What others did before is nobody's business here.
        live.sample()?;
        live.calls()?;
        live.events()?;
        Ok(Self { live, signals, signal_fd, width, aer: Aer::new(bdf), sight: Sight::default() })
    }

    /// What is new.
    pub(super) fn look(&mut self, device: &Device) -> Result<(), Stop> {
        // First, so that what it takes out of the ring is looked at now.
        self.live.sample()?;
        let events = self.live.events()?;
        let faults = events.iter().filter_map(|event| fault_of(event, device)).map(|(address, _)| address);
        let room = FAULTS.saturating_sub(self.sight.faults.len());
        self.sight.faults.extend(faults.take(room));
        if let Some(calls) = self.live.calls()? {
            self.sight.addresses.lost += calls.lost + calls.passed;
            let ours = calls.list.iter().filter(|call| device.dev == Some(call.dev));
            ours.for_each(|call| self.sight.call(call, least(self.width)));
        }
        if let Some(news) = self.aer.news() {
            let known = self.sight.pcie_errors.take();
            self.sight.pcie_errors = Some(known.map_or(news.clone(), |known| format!("{known}, {news}")));
        }
        Ok(())
    }

    /// Until the work has ended, or can't be waited for any longer. The signal that ended it, if one did; whether the
    /// work was cut short.
    pub(super) fn work(&mut self, job: &mut Job, device: &Device) -> Result<(Option<i32>, bool), Stop> {
        let (mut signal, mut asked): (Option<i32>, Option<Instant>) = (None, None);
        let mut first_fault = None;
        loop {
            self.wait()?;
            if let Wake::Ended { signal: got, .. } = self.signals.wait(Instant::now()) {
                signal = Some(got);
                asked.get_or_insert_with(|| {
                    job.stop(false);
                    Instant::now()
                });
            }
            self.look(device)?;
            if job.ended() {
                return Ok((signal, asked.is_some()));
            }
            if !self.sight.faults.is_empty() || self.sight.pcie_errors.is_some() {
                first_fault.get_or_insert_with(Instant::now);
            }
            if first_fault.is_some_and(|at: Instant| at.elapsed() > AFTER_FAULT) && asked.is_none() {
                job.stop(false);
                asked = Some(Instant::now());
            }
            match asked.map(|at| at.elapsed()) {
                Some(since) if since > 2 * PATIENCE => return Ok((signal, true)),
                Some(since) if since > PATIENCE => job.stop(true),
                _ => {}
            }
        }
    }

    /// Reports that are on their way.
    pub(super) fn settle(&mut self, device: &Device) -> Result<(), Stop> {
        std::thread::sleep(SETTLE);
        self.look(device)
    }

    fn wait(&self) -> Result<(), Stop> {
        let mut fds = vec![(self.signal_fd.as_fd(), For::Reading)];
        fds.extend(self.live.event_descriptors().into_iter().map(|fd| (fd, For::Reading)));
        let waited = poll::wait(&fds, Instant::now() + TICK);
        waited.map(drop).map_err(|error| Stop::internal(format!("poll: {error}")))
    }

    pub(super) fn live(&mut self) -> &mut Live {
        self.live
    }
}

impl Sight {
    /// One allocation of the device.
    fn call(&mut self, call: &Call, least: u64) {
        let addresses = &mut self.addresses;
        let first = match (call.kind, call.pfn) {
            (CallKind::Free, _) => return,
            (CallKind::Failed, _) | (_, None) => {
                addresses.failed += 1;
                return;
            }
            (CallKind::Alloc, Some(pfn)) => pfn * PAGE,
        };
        let last = first.saturating_add(u64::from(call.pages.max(1)) * PAGE - 1);
        self.mapped.add(first, last);
        // The driver's own mask is in the limit: what may not be there is not missing there.
        if call.limit_pfn.is_some_and(|limit| limit < least / PAGE) {
            addresses.narrow += 1;
            return;
        }
        addresses.count += 1;
        addresses.below += u64::from(first < least);
        addresses.lowest = Some(addresses.lowest.map_or(first, |lowest| lowest.min(first)));
        addresses.highest = Some(addresses.highest.map_or(last, |highest| highest.max(last)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(kind: CallKind, address: u64, pages: u32, limit: u64) -> Call {
        Call {
            ns: 1,
            kind,
            cpu: 0,
            dev: 1,
            pfn: (kind != CallKind::Failed).then_some(address / PAGE),
            pages,
            limit_pfn: (kind != CallKind::Free).then_some(limit / PAGE),
            latency_ns: None,
        }
    }

    #[test]
    fn what_the_driver_keeps_low_is_not_missing_high() {
        let (mut sight, least, limit) = (Sight::default(), least(40), 0xbf_7fff_ffff);
        for call in [
            call(CallKind::Alloc, 0xbf_7fff_e000, 2, limit),
            call(CallKind::Alloc, 0xbf_7fff_d000, 1, limit),
            call(CallKind::Alloc, 0xffff_f000, 1, 0xffff_ffff),
            call(CallKind::Free, 0xbf_7fff_d000, 1, 0),
            call(CallKind::Failed, 0, 1, limit),
        ] {
            sight.call(&call, least);
        }
        let seen = &sight.addresses;
        assert_eq!((seen.count, seen.below, seen.narrow, seen.failed), (2, 0, 1, 1));
        assert_eq!((seen.lowest, seen.highest), (Some(0xbf_7fff_d000), Some(0xbf_7fff_ffff)));
        sight.call(&call(CallKind::Alloc, 0x7fff_f000, 1, limit), least);
        assert_eq!((sight.addresses.below, sight.addresses.lowest), (1, Some(0x7fff_f000)));
        assert!(sight.mapped.find().is_some());
    }
}
