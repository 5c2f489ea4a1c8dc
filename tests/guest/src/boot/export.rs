//! The exporter as a service: its socket belongs to systemd, its rights end with its first answer.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::system::{exposure_is, journal, property, tell};

const SERVICE: &str = "iova-export.service";
const SOCKET: &str = "iova-export.socket";
/// As the socket unit has it.
const ADDRESS: &str = "127.0.0.1:9969";
const DEVICE: &str = "device=\"0000:00:04.0\",name=\"nvme0n1\",driver=\"nvme\"";
const PATIENCE: Duration = Duration::from_secs(120);
/// Exposure by `systemd-analyze security`.
const EXPOSED: f32 = 2.0;

pub(crate) fn is_enabled() -> Result<String> {
    tell("systemctl", &["enable", "--now", SOCKET, SERVICE])?;
    let said = tell("systemd-analyze", &["verify", SOCKET, SERVICE])?;
    ensure!(said.trim().is_empty(), "{said}");
    Ok(String::new())
}

/// One scrape; the connection waits in the socket until the service answers.
fn scrape() -> Result<String> {
    let mut stream = TcpStream::connect(ADDRESS)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n")?;
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    read.with_context(|| journal(&["--unit", SERVICE]).unwrap_or_default())?;
    ensure!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    Ok(answer)
}

/// The value of the disk's series of this name.
fn of_disk(text: &str, name: &str) -> Result<f64> {
    let series = format!("{name}{{{DEVICE}}} ");
    let value = text.lines().find_map(|line| line.strip_prefix(&series));
    value.with_context(|| format!("no {series}in {text}"))?.parse().context("no number")
}

pub(crate) fn answers() -> Result<String> {
    let before = scrape()?;
    for unit in [SOCKET, SERVICE] {
        let state = property(unit, "ActiveState")?;
        ensure!(state == "active", "{unit} is {state}: {}", journal(&["--unit", unit])?);
    }
    tell("dd", &["if=/dev/nvme0n1", "of=/dev/null", "bs=128k", "iflag=direct", "count=100"])?;
    let start = std::time::Instant::now();
    let allocations = |text: &str| of_disk(text, "iova_alloc_total");
    let mut after = scrape()?;
    while allocations(&after)? < allocations(&before)? + 100.0 {
        ensure!(start.elapsed() < PATIENCE, "the reads are not counted");
        std::thread::sleep(Duration::from_millis(200));
        after = scrape()?;
    }
    // What takes a right to read, and one that the service gave up before it answered.
    ensure!(of_disk(&after, "iova_low_space_capacity_bytes")? > 0.0, "no space");
    ensure!(after.contains("policy_set=\"dac:40\""), "the disk's policy is not told: {after}");
    Ok(String::new())
}

pub(crate) fn has_no_rights() -> Result<String> {
    let reader = property(SERVICE, "MainPID")?;
    let server = fs::read_to_string(format!("/proc/{reader}/task/{reader}/children"))?;
    for pid in [reader.as_str(), server.trim()] {
        is_confined(pid).with_context(|| format!("process {pid}"))?;
    }
    let text = scrape()?;
    for process in ["reader", "server"] {
        let told = format!("iova_exporter_privileges_info{{process=\"{process}\",capabilities=\"none\"");
        ensure!(text.contains(&told), "it says of its rights otherwise");
    }
    Ok(String::new())
}

fn is_confined(pid: &str) -> Result<()> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        ensure!(status.contains(&format!("{set}:\t0000000000000000\n")), "{set} is not empty: {status}");
    }
    ensure!(status.contains("NoNewPrivs:\t1\n"), "{status}");
    let user = status.lines().find_map(|line| line.strip_prefix("Uid:\t")).context("no user")?;
    ensure!(!user.split_whitespace().any(|id| id == "0"), "it runs as root");
    // By systemd's filters at least. Without our own it would complain, which the journal is searched for in the end.
    ensure!(status.contains("Seccomp:\t2\n"), "{status}");
    Ok(())
}

pub(crate) fn is_closed() -> Result<String> {
    exposure_is(SERVICE, EXPOSED)
}

/// Stopped it is gone; whoever asks then brings it back, because the socket is still there.
pub(crate) fn stops_and_starts() -> Result<String> {
    let first = property(SERVICE, "MainPID")?;
    tell("systemctl", &["stop", SERVICE])?;
    let of = |name| property(SERVICE, name);
    let (state, result, code) = (of("ActiveState")?, of("Result")?, of("ExecMainStatus")?);
    ensure!((&*state, &*result, &*code) == ("inactive", "success", "0"), "{state}, {result}, {code}");
    scrape()?;
    let second = property(SERVICE, "MainPID")?;
    ensure!(second != first && second != "0", "{second} after {first}");
    tell("systemctl", &["disable", "--now", SOCKET, SERVICE])?;
    ensure!(TcpStream::connect(ADDRESS).is_err(), "somebody still listens");
    let said = journal(&["--unit", SERVICE])?;
    ensure!(!said.contains("iova["), "it complained: {said}");
    Ok(String::new())
}
