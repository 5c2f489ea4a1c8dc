//! A real Prometheus scrapes the exporter of a recording. Skipped where there is none, unless IOVA_NEED_PROMETHEUS is set.

use super::board::Board;
use super::dist_tests::{dashboard, project};
use super::edition::Format;
use super::testing::{board, empty_board, latest, serve, steps};
use serde_json::Value as Json;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Long after any test: the recording is played faster than it was made, and then stands still.
const NEVER_STALLED: Duration = Duration::from_secs(300);

/// The program, if it is here.
fn program(name: &str) -> Option<Command> {
    let there = Command::new(name).arg("--version").output().is_ok();
    assert!(
        there || std::env::var_os("IOVA_NEED_PROMETHEUS").is_none(),
        "{name} is not here: apt install prometheus"
    );
    if !there {
        eprintln!("skipped: {name} is not here");
    }
    there.then(|| Command::new(name))
}

fn succeeds(mut command: Command, input: &[u8]) -> String {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert!(output.status.success(), "{command:?}: {said}");
    said
}

#[test]
fn promtool_finds_nothing_wrong() {
    for name in ["filling", "healthy"] {
        let Some(mut promtool) = program("promtool") else { return };
        let latest = latest(&board(name));
        let mut text = latest.body(Format::Text).to_vec();
        text.extend(latest.tail(Format::Text, Vec::new()));
        promtool.args(["check", "metrics"]);
        assert_eq!(succeeds(promtool, &text), "", "{name}");
    }
    for args in [
        ["check", "rules", "dist/prometheus/iova-alerts.yml"],
        ["test", "rules", "tests/prometheus/alerts_test.yml"],
    ] {
        let Some(mut promtool) = program("promtool") else { return };
        let [what, kind, file] = args;
        promtool.args([what, kind]).arg(project(file));
        assert!(succeeds(promtool, b"").contains("SUCCESS"));
    }
}

/// Prometheus in a directory of its own; both gone at the end.
struct Prometheus {
    child: Child,
    dir: PathBuf,
    address: SocketAddr,
}

