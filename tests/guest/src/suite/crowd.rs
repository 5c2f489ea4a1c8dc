//! `iova top` on a host with 200 devices, half of which never rest: what it takes, also when its history is full.

use std::fs;
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::load::Load;
use crate::policy::device;
use crate::robust::maps;
use crate::robust::run::remark;
use crate::top::Pty;
use crate::{Outcome, Test};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("crowd.list_knows_the_port_above", list_knows_the_port),
    ("crowd.maps_take_what_doctor_says", maps::take_what_doctor_says),
    ("crowd.screen_stays_small", || stays_small(3 * STUCK)),
];

/// A history that is full takes a while.
pub(crate) const FULL: &[(&str, Test)] =
    &[("crowd.screen_with_a_full_history_stays_small", || stays_small(INTERVALS))];

/// Vendor and device of QEMU's edu.
const ID: (&str, &str) = ("0x1234", "0x11e8");
/// As many as xtask gives this guest, and the one that every guest has.
const COUNT: usize = 99;
/// With their root ports, and what else every guest has.
const ALL: usize = 200;
/// Of a large terminal.
const SIZE: (u16, u16) = (60, 200);
/// What a process may take.
const MEMORY_KIB: u64 = 40 << 10;
/// Intervals that the history keeps, and some more.
const INTERVALS: u32 = 620;
const INTERVAL: Duration = Duration::from_millis(250);
/// For so many intervals, after as many others, nobody reads what the screen writes.
const STUCK: u32 = 60;

/// The list of tests/compat has one cap for an edu device, and a narrower one where it is behind a root port.
fn list_knows_the_port() -> Result<Outcome> {
    device::insert_listed(&["list=1"])?;
    let caps: Vec<(String, String)> = busy_devices()?.into_iter().map(with_cap).collect::<Result<_>>()?;
    device::rmmod("iova_policy")?;
    let behind = caps.iter().filter(|(_, cap)| cap == "33").count();
    let alone: Vec<_> = caps.iter().filter(|(_, cap)| cap == "36").map(|(bdf, _)| bdf.as_str()).collect();
    ensure!(behind == COUNT - 1 && alone == [crate::load::EDU], "{caps:?}");
    Ok(Outcome::Passed)
}

fn with_cap(bdf: String) -> Result<(String, String)> {
    let path = format!("/sys/bus/pci/devices/{bdf}/iova_policy/cap");
    let cap = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    Ok((bdf, cap.trim().to_owned()))
}

fn stays_small(intervals: u32) -> Result<Outcome> {
    let devices = busy_devices()?;
    let all = fs::read_dir("/sys/kernel/iommu_groups")?.count();
    ensure!(devices.len() == COUNT && all >= ALL, "{} of {all} devices", devices.len());
    let loads = devices.into_iter().map(|device| Load::new(device.leak()));
    let loads: Vec<Load> = loads.collect::<Result<_>>()?;
    let [rows, columns] = [SIZE.0, SIZE.1].map(|cells| NonZeroU16::new(cells).context("no cells"));
    let mut pty = Pty::of_size((rows?, columns?))?;
    let mut child = pty.start(&["top", &format!("{}ms", INTERVAL.as_millis())])?;
    pty.shows("LIVE")?;
    let start = Instant::now();
    let mut rounds = 0;
    while start.elapsed() < INTERVAL * intervals {
        load_all(&loads)?;
        // For a while the terminal takes nothing, as after Ctrl-S.
        if start.elapsed() < INTERVAL * STUCK || start.elapsed() > INTERVAL * 2 * STUCK {
            pty.take_all()?;
        }
        rounds += 1;
    }
    let (peak, now) = (status(child.id(), "VmHWM")?, status(child.id(), "VmRSS")?);
    let share = cpu_time(child.id())?.as_secs_f64() / start.elapsed().as_secs_f64();
    remark(&format!(
        "{all} devices, on {COUNT} {rounds} rounds of 30 allocations each: peak {peak} KiB, at the end {now} KiB, {:.1} % of a \
         translated CPU",
        share * 100.0
    ));
    pty.press("q")?;
    let code = pty.wait(&mut child)?;
    ensure!(code == 0, "the exit code is {code}");
    ensure!(peak <= MEMORY_KIB, "{peak} KiB at the peak, {MEMORY_KIB} allowed");
    Ok(Outcome::Passed)
}

fn load_all(loads: &[Load]) -> Result<()> {
    loads.iter().try_for_each(|load| load.run("loop mask=64 sizes=4K,64K,1M count=30").map(drop))
}

fn busy_devices() -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/sys/bus/pci/devices")? {
        let path = entry?.path();
        let is = |file, id| fs::read_to_string(path.join(file)).is_ok_and(|text| text.trim() == id);
        if is("vendor", ID.0) && is("device", ID.1) {
            found.extend(path.file_name().and_then(|name| name.to_str()).map(str::to_owned));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// A line of /proc/PID/status, KiB.
fn status(pid: u32, name: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    Ok(line.context("no such line")?.trim().trim_end_matches(" kB").parse()?)
}

/// User and system time that a process has used.
fn cpu_time(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(')').next().context("no fields")?.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).context("no field")?.parse::<u64>().context("no number");
    // A tick is 10 ms on every x86.
    Ok(Duration::from_millis((ticks(11)? + ticks(12)?) * 10))
}
