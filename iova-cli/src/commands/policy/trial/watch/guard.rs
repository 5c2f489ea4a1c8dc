//! What ends a trial at once: faults of the device, and the module's own decisions.

use super::super::verdict::{No, Verdict};
use super::Watch;
use crate::commands::policy::fault::fault_of;
use crate::commands::policy::host;
use crate::exit::Stop;
use iova_core::policy::classify::{LiveSet, classify};
use iova_core::policy::module::{Abort, Control, LeaseState, ModuleError};
use iova_core::policy::{Cause, Evidence};

impl Watch<'_> {
    /// DMA faults of the device: the policy is taken back before anything else is done.
    pub(super) fn faults(&mut self) -> Result<Option<Verdict>, Stop> {
        let events = self.live.events()?;
        let Some((address, read)) = events.iter().find_map(|event| fault_of(event, self.device)) else {
            return Ok(None);
        };
        if !self.options.guard {
            let verdict = Verdict::Fault { evidence: self.evidence(address), read };
            self.note(verdict.sentence());
            return Ok(None);
        }
        let bare = Evidence { address, ..Evidence::default() };
        let end = Abort::Quarantine { cause: Cause::Fault, evidence: bare };
        let over = self.end_at_once(end, Verdict::Fault { evidence: bare, read })?;
        Ok(Some(self.explained(over)))
    }

    /// What the fault meant, told to the module too: its quarantine outlives this process.
    fn explained(&mut self, verdict: Verdict) -> Verdict {
        let Verdict::Fault { evidence, read } = verdict else { return verdict };
        let evidence = self.evidence(evidence.address);
        // Somebody may have lifted the quarantine meanwhile; the history has it in any case.
        let _ = self.control.abort(&self.lease, Abort::Quarantine { cause: Cause::Fault, evidence });
        Verdict::Fault { evidence, read }
    }

    fn evidence(&mut self, address: u64) -> Evidence {
        let snapshot = self.live.snapshot_of(self.device.group);
        let domain = snapshot.domains.iter().find(|domain| Some(domain.iovad) == self.device.iovad);
        let held = self.lease.staged.held_bytes > 0;
        let Some(domain) = domain else {
            return Evidence { address, ..Evidence::default() };
        };
        let mut live = LiveSet::of_domain(domain, held);
        // A drain of the caches may have taken the buffer's address out of them before this look.
        live.add_known(self.live.recent_addresses());
        classify(address, &live).evidence
    }

    /// The module may have been faster.
    pub(super) fn end_at_once(&mut self, how: Abort, verdict: Verdict) -> Result<Verdict, Stop> {
        match self.control.abort(&self.lease, how) {
            Ok(()) => Ok(verdict),
            Err(ModuleError::NoLease) if self.taken().is_some_and(Cause::is_hardware) => Ok(verdict),
            Err(error) => self.taken().map(Verdict::Taken).ok_or_else(|| host::stop(error)),
        }
    }

    /// Takes the policy back, unless a fault that came since the last look says more. Nothing looks after this.
    pub(super) fn take_back(&mut self, no: No) -> Result<Verdict, Stop> {
        if let Some(verdict) = self.faults()? {
            return Ok(verdict);
        }
        match self.control.abort(&self.lease, Abort::GiveUp) {
            Ok(()) => Ok(Verdict::Not(no)),
            // It is over already, or will be as soon as the descriptor is closed.
            Err(_) => Ok(self.lease_over()?.unwrap_or(Verdict::Not(no))),
        }
    }

    /// The cause, if the module has ended the lease.
    fn taken(&self) -> Option<Cause> {
        match self.control.status(&self.lease).ok()?.state {
            LeaseState::Ended(cause) => Some(cause),
            LeaseState::Open(_) | LeaseState::Kept => None,
        }
    }

    /// If the module saw the fault before us, what it means is still to be said.
    pub(super) fn lease_over(&mut self) -> Result<Option<Verdict>, Stop> {
        let Some(cause) = self.taken() else { return Ok(None) };
        // A heartbeat that came too late is no reason to miss the fault.
        if cause == Cause::Expired
            && let Some(verdict) = self.faults()?
        {
            return Ok(Some(verdict));
        }
        if cause != Cause::Fault {
            return Ok(Some(Verdict::Taken(cause)));
        }
        let events = self.live.events()?;
        let seen = events.iter().find_map(|event| fault_of(event, self.device));
        let told = || self.recorded_fault().map(|address| (address, None));
        let bare = |address| Evidence { address, ..Evidence::default() };
        Ok(Some(match seen.or_else(told) {
            Some((address, read)) => self.explained(Verdict::Fault { evidence: bare(address), read }),
            None => Verdict::Taken(cause),
        }))
    }

    /// The address that the module has in its records.
    fn recorded_fault(&self) -> Option<u64> {
        // Another descriptor has a position of its own and begins with the oldest record.
        let records = Control::open(self.live.kernel().ok()).ok()?.records().ok()?;
        let ours = records.iter().rev().filter(|record| record.bdf == self.lease.bdf);
        ours.filter(|record| record.cause == Cause::Fault).find_map(|record| Some(record.evidence?.address))
    }

    /// The module has refused: mostly because the lease is over.
    pub(super) fn lost(&mut self, error: ModuleError) -> Result<Verdict, Stop> {
        self.lease_over()?.ok_or_else(|| host::stop(error))
    }
}
