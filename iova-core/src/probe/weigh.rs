//! What the programs cost those they watch, by the kernel's own statistics of BPF programs.
//!
//! With them on, the kernel takes the time before and after each run of any program (`__bpf_prog_enter` and
//! `__bpf_prog_exit`, kernel/bpf/trampoline.c): that costs more than some of our programs, so they are on only briefly.

use std::os::fd::OwnedFd;

use aya::sys::{Stats, enable_stats};

use super::hooks::{HOOKS, Role};
use super::object::Object;
use crate::bpf;

/// What was weighed.
#[derive(Clone, Copy, Default)]
pub(super) struct Weight {
    /// Run time of all of our programs, ns.
    pub(super) run_ns: u64,
    /// Allocations meanwhile.
    pub(super) allocs: u64,
}

impl Weight {
    /// Since the programs were loaded, as far as anybody had the statistics on.
    fn now(object: &Object) -> Self {
        let mut all = Self::default();
        for (name, program) in object.programs() {
            let Some(stats) = bpf::run_stats(program) else { continue };
            all.run_ns += stats.run_ns;
            // Each allocation runs one of these once.
            if HOOKS.iter().any(|hook| hook.runs(name) && hook.role == Role::Alloc) {
                all.allocs += stats.runs;
            }
        }
        all
    }

    fn plus(self, from: Self, to: Self) -> Self {
        Self {
            run_ns: self.run_ns + to.run_ns.saturating_sub(from.run_ns),
            allocs: self.allocs + to.allocs.saturating_sub(from.allocs),
        }
    }
}

/// Weighs while it is on.
#[derive(Default)]
pub(super) struct Scale {
    /// Statistics are on while this is open; what they showed before.
    on: Option<(OwnedFd, Weight)>,
    before: Weight,
}

impl Scale {
    /// Where statistics can't be had (before 5.8, or without CAP_SYS_ADMIN), nothing is ever weighed.
    pub(super) fn turn(&mut self, on: bool, object: &Object) {
        match (on, self.on.is_some()) {
            (true, false) => {
                let stats = enable_stats(Stats::RunTime).ok();
                self.on = stats.map(|stats| (stats, Weight::now(object)));
            }
            (false, true) => {
                self.before = self.total(object);
                self.on = None;
            }
            _ => {}
        }
    }

    /// All that was weighed so far.
    pub(super) fn total(&self, object: &Object) -> Weight {
        self.on.as_ref().map_or(self.before, |(_, from)| self.before.plus(*from, Weight::now(object)))
    }
}
