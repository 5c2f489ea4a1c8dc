//! The snapshot of allocator state against the load module's walk under the tree's lock: equal, to the page.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use iova_core::kernel::Kernel;
use iova_core::snapshot::{self, Consistency, DomainState};

use crate::{Outcome, Test};

const NVME: &str = "0000:00:04.0";
const EDU: &str = "0000:00:05.0";
const MODULE: &str = "/dev/iova_load";

pub(crate) const TESTS: &[(&str, Test)] =
    &[("snapshot.equals_locked_walk", equals_locked_walk), ("snapshot.busy_domain_adds_up", busy_domain)];

/// What is done to the device before each comparison. On 6.7 and later the depot empties itself, a magazine in 100 ms:
/// a comparison may have to wait for a moment between two of those.
const PHASES: &[(&str, &[&str])] = &[
    ("fresh", &[]),
    (
        "held",
        &[
            "hold size=4K count=1000 keep=a",
            "hold size=64K count=100 keep=b",
            "hold size=1028K count=10 keep=c",
        ],
    ),
    ("some freed", &["release keep=a every=2", "release keep=c every=3", "drain"]),
    ("other sizes", &["hold size=12K count=300 keep=d"]),
    ("all freed", &["release keep=*", "drain"]),
    ("flushed", &["flush"]),
    ("large tree", &["hold size=4K count=65536 keep=e"]),
    ("large tree freed", &["release keep=*", "drain", "flush"]),
    ("fragmented", &["fragment size=64K hole=64K keep=f"]),
    ("clean", &["release keep=*", "drain", "flush"]),
];

fn equals_locked_walk() -> Result<Outcome> {
    let load = Load::new()?;
    let kernel = Kernel::load()?;
    for (phase, commands) in PHASES {
        for command in *commands {
            load.run(command).with_context(|| format!("{phase}: {command}"))?;
        }
        load.compare(&kernel).with_context(|| (*phase).to_owned())?;
    }
    Ok(Outcome::Passed)
}

/// While two CPUs map and unmap, readings come to an end and add up, marked or not. (Two readings of a busy domain may
/// well agree: caches give the same few addresses out again and again.)
fn busy_domain() -> Result<Outcome> {
    let load = Load::new()?;
    let kernel = Kernel::load()?;
    let quiet = load.state(&kernel)?;
    let command = load.with_device("loop sizes=4K,16K,64K count=100000000 threads=2 seconds=3");
    let busy = std::thread::spawn(move || fs::write(MODULE, command));
    let mut readings = 0;
    while !busy.is_finished() {
        let state = load.state(&kernel)?;
        let low = &state.low;
        let sum = low.reserved + low.live + low.cached + low.pending + low.free;
        ensure!(sum == 1 << 20, "{sum} pages in 4 GiB: {low:?}");
        ensure!(low.reserved == quiet.low.reserved, "reserved changed: {low:?}");
        readings += 1;
    }
    busy.join().map_err(|_| anyhow::anyhow!("the load thread panicked"))??;
    ensure!(readings > 0, "no reading in three seconds");
    load.run("drain")?;
    Ok(Outcome::Passed)
}

/// The load module, and a device for it.
struct Load {
    device: &'static str,
    /// The edu device has no driver to set its mask.
    mask: &'static str,
    group: u32,
}

impl Load {
    fn new() -> Result<Self> {
        if !Path::new(MODULE).exists() {
            Command::new("/bin/busybox").args(["modprobe", "iova_load"]).status()?;
        }
        ensure!(Path::new(MODULE).exists(), "the load module is not there");
        // A virtio IOMMU takes a device in only when a driver does.
        let (device, mask) = match group(EDU) {
            Ok(_) => (EDU, " mask=48"),
            Err(_) => (NVME, ""),
        };
        Ok(Self { device, mask, group: group(device)? })
    }

    fn with_device(&self, command: &str) -> String {
        let maps = ["hold", "loop", "fragment"].iter().any(|verb| command.starts_with(verb));
        format!("{command} dev={}{}", self.device, if maps { self.mask } else { "" })
    }

