//! What the exporter may still do once it answers: nothing, and it sees the space all the same.

use std::fs;

use anyhow::{Context, Result, ensure};

use super::scrape::label;
use super::{Exporter, TCP, device};
use crate::Outcome;
use crate::load::{EDU, Load};

/// `CAP_BPF` of include/uapi/linux/capability.h.
const BPF: u64 = 1 << 39;

/// 100 MiB.
const HOLD: &str = "hold mask=64 size=64K count=1600";
const HELD: f64 = (1600 << 16) as f64;

pub(super) fn none_left() -> Result<Outcome> {
    let load = Load::new(EDU)?;
    // The space is looked at in what reading leaves of 1.8 % of a core.
    let exporter = Exporter::every("2s", TCP, &[])?;
    let scrape = exporter.scrape()?;
    let kept = match label(scrape.info("iova_exporter_privileges_info")?, "capabilities")? {
        "none" => 0,
        // From 5.19 on a map can be read without.
        "CAP_BPF" if std::env::var("IOVA_LAB_KERNEL").is_ok_and(|line| line == "5.10") => BPF,
        other => anyhow::bail!("it says that it kept {other}"),
    };
    let process = format!("/proc/{}", exporter.running.pid());
    // Rights are those of a thread.
    for thread in fs::read_dir(format!("{process}/task"))? {
        let status = fs::read_to_string(thread?.path().join("status"))?;
        check(&status, kept).with_context(|| format!("thread {}", field(&status, "Name").unwrap_or("?")))?;
    }
    let files = fs::read_dir(format!("{process}/fd"))?.flatten();
    let kcore = files.filter_map(|file| fs::read_link(file.path()).ok()).filter(|to| to.ends_with("kcore"));
    ensure!(kcore.count() == 1, "/proc/kcore is not held open once");
    sees_the_space(&exporter, &load)?;
    exporter.end()?;
    Ok(Outcome::Passed)
}

fn check(status: &str, kept: u64) -> Result<()> {
    for (set, wanted) in [("CapInh", 0), ("CapPrm", kept), ("CapEff", kept), ("CapBnd", 0), ("CapAmb", 0)] {
        let value = u64::from_str_radix(field(status, set)?, 16)?;
        ensure!(value == wanted, "{set} is {value:#x}, not {wanted:#x}");
    }
    let locked = field(status, "NoNewPrivs")?;
    ensure!(locked == "1", "NoNewPrivs is {locked}");
    Ok(())
}

fn field<'a>(status: &'a str, name: &str) -> Result<&'a str> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    Ok(line.with_context(|| format!("no {name} in the status"))?.trim())
}

/// What is mapped later is seen, to the byte.
fn sees_the_space(exporter: &Exporter, load: &Load) -> Result<()> {
    let edu = device(EDU);
    let before = exporter.scrape()?.value("iova_low_space_live_bytes", &edu)?;
    load.run(HOLD)?;
    exporter.until("what is held", |scrape| {
        Ok(scrape.value("iova_low_space_live_bytes", &edu)? == before + HELD)
    })?;
    load.clean()?;
    exporter.until("what was given back", |scrape| {
        Ok(scrape.value("iova_low_space_live_bytes", &edu)? == before)
    })?;
    Ok(())
}
