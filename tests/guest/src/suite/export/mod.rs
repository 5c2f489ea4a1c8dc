//! `iova export` where there are allocations: what is scraped is what happened, without any right left, through devices that
//! go and come back, up to an end that leaves nothing behind.

mod alerts;
mod counted;
mod ends;
mod hotplug;
mod process;
mod rights;
mod scrape;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};

use self::process::Process;
use self::scrape::Scrape;
use crate::Test;
use crate::robust::run::{Answer, Running, iova};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("export.counts_over_tcp", || counted::exact(TCP)),
    ("export.counts_over_a_unix_socket", || counted::exact(UNIX)),
    ("export.failures_are_counted", counted::failures),
    ("export.has_no_rights_and_sees_the_space", rights::none_left),
    ("export.devices_removed_and_added", hotplug::removed_and_added),
    ("export.slots_come_back", || hotplug::often(24)),
    ("export.ends_and_leaves_nothing", ends::by_signals),
    ("export.killed_it_makes_room", ends::killed),
    ("export.server_killed_ends_the_reader", ends::server_killed),
    ("export.server_that_hangs_holds_nobody_up", ends::server_hangs),
    ("export.says_why_it_cannot", ends::refused),
];

/// Long tests, for `--all`.
pub(crate) const OFTEN: &[(&str, Test)] = &[("export.slots_come_back_for_ever", || hotplug::often(200))];

/// Alerts, in the guest that has a Prometheus.
pub(crate) const ALERTS: &[(&str, Test)] = &[("export.alerts_fire_while_the_space_fills", alerts::fire)];

const TCP: &str = "127.0.0.1:9969";
const SOCKET: &str = "/run/iova-export-test";
const UNIX: &str = "unix:/run/iova-export-test";

/// The space is looked at again within two minutes, however busy the guest is; all else takes a tenth of that.
const PATIENCE: Duration = Duration::from_secs(400);

/// An exporter at work.
struct Exporter {
    running: Running,
    address: &'static str,
}

impl Exporter {
    /// Returns when it counts.
    fn start(address: &'static str, more: &[&str]) -> Result<Self> {
        Self::every("200ms", address, more)
    }

    /// With another time between two readings.
    fn every(interval: &str, address: &'static str, more: &[&str]) -> Result<Self> {
        let args = [&["export", "--listen", address, "--interval", interval], more].concat();
        let mut running = Running::start(iova(&args))?;
        // It listens before it attaches, and answers when it has.
        running.attached()?;
        let exporter = Self { running, address };
        exporter.scrape()?;
        Ok(exporter)
    }

    /// The process that was started.
    fn reader(&self) -> Process {
        Process(self.running.pid())
    }

    fn scrape(&self) -> Result<Scrape> {
        Scrape::text(self.address)
    }

    /// Scrapes until it is so.
    fn until(&self, what: &str, so: impl Fn(&Scrape) -> Result<bool>) -> Result<Scrape> {
        let start = Instant::now();
        loop {
            let scrape = self.scrape()?;
            if so(&scrape)? {
                return Ok(scrape);
            }
            ensure!(start.elapsed() < PATIENCE, "{what} never came");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// A scrape with all that happened until now: of the second reading after one that ended from now on. What is served now may be
    /// older than the last reading, because another process serves it; and the first one may know a device that has just come by its
    /// address only.
    fn fresh(&self) -> Result<Scrape> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
        let ended = |scrape: &Scrape| scrape.value("iova_exporter_last_sample_timestamp_seconds", "");
        let readings = |scrape: &Scrape| scrape.value("iova_exporter_intervals_total", "");
        let last = self.until("the end of a reading", |scrape| Ok(ended(scrape)? >= now))?;
        let last = readings(&last)?;
        self.until("a new reading", |scrape| Ok(readings(scrape)? >= last + 2.0))
    }

    /// Ends it in good order, and looks at what is left in the kernel.
    fn end(self) -> Result<Answer> {
        self.running.signal(libc::SIGTERM);
        self.running.end()?.code(0)?.quiet()
    }
}

/// The label of a device's series.
fn device(bdf: &str) -> String {
    format!("device=\"{bdf}\"")
}
