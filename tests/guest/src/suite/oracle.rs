//! The report's account of the space below 4 GiB against the load module's walk under the tree's lock: equal, to the
//! page, while the host is quiet.
//!
//! On 6.7 and later the depot empties itself, a magazine in 100 ms: a comparison counts when the walks before and after
//! the report agree.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::load::{Answer, EDU, Load, group};
use crate::measure::{Report, by_order, known};
use crate::{Outcome, Test};

pub(crate) const TESTS: &[(&str, Test)] = &[("oracle.space_equals_locked_walk", equals_locked_walk)];

/// How often a domain may change under a report before that is a failure.
const ATTEMPTS: u32 = 100;

/// What is done before each comparison.
const PHASES: &[(&str, &[&str])] = &[
    (
        "mappings held",
        &[
            "hold mask=64 size=4K count=1000 keep=a",
            "hold mask=64 size=64K count=200 keep=b",
            "hold mask=64 size=1028K count=20 keep=c",
        ],
    ),
    ("half of them freed", &["release keep=a every=2", "release keep=c first=3 count=9; drain"]),
    ("all of them freed", &["release keep=*; drain"]),
    ("caches flushed", &["flush"]),
    (
        "full and fragmented, and above 4 GiB",
        &[
            "fragment mask=64 size=256K hole=512K keep=d",
            "hold mask=64 size=2M count=10 keep=e",
            "hold mask=64 size=4K count=300 keep=f",
        ],
    ),
];

fn equals_locked_walk() -> Result<Outcome> {
    let load = Load::new(EDU)?;
    let group = group(EDU)?;
    for (phase, commands) in PHASES {
        for command in *commands {
            load.run(command).with_context(|| format!("{phase}: {command}"))?;
        }
        compare(&load, group).with_context(|| (*phase).to_owned())?;
    }
    Ok(Outcome::Passed)
}

fn compare(load: &Load, group: u64) -> Result<()> {
    for _ in 0..ATTEMPTS {
        let before = walked(&load.run("walk")?)?;
        let report = Report::take(&["--profile", "light", "--duration", "0.01"])?;
        if walked(&load.run("walk")?)? != before {
            continue;
        }
        let domain = report.domain(group)?;
        ensure!(domain["consistency"] == "stable", "a quiet domain was called {}", domain["consistency"]);
        let wrong: Vec<_> = reported(domain)?
            .into_iter()
            .zip(before)
            .filter(|(ours, truth)| ours != truth)
            .map(|(ours, truth)| format!("{} {}, walk {}", ours.0, ours.1, truth.1))
            .collect();
        ensure!(wrong.is_empty(), "{}", wrong.join("; "));
        let summary = known(report.device(EDU)?, "low_space.free_bytes")?;
        ensure!(summary == known(domain, "low_space.free_bytes")?, "device and domain disagree");
        return Ok(());
    }
    bail!("the domain never held still")
}

type Figures = Vec<(String, u64)>;

/// What the walk says, in the report's terms. Page 0, which no mapping can get, is reserved in the report.
fn walked(walk: &Answer) -> Result<Figures> {
    ensure!(walk.get("inconsistent")? == 0, "the walk contradicts itself");
    let [live, cached, pending, free, gap] =
        ["live_low_pages", "cached_low_pages", "pending_low_pages", "free_low_pages", "largest_gap_pages"]
            .map(|key| walk.get(key));
    let (live, cached, pending, free) = (live?, cached?, pending?, free?);
    let capacity = live + cached + pending + free;
    let high =
        walk.get("live_high_pages")? + walk.get("cached_high_pages")? + walk.get("pending_high_pages")?;
    let mut figures = bytes(&[
        ("low_space.capacity_bytes", capacity),
        ("low_space.reserved_bytes", (1 << 20) - capacity),
        ("low_space.live_bytes", live),
        ("low_space.cached_bytes", cached),
        ("low_space.pending_bytes", pending),
        ("low_space.free_bytes", free),
        ("low_space.largest_gap_bytes", gap?),
        ("high_bytes", high),
    ]);
    figures.push(("nodes".into(), walk.get("nodes")?));
    figures.push(("flush_queue.entries".into(), walk.get("pending_entries")?));
    figures.push(("cached addresses".into(), walk.get("cached_entries")?));
    for order in 0..=20 {
        figures.push((format!("blocks of order {order}"), walk.get(&format!("blocks_{order}"))?));
    }
    Ok(figures)
}

fn bytes(pages: &[(&str, u64)]) -> Figures {
    pages.iter().map(|(name, pages)| ((*name).to_owned(), pages << 12)).collect()
}

fn reported(domain: &Value) -> Result<Figures> {
    let names = [
        "low_space.capacity_bytes",
        "low_space.reserved_bytes",
        "low_space.live_bytes",
        "low_space.cached_bytes",
        "low_space.pending_bytes",
        "low_space.free_bytes",
        "low_space.largest_gap_bytes",
        "high_bytes",
        "nodes",
        "flush_queue.entries",
    ];
    let figure = |name: &&str| Ok(((*name).to_owned(), known(domain, name)?));
    let mut figures = names.iter().map(figure).collect::<Result<Figures>>()?;
    let cached = by_order(domain, "cached_by_order")?.iter().map(|(_, count)| count).sum();
    figures.push(("cached addresses".into(), cached));
    let blocks = by_order(domain, "aligned_blocks")?;
    for order in 0..=20 {
        let count = blocks.iter().find(|(of, _)| *of == order).map_or(0, |(_, count)| *count);
        figures.push((format!("blocks of order {order}"), count));
    }
    Ok(figures)
}
