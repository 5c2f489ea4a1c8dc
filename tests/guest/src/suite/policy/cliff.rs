//! The cliff of [`crate::cliff`], cured while it lasts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;

use anyhow::{Context, Result, anyhow, ensure};

use super::device::{self, EDU};
use super::{host, tool};
use crate::Outcome;
use crate::cliff::fragment;
use crate::load::{Load, falls_back};

/// As in [`crate::cliff`]: half of it large, and small enough frees below 4 GiB to keep the search in vain alive. The
/// driver has the mask by then.
const TRAFFIC: &str = "loop sizes=2M,256K count=40 burst=2 pause_us=20000 time";
const FACTOR: f64 = 10.0;

pub(super) fn cured() -> Result<Outcome> {
    let load = Load::new(EDU.0)?;
    if falls_back(&load)? {
        return Ok(Outcome::Skipped("this kernel searches below 4 GiB in vain only once per device".into()));
    }
    device::module()?;
    EDU.bind("iova_load")?;
    fragment(&load)?;
    let mut words = vec!["try", EDU.0, "dac:40", "--flush", "--before", "6s", "--format", "json"];
    if !host::low_space_has_holes() {
        // Full to the last page: there is no window, and only whoever says so gets it without.
        tool::policy(&words)?.code(1)?.sentence(&["--whole"])?;
        words.push("--whole");
    }
    words.extend(["--", "/bin/busybox", "sleep", "6"]);
    let traffic = Traffic::start();
    let answer = tool::policy(&words);
    traffic.stop()?;
    let after = load.run(TRAFFIC)?;
    load.clean()?;
    EDU.unbind()?;

    let answer = answer?.code(1)?;
    let said = answer.json().with_context(|| answer.stderr.clone())?;
    println!("# the trial says: {}, {}", said["outcome"], said["why"]);
    let p99 = |when: &str| tool::number(&said, &format!("/{when}/alloc/large_latency_ns/p99"));
    let (before, cured) = (p99("before")?, p99("after")?);
    println!(
        "# p99 {before} ns before, {cured} ns under dac:40; map of 2 MiB back on stock: {} ns",
        after.get("map_2097152_ns_p50")?
    );
    ensure!(before >= FACTOR * cured, "p99 is {before} ns before and {cured} ns under dac:40");
    Ok(Outcome::Passed)
}

/// The load module at work, one short command after the other.
struct Traffic {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<()>>,
}

impl Traffic {
    fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let work = move || {
            let load = Load::of(EDU.0);
            while !stopped.load(Relaxed) {
                load.run(TRAFFIC)?;
            }
            Ok(())
        };
        Self { stop, thread: std::thread::spawn(work) }
    }

    fn stop(self) -> Result<()> {
        self.stop.store(true, Relaxed);
        self.thread.join().map_err(|_| anyhow!("the traffic panicked"))?
    }
}
