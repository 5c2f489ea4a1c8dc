//! Are the figures comparable at all?

use super::run::{Run, RunHost};
use std::collections::BTreeSet;

/// What differs between the machines of some runs, in sentences without full stop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Differences {
    /// With these the same load gives other figures.
    pub(super) grave: Vec<String>,
    /// With these it may, and they may be what is compared.
    pub(super) mild: Vec<String>,
}

type Get = fn(&RunHost) -> &str;

const GRAVE: [(&str, Get); 4] = [
    ("profiles", |host| &host.profile),
    ("numbers of CPUs", |host| &host.cpus),
    ("IOMMUs", |host| &host.iommu),
    ("architectures", |host| &host.arch),
];
const MILD: [(&str, Get); 3] = [
    ("kernels", |host| &host.kernel),
    ("domain types", |host| &host.domain_type),
    ("hosts", |host| &host.name),
];

/// Of all runs of both sides.
pub(super) fn differences(runs: &[&Run]) -> Differences {
    let found = |(what, get): &(&str, Get)| {
        let values: BTreeSet<&str> = runs.iter().filter_map(|run| run.host.as_ref()).map(get).collect();
        let values = values.into_iter().map(|value| if value.is_empty() { "unknown" } else { value });
        let values: Vec<_> = values.collect();
        (values.len() > 1).then(|| format!("the runs are of different {what}: {}", values.join(", ")))
    };
    Differences {
        grave: GRAVE.iter().filter_map(found).collect(),
        mild: MILD.iter().filter_map(found).collect(),
    }
}