    fn run(&self, command: &str) -> Result<HashMap<String, String>> {
        let result = fs::write(MODULE, self.with_device(command));
        let answer = fs::read_to_string(MODULE)?;
        result.with_context(|| answer.replace('\n', " "))?;
        Ok(answer.lines().filter_map(|line| line.split_once('=')).map(own).collect())
    }

    fn state(&self, kernel: &Kernel) -> Result<DomainState> {
        let snapshot = snapshot::take(kernel);
        ensure!(snapshot.missing.is_empty(), "{:?}", snapshot.missing);
        let state = snapshot.domains.into_iter().find(|domain| domain.group == Some(self.group));
        state.with_context(|| format!("group {} has no domain", self.group))
    }

    /// Compares until the module's walks before and after agree: then nothing moved in between.
    fn compare(&self, kernel: &Kernel) -> Result<()> {
        for _ in 0..50 {
            let before = oracle(&self.run("walk")?)?;
            let state = self.state(kernel)?;
            if oracle(&self.run("walk")?)? == before {
                ensure!(state.consistency == Consistency::Stable, "a quiet domain was called approximate");
                let ours = ours(&state);
                let differ = ours.iter().zip(&before).filter(|(ours, walk)| ours != walk);
                let differ: Vec<_> = differ.map(|(ours, walk)| format!("{ours:?}, walk {walk:?}")).collect();
                ensure!(differ.is_empty(), "{}", differ.join("; "));
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("the domain never held still")
    }
}

fn own((key, value): (&str, &str)) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

fn group(device: &str) -> Result<u32> {
    let link = fs::read_link(format!("/sys/bus/pci/devices/{device}/iommu_group"))?;
    let name = link.file_name().and_then(|name| name.to_str()).context("a group without a name")?;
    Ok(name.parse()?)
}

type Figures = Vec<(String, u64)>;

/// What the walk under the lock says. Page 0, which no mapping can get, is reserved to us and nothing to the module.
fn oracle(walk: &HashMap<String, String>) -> Result<Figures> {
    let get = |key: &str| -> Result<u64> {
        Ok(walk.get(key).with_context(|| format!("the walk has no {key}"))?.parse()?)
    };
    ensure!(get("inconsistent")? == 0, "the walk contradicts itself");
    let held = [get("live_low_pages")?, get("cached_low_pages")?, get("pending_low_pages")?];
    let free = get("free_low_pages")?;
    let mut figures: Figures = vec![
        ("reserved".into(), (1 << 20) - held.iter().sum::<u64>() - free),
        ("live".into(), held[0]),
        ("cached".into(), held[1]),
        ("pending".into(), held[2]),
        ("free".into(), free),
        ("largest gap".into(), get("largest_gap_pages")?),
        ("nodes".into(), get("nodes")?),
        ("high".into(), get("tree_high_pages")?),
        ("cached addresses".into(), get("cached_entries")?),
        ("queued".into(), get("pending_entries")?),
        ("max32_alloc_size".into(), get("max32_alloc_size")?),
        ("lazy".into(), get("fq")?),
    ];
    for order in 0..=20 {
        figures.push((format!("blocks of order {order}"), get(&format!("blocks_{order}"))?));
    }
    Ok(figures)
}

fn ours(state: &DomainState) -> Figures {
    let low = &state.low;
    let mut figures: Figures = vec![
        ("reserved".into(), low.reserved),
        ("live".into(), low.live),
        ("cached".into(), low.cached),
        ("pending".into(), low.pending),
        ("free".into(), low.free),
        ("largest gap".into(), low.largest_gap),
        ("nodes".into(), state.nodes),
        ("high".into(), state.high_pages),
        ("cached addresses".into(), state.cached_by_order.iter().sum()),
        ("queued".into(), state.fq_entries),
        ("max32_alloc_size".into(), state.max32_alloc_pages),
        ("lazy".into(), u64::from(state.lazy)),
    ];
    let blocks = low.aligned_blocks.iter().take(21).enumerate();
    figures.extend(blocks.map(|(order, blocks)| (format!("blocks of order {order}"), *blocks)));
    figures
}
