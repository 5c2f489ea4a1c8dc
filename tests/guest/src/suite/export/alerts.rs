//! A real Prometheus with the shipped rules, in the guest whose space below 4 GiB fills.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::scrape::get;
use super::{Exporter, TCP, device};
use crate::Outcome;
use crate::load::{EDU, Load};
use crate::robust::run::remark;

/// Debian's, which only some guests have.
const PROGRAM: &str = "/bin/prometheus";
const HOME: &str = "/tmp/prometheus";
const ADDRESS: &str = "127.0.0.1:9090";
const RULES: &str = include_str!("../../../../../dist/prometheus/iova-alerts.yml");

const CONFIG: &str = "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: [rules.yml]
scrape_configs: [{job_name: iova, static_configs: [{targets: ['127.0.0.1:9969']}]}]
";

/// The space is looked at again within two minutes, however busy the guest is; some of those may be needed, and all takes its
/// time on a busy machine.
const PATIENCE: Duration = Duration::from_secs(400);

/// What has to fire, and nothing else of its kind.
const EXPECTED: [&str; 3] = ["IovaLowSpaceNearlyFull", "IovaLowSpaceFull", "IovaLowAttemptsFail"];
const WRONG: &str = "ALERTS{alertname=~\"IovaExporter.*|IovaFaults|IovaAllocationsFail|IovaDataLost\"}";

pub(super) fn fire() -> Result<Outcome> {
    if !Path::new(PROGRAM).exists() {
        return Ok(Outcome::Skipped("there is no Prometheus in this guest".into()));
    }
    let load = Load::new(EDU)?;
    // The space is looked at in what reading leaves of 1.8 % of a core.
    let exporter = Exporter::every("2s", TCP, &[])?;
    let prometheus = Prometheus::start()?;
    // Sizes that no cache keeps: cached addresses would lie scattered, and leave less room for what is to fill the space.
    load.run("loop mask=64 sizes=256K,512K count=2000")?;
    let count = exporter.fresh()?.value("iova_alloc_total", &device(EDU))?;
    prometheus.until(&format!("iova_alloc_total{{{}}} == {count}", device(EDU)))?;
    prometheus.nothing("ALERTS")?;
    let started = Instant::now();
    // The small ones fill what other suites have left in pieces: addresses that a flush queue lost stay for ever.
    load.run("fill32 mask=64 size=1M leave=1")?;
    load.run("fill32 mask=64 size=64K leave=1")?;
    load.run("loop mask=64 sizes=2M,64K count=2000 burst=2 pause_us=1000")?;
    for alert in EXPECTED {
        prometheus.until(&firing(alert))?;
    }
    prometheus.nothing(WRONG)?;
    prometheus.nothing(&format!("ALERTS{{device!=\"{EDU}\"}}"))?;
    let fired = started.elapsed().as_secs_f32();
    // They end as well.
    load.clean()?;
    for alert in &EXPECTED[..2] {
        prometheus.until(&format!("absent({})", firing(alert)))?;
    }
    remark(&format!(
        "all fire after {fired:.1} s, and are over after {:.1} s",
        started.elapsed().as_secs_f32()
    ));
    drop(prometheus);
    exporter.end()?;
    Ok(Outcome::Passed)
}

fn firing(alert: &str) -> String {
    format!("ALERTS{{alertname=\"{alert}\",alertstate=\"firing\",{}}}", device(EDU))
}

/// Gone with all its threads when dropped.
struct Prometheus(Child);

impl Prometheus {
    fn start() -> Result<Self> {
        fs::create_dir_all(HOME)?;
        // The real rules, but what has to last minutes lasts a second here.
        let hasty = |line: &str| match line.trim_start().strip_prefix("for: ") {
            Some(_) => line.replace(line.trim_start(), "for: 1s") + "\n",
            None => line.to_owned() + "\n",
        };
        fs::write(format!("{HOME}/rules.yml"), RULES.lines().map(hasty).collect::<String>())?;
        fs::write(format!("{HOME}/prometheus.yml"), CONFIG)?;
        let mut command = Command::new(PROGRAM);
        command.arg(format!("--config.file={HOME}/prometheus.yml"));
        command.arg(format!("--storage.tsdb.path={HOME}/data"));
        command.arg(format!("--web.listen-address={ADDRESS}"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(format!("{HOME}/log"))?);
        let prometheus = Self(command.spawn().context("starting Prometheus")?);
        let start = Instant::now();
        while !get(ADDRESS, "/-/ready", "*/*").is_ok_and(|answer| answer.status == "200") {
            ensure!(start.elapsed() < PATIENCE, "Prometheus never got ready: {}", log());
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(prometheus)
    }

    /// The series of an instant query.
    fn query(&self, query: &str) -> Result<Vec<Value>> {
        let escaped: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let answer = get(ADDRESS, &format!("/api/v1/query?query={escaped}"), "*/*")?;
        let body = String::from_utf8(answer.body)?;
        // Long answers come in chunks, between lines that are no JSON.
        let json: String = body.lines().filter(|line| line.starts_with('{')).collect();
        let json: Value = serde_json::from_str(&json).with_context(|| body.clone())?;
        ensure!(json["status"] == "success", "{query}: {json}");
        Ok(json["data"]["result"].as_array().context("no result")?.clone())
    }

    fn until(&self, query: &str) -> Result<()> {
        let start = Instant::now();
        while self.query(query)?.is_empty() {
            let all =
                || self.query("{__name__=~\"ALERTS|up|iova_low_space_pressure_ratio|iova_alloc.*_total\"}");
            ensure!(start.elapsed() < PATIENCE, "{query} never came, but {:?}; {}", all(), log());
            std::thread::sleep(Duration::from_millis(500));
        }
        Ok(())
    }

    fn nothing(&self, query: &str) -> Result<()> {
        let found = self.query(query)?;
        ensure!(found.is_empty(), "{query}: {found:?}");
        Ok(())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
        let _ = fs::remove_dir_all(HOME);
    }
}

fn log() -> String {
    fs::read_to_string(format!("{HOME}/log")).unwrap_or_default()
}
