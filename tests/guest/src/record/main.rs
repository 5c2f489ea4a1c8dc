//! Records what probes, inventory and snapshots of a guest say while a load runs, as input for the tests of the faces:
//! `guest-record PROFILE SECONDS FILE LOAD…`. The file has one JSON document per line, the start first, and is packed.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use iova_core::inventory::Inventory;
use iova_core::kernel::Kernel;
use iova_core::model::{SacControl, Unknown};
use iova_core::probe::{Demand, Extras, Profile, Skipped, Tracer};
use iova_core::snapshot;
use serde_json::json;

/// As `iova top` does it.
const INTERVAL: Duration = Duration::from_secs(1);

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [profile, seconds, file, load @ ..] = &words[..] else {
        anyhow::bail!("usage: guest-record PROFILE SECONDS FILE LOAD…");
    };
    let profile: Profile = profile.parse().map_err(anyhow::Error::msg)?;
    record(profile, seconds.parse()?, file, load).context("recording")?;
    let packed = Command::new("/bin/busybox").args(["gzip", "-9", "-f", file]).status()?;
    ensure!(packed.success(), "gzip {file}: {packed}");
    Ok(())
}

fn record(profile: Profile, seconds: u32, file: &str, load: &[String]) -> Result<()> {
    let kernel = Kernel::load()?;
    let mut inventory = Inventory::collect(Some(&kernel));
    let mut tracer = Tracer::attach(&kernel, profile, Demand::of(&inventory), Extras::default())?;
    tracer.know_domains(Demand::domains(&inventory))?;
    let mut out = BufWriter::new(File::create(file)?);
    let start = json!({
        "profile": profile.name(),
        "sac_control": SacControl::of(&kernel, &inventory),
        "unknown": unmeasured(&tracer),
        "inventory": inventory,
        "snapshot": snapshot::take(&kernel),
        "sample": tracer.sample()?,
    });
    writeln!(out, "{start}")?;
    let mut busy = start_load(load)?;
    let mut next = Instant::now();
    for _ in 0..seconds {
        next += INTERVAL;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        let snapshot = snapshot::take(&kernel);
        let now = Inventory::collect(Some(&kernel));
        // What did not change is not said again.
        let news = (now != inventory).then(|| inventory.clone_from(&now)).map(|()| now);
        let step = json!({ "inventory": news, "snapshot": snapshot, "sample": tracer.sample()? });
        writeln!(out, "{step}")?;
    }
    out.flush()?;
    busy.kill()?;
    busy.wait()?;
    Ok(())
}

fn start_load(load: &[String]) -> Result<std::process::Child> {
    let (program, arguments) = load.split_first().context("which load?")?;
    Command::new(program).args(arguments).spawn().with_context(|| program.clone())
}

fn unmeasured(tracer: &Tracer) -> Vec<Unknown> {
    let unknown = |skip: &Skipped| Unknown {
        metric: skip.metric.to_owned(),
        why: format!("{}: {}", skip.hook, skip.why),
    };
    tracer.skipped().iter().map(unknown).collect()
}
