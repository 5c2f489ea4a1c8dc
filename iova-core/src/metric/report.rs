//! Metrics of the report as a whole.

use super::{Metric, list, metric};

const COUNTED: &str = "Counted by the probes; 0 means nothing was lost.";

/// What iova adds to an allocation.
pub const ADDED_TIME: &str = "quality.added_ns_per_alloc";

pub(super) const TABLE: &[&[Metric]] = &[
    &[
        metric!(
            Report,
            "schema_version",
            Number,
            |r| r.schema_version,
            "Version of the JSON schema; raised when a name changes its meaning or goes away.",
            "A constant."
        ),
        metric!(Report, "host.cpus", Count, |r| r.host.cpus, "Online CPUs.", "sysfs."),
        metric!(Report, "host.memory_bytes", Bytes, |r| r.host.memory_bytes, "Memory.", "/proc/meminfo."),
        metric!(
            Report,
            "duration_s",
            Seconds,
            |r| r.duration_s,
            "Length of the interval all figures refer to.",
            "CLOCK_MONOTONIC of the first and the last reading."
        ),
        metric!(
            Report,
            "command.exit_code",
            Number,
            |r| r.command.as_ref().and_then(|command| command.exit_code),
            "Exit code of the measured command.",
            "Unknown without a command, or if a signal ended it."
        ),
        metric!(
            Report,
            "command.signal",
            Number,
            |r| r.command.as_ref().and_then(|command| command.signal),
            "Signal that ended the measured command.",
            "Unknown if it exited by itself."
        ),
    ],
    &[
        metric!(
            Report,
            "quality.recursion_misses",
            Count,
            |r| r.quality.recursion_misses,
            "Probe runs the kernel skipped because the same program was already running on that CPU.",
            "bpf_prog_info.recursion_misses."
        ),
        metric!(
            Report,
            "quality.frames_lost",
            Count,
            |r| r.quality.frames_lost,
            "Calls that were counted, but neither timed nor looked into (alloc.slow, alloc.sac_attempts, ...), because \
             their entry record was gone at return.",
            COUNTED
        ),
        metric!(
            Report,
            "quality.inner_unowned",
            Count,
            |r| r.quality.inner_unowned,
            "Calls of alloc_iova_fast or alloc_iova that belonged to no device's allocation (other users of iova.c).",
            COUNTED
        ),
        metric!(
            Report,
            "quality.events_limited",
            Count,
            |r| r.quality.events_limited,
            "Rare events other than faults that were not sent because the rate limit was reached.",
            COUNTED
        ),
        metric!(
            Report,
            "quality.faults_limited",
            Count,
            |r| r.quality.faults_limited,
            "DMA faults that were not sent because their own rate limit was reached.",
            COUNTED
        ),
        metric!(
            Report,
            "quality.events_lost",
            Count,
            |r| r.quality.events_lost,
            "Rare events that were not sent because the ring buffer was full.",
            COUNTED
        ),
        metric!(
            Report,
            "quality.no_slot",
            Count,
            |r| r.quality.no_slot,
            "Calls counted for device \"other\", because there were more devices than slots.",
            COUNTED
        ),
        metric!(
            Report,
            ADDED_TIME,
            Nanoseconds,
            |r| r.quality.added_ns_per_alloc,
            "What iova adds to one allocation: the run time of its programs, those for frees and all else included, per \
             allocation. What the kernel needs to get to them (trampolines) is not counted.",
            "bpf_prog_info.run_time_ns and run_cnt, from Linux 5.8 on. iova top lets the kernel measure it in the first \
             interval and in one of 60, because that costs time too; elsewhere unknown."
        ),
        metric!(
            Report,
            "quality.alloc_sampling",
            Count,
            |r| r.quality.alloc_sampling,
            "One allocation in this many is timed (0: none); all are counted.",
            "Set by the profile."
        ),
        metric!(
            Report,
            "quality.search_sampling",
            Count,
            |r| r.quality.search_sampling,
            "One tree search in this many is timed, in place of allocations (0: none); all are counted.",
            "Set by the profile: light."
        ),
        metric!(
            Report,
            "quality.free_sampling",
            Count,
            |r| r.quality.free_sampling,
            "One unmap in this many is timed (0: none); all are counted.",
            "Set by the profile."
        ),
    ],
    &[list!(Report, "findings[].group", Number, "IOMMU group a finding is about.", "sysfs.")],
];