impl Prometheus {
    fn start(name: &str, exporter: SocketAddr, flags: &[&str]) -> Option<Self> {
        let mut command = program("prometheus")?;
        let dir = std::env::temp_dir().join(format!("iova-prometheus-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        // The real rules, but what has to last minutes lasts a second here.
        let rules = fs::read_to_string(project("dist/prometheus/iova-alerts.yml")).unwrap();
        let hasty = |line: &str| match line.trim_start().strip_prefix("for: ") {
            Some(_) => line.replace(line.trim_start(), "for: 1s") + "\n",
            None => line.to_owned() + "\n",
        };
        fs::write(dir.join("rules.yml"), rules.lines().map(hasty).collect::<String>()).unwrap();
        let config = format!(
            "global: {{scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 400ms}}\n\
             rule_files: [rules.yml]\n\
             scrape_configs: [{{job_name: iova, static_configs: [{{targets: ['{exporter}']}}]}}]\n"
        );
        fs::write(dir.join("prometheus.yml"), config).unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let option = |name: &str, path: &str| format!("--{name}={}", dir.join(path).display());
        command.args([option("config.file", "prometheus.yml"), option("storage.tsdb.path", "data")]);
        command.arg(format!("--web.listen-address={address}")).args(flags);
        let log = fs::File::create(dir.join("log")).unwrap();
        let child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let prometheus = Self { child, dir, address };
        let end = Instant::now() + Duration::from_secs(30);
        while prometheus.get("/-/ready").is_none_or(|answer| !answer.contains("200 OK")) {
            assert!(Instant::now() < end, "{}", prometheus.log());
            std::thread::sleep(Duration::from_millis(100));
        }
        Some(prometheus)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// The series of an instant query.
    fn query(&self, query: &str) -> Vec<Json> {
        let escaped: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let answer = self.get(&format!("/api/v1/query?query={escaped}")).unwrap();
        let json: Json = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        assert_eq!(json["status"], "success", "{query}: {json}");
        json["data"]["result"].as_array().unwrap().clone()
    }

    /// The one number of an instant query.
    fn number(&self, query: &str) -> f64 {
        self.wait_for(query)["value"][1].as_str().unwrap().parse().unwrap()
    }

    /// The first series of an instant query, as soon as there is one.
    fn wait_for(&self, query: &str) -> Json {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(series) = self.query(query).first() {
                return series.clone();
            }
            assert!(
                Instant::now() < end,
                "{query} never came: {:?}\n{}",
                self.get("/api/v1/targets"),
                self.log()
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// Plays a recording five times as fast; what `value` says of the device is added up.
fn play(board: &Board, name: &str) -> u64 {
    let mut count = 0;
    for step in steps(name) {
        let disk = step.interval.devices.iter().find(|device| device.bdf == NVME).unwrap();
        count += disk.alloc.count;
        board.absorb(step.clone());
        std::thread::sleep(Duration::from_millis(200));
    }
    count
}

const NVME: &str = "0000:00:04.0";

#[test]
fn every_panel_has_data_and_the_alerts_fire_while_the_space_fills() {
    let board = Arc::new(empty_board(NEVER_STALLED));
    board.absorb(steps("filling")[0].clone());
    let exporter = serve(&board);
    let Some(prometheus) = Prometheus::start("classic", exporter, &[]) else { return };
    let first =
        steps("filling")[0].interval.devices.iter().find(|device| device.bdf == NVME).unwrap().alloc.count;
    let count = first + play(&board, "filling");
    // The number the recording has. Where the machine is slow a scrape may be missed, and a query finds nothing then.
    prometheus.wait_for(&format!("iova_alloc_total{{device=\"{NVME}\"}} == {count}"));
    let timed = format!("iova_alloc_latency_seconds_bucket{{device=\"{NVME}\",le=\"+Inf\"}}");
    let sampled = format!("iova_alloc_latency_seconds_count{{device=\"{NVME}\"}}");
    prometheus.wait_for(&format!("{timed} == ignoring(le) {sampled}"));
    for (title, query) in dashboard() {
        let query =
            query.replace("$__rate_interval", "1m").replace("$instance", ".*").replace("$device", ".*");
        assert!(!prometheus.query(&query).is_empty(), "{title} has no data: {query}");
    }
    for alert in ["IovaLowSpaceNearlyFull", "IovaLowAttemptsFail"] {
        prometheus
            .wait_for(&format!("ALERTS{{alertname=\"{alert}\",alertstate=\"firing\",device=\"{NVME}\"}}"));
    }
    let wrong = prometheus.query("ALERTS{alertname=~\"IovaExporter.*|IovaFaults|IovaAllocationsFail\"}");
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn native_histograms_are_scraped_and_say_the_same() {
    let board = Arc::new(empty_board(NEVER_STALLED));
    steps("filling").iter().for_each(|step| board.absorb(step.clone()));
    let exporter = serve(&board);
    let flags = ["--enable-feature=native-histograms"];
    let Some(prometheus) = Prometheus::start("native", exporter, &flags) else { return };
    let selector = format!("iova_alloc_latency_seconds{{device=\"{NVME}\"}}");
    prometheus.wait_for(&selector);
    let mut buckets = std::collections::BTreeMap::new();
    for step in steps("filling") {
        let disk = step.interval.devices.iter().find(|device| device.bdf == NVME).unwrap();
        for bucket in &disk.alloc.latency_ns.buckets {
            *buckets.entry(bucket.from_ns).or_insert(0) += bucket.count;
        }
    }
    let count: u64 = buckets.values().sum();
    prometheus.wait_for(&format!("histogram_count({selector}) == {count}"));
    for share in [0.5, 0.9, 0.99] {
        let mut seen = 0;
        let rank = (count as f64 * share).ceil() as u64;
        let at = buckets.iter().find(|(_, bucket)| {
            seen += **bucket;
            seen >= rank
        });
        let want = *at.unwrap().0 as f64 / 1e9;
        let got = prometheus.number(&format!("histogram_quantile({share}, {selector})"));
        // Ours is the lower end of a bucket, up to 12.5 % below what is in it.
        assert!((want * 0.89..want * 1.125 * 1.11).contains(&got), "p{share}: {got}, ours begins at {want}");
    }
    prometheus.wait_for("up == 1");
}
