//! Allocations that fail: each one of every entry into the module, one after the other, and then one in ten of all that the
//! module makes in any task. For a kernel with CONFIG_FAILSLAB and CONFIG_FAIL_PAGE_ALLOC (`6.12-debug`).

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use iova_common::policy::{Stage, kind};
use iova_guest::random::Random;

use super::device::{self, EDU, NVME};
use super::lease::Control;
use super::{selfcheck, storm};
use crate::Outcome;
use crate::load::Load;

/// The number of the allocation of this task that fails next; 0 or less when it has (Documentation/fault-injection).
const FAIL_NTH: &str = "/proc/thread-self/fail-nth";
const DEBUG: &str = "/sys/kernel/debug";
const KINDS: [&str; 2] = ["failslab", "fail_page_alloc"];
/// Allocations of one entry, at most.
const MANY: u32 = 2000;
/// With one allocation in ten failing.
const OPERATIONS: usize = 1000;

type Entry = (&'static str, fn() -> Result<()>);

/// Entries into the module that a user has. Errors are expected.
const ENTRIES: [Entry; 9] = [
    ("open", || Control::open().map(drop)),
    ("a lease that is given up", || {
        let control = Control::open()?;
        Ok(control.abort(control.stage_dac(EDU, 60_000)?.cookie)?)
    }),
    ("a lease that is kept", || {
        let control = Control::open()?;
        let stage = control.stage_dac(EDU, 60_000)?;
        control.renew(stage.cookie, 30_000)?;
        control.status(stage.cookie)?;
        Ok(control.commit(stage.cookie).map(drop)?)
    }),
    ("a lease of a cap", || {
        let control = Control::open()?;
        let (bdf, kind) = (EDU.number(), kind::CAP);
        control.stage(&mut Stage { bdf, kind, width: 32, lease_ms: 60_000, ..Stage::default() })?;
        Ok(())
    }),
    ("a quarantine", || {
        let control = Control::open()?;
        Ok(control.quarantine(control.stage_dac(EDU, 60_000)?.cookie)?)
    }),
    ("flush", || Ok(Control::open()?.flush(EDU)?)),
    ("policy", || Ok(EDU.set("policy", "dac:40")?)),
    ("off", || {
        EDU.set("policy", "cap:36")?;
        NVME.set("cap", "57")?;
        Ok(fs::write(device::OFF, "1")?)
    }),
    ("reading", || {
        device::FILES.into_iter().try_for_each(|name| EDU.get(name).map(drop))?;
        Control::open()?.records().map(drop)
    }),
];

pub(super) fn every_allocation() -> Result<Outcome> {
    if !Path::new(FAIL_NTH).exists() {
        return Ok(Outcome::Skipped("this kernel lets no allocation fail".into()));
    }
    device::module()?;
    EDU.bind("iova_load")?;
    Load::new(EDU.0)?.run("loop sizes=4K count=1 mask=64")?;
    for kind in KINDS {
        // Also those that may sleep.
        set(kind, "ignore-gfp-wait", "N")?;
    }
    set("fail_page_alloc", "min-order", "0")?;
    let (before, _) = (device_states()?, selfcheck::begin()?);
    for (name, entry) in ENTRIES {
        let failed = fail_each(entry).context(name)?;
        println!("# {name}: {failed} allocations failed");
        ensure!(failed < MANY, "{name}: there is no end to its allocations");
        ensure!(device_states()? == before, "{name}: {:?}; it was {before:?}", device_states()?);
    }
    selfcheck::end()?;
    EDU.unbind()?;
    Ok(Outcome::Passed)
}

/// Enters once for each allocation, which then fails, and once without. Afterwards everything is stock again.
fn fail_each(entry: fn() -> Result<()>) -> Result<u32> {
    for nth in 1..MANY {
        fs::write(FAIL_NTH, nth.to_string())?;
        let result = entry();
        let left: i64 = fs::read_to_string(FAIL_NTH)?.trim().parse()?;
        fs::write(FAIL_NTH, "0")?;
        device::module()?;
        if left > 0 {
            return result.map(|()| nth - 1).context("with no allocation failing");
        }
    }
    Ok(MANY)
}

fn device_states() -> Result<[String; 2]> {
    Ok([EDU.shows()?, NVME.shows()?])
}

/// Devices come and go, get and lose drivers and policies, while one in ten allocations fails that the module makes itself or has others
/// make, in any task.
pub(super) fn one_in_ten() -> Result<Outcome> {
    let filter = Path::new(DEBUG).join("failslab/require-start");
    if !filter.exists() {
        return Ok(Outcome::Skipped("this kernel does not choose allocations by their callers".into()));
    }
    device::modprobe("iova_load")?;
    device::module()?;
    let before = device_states()?;
    selfcheck::begin()?;
    let (start, end) = text_of_the_module()?;
    for kind in KINDS {
        for (file, value) in [
            ("require-start", format!("{start:#x}")),
            ("require-end", format!("{end:#x}")),
            ("stacktrace-depth", "32".into()),
            ("ignore-gfp-wait", "N".into()),
            ("verbose", "0".into()),
            ("times", "-1".into()),
            ("probability", "10".into()),
        ] {
            set(kind, file, &value)?;
        }
    }
    let mut random = Random::new(0xfa11);
    (0..OPERATIONS).for_each(|_| storm::one_without_the_module(&mut random));
    for kind in KINDS {
        set(kind, "probability", "0")?;
    }
    storm::devices_are_back()?;
    device::module()?;
    ensure!(device_states()? == before, "{:?}; it was {before:?}", device_states()?);
    device::rmmod("iova_policy")?;
    selfcheck::end()?;
    Ok(Outcome::Passed)
}

/// Addresses of the module's code: its first section, up to the next one of the same mapping.
fn text_of_the_module() -> Result<(u64, u64)> {
    let modules = fs::read_to_string("/proc/modules")?;
    let line = modules.lines().find(|line| line.starts_with("iova_policy ")).context("no iova_policy")?;
    let mut fields = line.split_whitespace();
    let size: u64 = fields.nth(1).context("no size")?.parse()?;
    let start = fields.find(|field| field.starts_with("0x")).context("no address")?;
    let start = u64::from_str_radix(start.trim_start_matches("0x"), 16)?;
    ensure!(start != 0, "/proc/modules hides addresses");
    Ok((start, start + size))
}

fn set(kind: &str, file: &str, value: &str) -> Result<()> {
    let path = Path::new(DEBUG).join(kind).join(file);
    fs::write(&path, value).with_context(|| format!("writing {value} to {}", path.display()))
}
