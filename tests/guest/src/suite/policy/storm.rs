//! Four tasks do what they like to four devices and to the module itself, while the audit log takes nothing. Afterwards everything is stock, nothing is
//! left, and the kernel has not complained (which xtask looks for).

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, RwLock};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use iova_common::policy::{Stage, kind};
use iova_guest::random::Random;

use super::audit;
use super::device::{self, Device, EDU, NIC, NVME, PATIENCE, SATA};
use super::fuzz;
use super::lease::Control;
use super::selfcheck;
use super::slab;
use crate::Outcome;
use crate::load::Load;

const TASKS: u64 = 4;
/// Of all tasks, unless IOVA_STORM_OPERATIONS says otherwise.
const OPERATIONS: u64 = 2000;
/// Unless IOVA_STORM_SEED says otherwise.
const SEED: u64 = 0x5708;
const HOST_BRIDGE: &str = "0000:00:00.0";
const DEVICES: [Device; 4] = [NIC, NVME, EDU, SATA];

type Operation = (&'static str, fn(&mut Random));

/// A group's type is changed while no device of it comes, goes or gets a driver: kernels don't survive that with no
/// module loaded at all. `iommu_group_store_type()` follows `group->default_domain`, which a group has not had from the
/// beginning and not to the end (drivers/iommu/iommu.c, 7.3: NULL; 6.1: freed memory, in `iommu_dma_get_msi_page()`).
static TYPES: RwLock<()> = RwLock::new(());
/// What iova_load holds in a domain is released before the domain goes: it knows a domain by its address, and the next
/// one may have the same.
static DOMAINS: RwLock<()> = RwLock::new(());

/// What a task may do, each as often as it is here.
const WHAT: [Operation; 26] = [
    // The module comes and goes only here.
    ("type or module", type_or_module),
    ("policy", policy),
    ("policy", policy),
    ("policy", policy),
    ("policy", policy),
    ("policy", policy),
    ("cap", cap),
    ("state", idle),
    ("read", read),
    ("read", read),
    ("lease", lease),
    ("lease", lease),
    ("lease", lease),
    ("lease", lease),
    ("kill", kill),
    ("off", off),
    ("quarantine", quarantine),
    ("faults", faults),
    ("faults", faults),
    ("malformed", malformed),
    ("malformed", malformed),
    ("map", map),
    ("map", map),
    ("bind", bind),
    ("bind", bind),
    ("remove", remove),
];

/// One operation that leaves the module where it is.
pub(super) fn one_without_the_module(random: &mut Random) {
    random.pick(&WHAT[1..]).1(random);
}

pub(super) fn storm() -> Result<Outcome> {
    device::modprobe("iova_load")?;
    let before = settled()?;
    selfcheck::begin()?;
    let (seed, operations) = (number("IOVA_STORM_SEED", SEED)?, number("IOVA_STORM_OPERATIONS", OPERATIONS)?);
    println!("# seed {seed}");
    let pressure = audit::Pressure::start()?;
    let done: Mutex<BTreeMap<&str, (usize, Duration)>> = Mutex::default();
    let count = AtomicUsize::new(0);
    let work = |task: u64| {
        let mut random = Random::new(seed + task);
        for _ in 0..operations / TASKS {
            let (name, operation) = random.pick(&WHAT);
            let start = Instant::now();
            operation(&mut random);
            count.fetch_add(1, Relaxed);
            if let Ok(mut done) = done.lock() {
                let entry = done.entry(name).or_default();
                (entry.0, entry.1) = (entry.0 + 1, entry.1 + start.elapsed());
            }
        }
    };
    std::thread::scope(|scope| {
        let tasks: Vec<_> = (0..TASKS).map(|task| scope.spawn(move || work(task))).collect();
        tasks.into_iter().try_for_each(|task| task.join().map_err(|_| anyhow!("a task panicked")))
    })?;
    for (name, (count, took)) in done.lock().map_err(|_| anyhow!("a task panicked"))?.iter() {
        println!("# {name}: {count} times, {:.1} s", took.as_secs_f32());
    }
    drop(pressure);
    let done = count.into_inner() as u64;
    println!("# {done} operations");
    ensure!(done == operations / TASKS * TASKS, "not all operations were done");

    let after = settled()?;
    is_stock()?;
    let left = after.orphans.saturating_sub(before.orphans);
    ensure!(left == 0, "{left} objects of the module are left after it has gone");
    ensure!(before.strays == 0, "{} objects are in no device's tree to begin with", before.strays);
    if after.strays > 0 {
        slab::show("iommu_iova");
    }
    ensure!(after.strays == 0, "{} objects of iommu_iova are lost: in no device's tree", after.strays);
    selfcheck::end()?;
    Ok(Outcome::Passed)
}

/// A number of the environment, or the usual one.
fn number(name: &'static str, usual: u64) -> Result<u64> {
    std::env::var(name).map_or(Ok(usual), |text| text.parse().context(name))
}

/// What is in use when nothing happens.
struct Settled {
    /// Objects whose origin is a module that has gone.
    orphans: u64,
    /// Objects of the allocator that are in no device's tree.
    strays: u64,
}

/// Every device back with its driver, the module gone, nothing on its way.
fn settled() -> Result<Settled> {
    device::rmmod("iova_policy")?;
    devices_are_back()?;
    count()
}

/// Every device back with its driver, in a domain of the usual type.
pub(super) fn devices_are_back() -> Result<()> {
    fs::write("/sys/bus/pci/rescan", "1")?;
    for device in DEVICES {
        let start = Instant::now();
        while !device.path("iommu_group").exists() {
            ensure!(start.elapsed() < PATIENCE, "{} did not come back", device.0);
            std::thread::sleep(Duration::from_millis(10));
        }
        device.unbind()?;
        // A group of several devices outlives this one, and its type with it. Not every kernel changes such a group's.
        let _ = fs::write(device.path("iommu_group/type"), "auto");
        // A new domain: what its caches held is freed with the old one.
        device.replug()?;
    }
    for (device, driver) in [(NIC, "e1000e"), (NVME, "nvme")] {
        let start = Instant::now();
        while device.driver().as_deref() != Some(driver) {
            ensure!(start.elapsed() < PATIENCE, "{driver} did not come back to {}", device.0);
            let _ = fs::write("/sys/bus/pci/drivers_probe", device.0);
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    Ok(())
}

/// Counts between two walks that agree: drivers have not always done what they do at first when they are bound, and
/// an object that comes after a walk is in no tree that it saw. A domain that has gone may be freed a little later; what
/// is lost stays lost.
fn count() -> Result<Settled> {
    let start = Instant::now();
    let mut in_trees = nodes()?;
    loop {
        let slab::InUse { iova, orphans } = slab::in_use()?;
        let again = nodes()?;
        let (agreed, is_late) = (again == in_trees, start.elapsed() > PATIENCE);
        ensure!(agreed || !is_late, "the devices are never quiet");
        if agreed && (iova == in_trees || is_late) {
            println!("# objects of iommu_iova: {iova}, {in_trees} of them in the devices' trees");
            return Ok(Settled { orphans, strays: iova.saturating_sub(in_trees) });
        }
        in_trees = again;
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Objects in the trees of all devices: ours, and the host bridge, which nobody uses.
fn nodes() -> Result<u64> {
    DEVICES.iter().try_for_each(|device| Load::new(device.0).map(drop))?;
    let all = DEVICES.iter().map(|device| device.0).chain([HOST_BRIDGE]);
    all.map(|device| Load::of(device).run("drain timeout_ms=60000; walk")?.get("nodes")).sum()
}

/// Without the module: every device gives out low addresses; with it: every file shows stock.
fn is_stock() -> Result<()> {
    for device in DEVICES {
        let load = Load::new(device.0)?;
        let mask = if device.driver().is_none() { "mask=64" } else { "" };
        let answer = load.run(&format!("loop sizes=4K,64K,1M count=60 {mask}"))?;
        ensure!(answer.get("high")? == 0 && answer.get("failed")? == 0, "{}: {answer:?}", device.0);
        ensure!(answer.text("sac_exact")? == "1", "{}: {answer:?}", device.0);
        load.clean()?;
    }
    device::modprobe("iova_policy")?;
    for device in DEVICES {
        let shows = device.shows()?;
        let stock = shows.starts_with("policy stock, cap 0, effective ") && shows.ends_with("state idle");
        ensure!(stock, "{}: {shows}", device.0);
    }
    device::rmmod("iova_policy")
}

fn policy(random: &mut Random) {
    let value = match random.below(4) {
        0 => "stock".into(),
        1 => format!("cap:{}", 31 + random.below(34)),
        _ => format!("dac:{}", 32 + random.below(27)),
    };
    let _ = random.pick(&DEVICES).set("policy", &value);
}

fn cap(random: &mut Random) {
    let _ = random.pick(&DEVICES).set("cap", &random.pick(&[0, 32, 36, 40, 57, 63, 64]).to_string());
}

fn idle(random: &mut Random) {
    let _ = random.pick(&DEVICES).set("state", "idle");
}

fn read(random: &mut Random) {
    let device = random.pick(&DEVICES);
    for name in device::FILES {
        let _ = device.get(name);
    }
    let _ = Control::open().and_then(|control| control.records());
}

fn lease(random: &mut Random) {
    let Ok(control) = Control::open() else { return };
    let mut leases = Vec::new();
    for _ in 0..1 + random.below(3) {
        let (kind, width) = random.pick(&[
            (kind::DAC, 40),
            (kind::DAC, 57),
            (kind::CAP, 32),
            (kind::CAP, 43),
            (kind::STOCK, 0),
        ]);
        let (bdf, flags) = (random.pick(&DEVICES).number(), random.below(16) as u32);
        let lease_ms = 1 + random.below(5000) as u32;
        let mut stage = Stage { bdf, flags, kind, width, lease_ms, ..Stage::default() };
        if control.stage(&mut stage).is_ok() {
            leases.push(stage.cookie);
        }
    }
    let _ = control.flush(random.pick(&DEVICES));
    for cookie in leases {
        let _ = match random.below(5) {
            0 => control.commit(cookie).map(drop),
            1 => control.abort(cookie),
            2 => control.renew(cookie, 1 + random.below(20_000) as u32).map(drop),
            3 => control.status(cookie).map(drop),
            // Closing the file ends it.
            _ => Ok(()),
        };
    }
}

/// Everything ends, and may begin again.
fn off(_: &mut Random) {
    let _ = fs::write(device::OFF, "1");
    let _ = fs::write(device::OFF, "0");
}

/// A holder says that its device made a fault, of a lease that may have run out.
fn quarantine(random: &mut Random) {
    let Ok(control) = Control::open() else { return };
    let lease_ms = random.pick(&[100, 60_000]);
    let Ok(stage) = control.stage_dac(random.pick(&DEVICES), lease_ms) else { return };
    std::thread::sleep(Duration::from_millis(random.below(200) as u64));
    let _ = control.quarantine(stage.cookie);
}

/// The IOMMU reports faults of a device from two threads at once.
fn faults(random: &mut Random) {
    let _domains = DOMAINS.read();
    let _ = Load::of(random.pick(&[EDU, SATA]).0).run("faults threads=2 ms=20");
}

/// Requests that nothing should come of.
fn malformed(random: &mut Random) {
    let Ok(control) = Control::open() else { return };
    for _ in 0..20 {
        let _ = fuzz::send_malformed(&control.0, random);
    }
}

/// A process with a lease dies.
fn kill(random: &mut Random) {
    let Ok(own) = std::env::current_exe() else { return };
    let mut command = Command::new(own);
    command.args(["--hold-lease", &random.pick(&DEVICES).number().to_string()]);
    let Ok(mut child) = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn() else { return };
    if let Some(stdout) = child.stdout.take() {
        let _ = BufReader::new(stdout).read_line(&mut String::new());
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// Mappings for a device that has no driver, or one of ours.
fn map(random: &mut Random) {
    let _domains = DOMAINS.read();
    let device = random.pick(&[EDU, SATA]);
    let _ = Load::of(device.0).run(random.pick(&[
        "loop sizes=4K,128K count=100",
        "loop sizes=4K,256K count=100 mask=64",
        "hold size=64K count=20 keep=storm",
        "release keep=*",
    ]));
}

fn bind(random: &mut Random) {
    let _types = TYPES.read();
    let device = random.pick(&DEVICES);
    if device.driver().is_some() && random.below(2) == 0 {
        let _ = device.unbind();
    } else if [NIC.0, NVME.0].contains(&device.0) {
        let _ = fs::write("/sys/bus/pci/drivers_probe", device.0);
    } else {
        let _ = device.bind(random.pick(&["iova_load", "pci-stub"]));
    }
}

fn remove(random: &mut Random) {
    let (_types, _domains) = (TYPES.read(), DOMAINS.write());
    let device = random.pick(&DEVICES);
    let _ = Load::of(device.0).run("release keep=*");
    let _ = fs::write(device.path("remove"), "1");
    let _ = fs::write("/sys/bus/pci/rescan", "1");
}

fn type_or_module(random: &mut Random) {
    match random.below(3) {
        0 => drop(device::rmmod("iova_policy")),
        1 => drop(device::modprobe("iova_policy")),
        _ => {
            let (_types, _domains) = (TYPES.write(), DOMAINS.write());
            let device = random.pick(&DEVICES);
            let _ = Load::of(device.0).run("release keep=*");
            let _ = device.unbind();
            let _ = fs::write(
                device.path("iommu_group/type"),
                random.pick(&["identity", "DMA", "DMA-FQ", "auto"]),
            );
        }
    }
}
