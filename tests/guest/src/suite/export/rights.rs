//! What the exporter's processes may still do once they answer: nothing, and the space is seen all the same.

use anyhow::{Context, Result, ensure};

use super::process::{Process, field};
use super::scrape::{Scrape, label};
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
    let kept = match told(&scrape, "reader")? {
        "none" => 0,
        // From 5.19 on a map can be read without.
        "CAP_BPF" if std::env::var("IOVA_LAB_KERNEL").is_ok_and(|line| line == "5.10") => BPF,
        other => anyhow::bail!("it says that it kept {other}"),
    };
    let server = told(&scrape, "server")?;
    ensure!(server == "none", "the server says that it kept {server}");
    let reader = exporter.reader();
    let server = reader.child()?;
    for (process, kept) in [(reader, kept), (server, 0)] {
        for status in process.statuses()? {
            check(&status, kept).with_context(|| {
                format!("thread {} of {}", field(&status, "Name").unwrap_or("?"), process.0)
            })?;
        }
    }
    let kcore = reader.descriptors()?.into_iter().filter(|(_, to)| to.ends_with("kcore"));
    ensure!(kcore.count() == 1, "/proc/kcore is not held open once");
    holds_no_key(server)?;
    sees_the_space(&exporter, &load)?;
    exporter.end()?;
    Ok(Outcome::Passed)
}

/// What the metric says of a process.
fn told<'a>(scrape: &'a Scrape, process: &str) -> Result<&'a str> {
    label(scrape.info("iova_exporter_privileges_info", &format!("process=\"{process}\""))?, "capabilities")
}

/// Who parses what comes from the network has its streams, its sockets, and what waits for them.
fn holds_no_key(server: Process) -> Result<()> {
    let all = server.descriptors()?;
    let ours = ["socket:", "pipe:", "anon_inode:[eventpoll]", "anon_inode:[eventfd]"];
    for (number, to) in &all {
        let key = ["kcore", "anon_inode:bpf", "perf_event"].into_iter().any(|key| to.contains(key));
        ensure!(!key, "the server holds {to}");
        let fine = *number <= 2 || ours.iter().any(|kind| to.starts_with(kind));
        ensure!(fine, "the server holds {to} as {number}");
    }
    let pipes = all.iter().filter(|(number, to)| *number > 2 && to.starts_with("pipe:")).count();
    ensure!(pipes == 1, "the server has {pipes} pipes: {all:?}");
    Ok(())
}

fn check(status: &str, kept: u64) -> Result<()> {
    for (set, wanted) in [("CapInh", 0), ("CapPrm", kept), ("CapEff", kept), ("CapBnd", 0), ("CapAmb", 0)] {
        let value = u64::from_str_radix(field(status, set)?, 16)?;
        ensure!(value == wanted, "{set} is {value:#x}, not {wanted:#x}");
    }
    let locked = field(status, "NoNewPrivs")?;
    ensure!(locked == "1", "NoNewPrivs is {locked}");
    let filtered = field(status, "Seccomp")?;
    ensure!(filtered == "2", "Seccomp is {filtered}");
    Ok(())
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
