//! What `iova advise --out` wrote, installed as its INSTALL says: real udev makes it count, while the machine runs and at the
//! next cold boot, and it brings what was promised.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::policy::DEVICE;
use crate::system::{journal, tell};

/// On the state disk, as an administrator may keep it.
const ADVICE: &str = "/var/lib/iova/advice";
const SAID: &str = "/var/lib/iova/advice.json";
const HWDB: &str = "/etc/udev/hwdb.d/62-iova-advice.hwdb";
const FLEET: &str = "/var/lib/iova/fleet";
const BEFORE: &str = "/run/before.iova";
const AFTER: &str = "/run/after.iova";
const SECTORS: &str = "/sys/block/nvme0n1/queue/max_sectors_kb";
const SMALL: &str = "128";
const RULES: &str = "/etc/udev/rules.d/62-iova-advice.rules";
/// A device that nobody gave advice for.
const OTHER: &str = "0000:00:05.0";
/// Large requests that no cache holds, between small ones.
const LOAD: &str = "for i in 1 2 3 4 5 6 7 8 9 10; do \
                    dd if=/dev/nvme0n1 of=/dev/null bs=16k iflag=direct count=500; \
                    for j in 1 2 3 4 5 6 7 8; do \
                    dd if=/dev/nvme0n1 of=/dev/null bs=512k iflag=direct count=30; done; done 2>/dev/null";
const PATIENCE: Duration = Duration::from_secs(60);

fn record(file: &str) -> Result<()> {
    tell("iova", &["record", "-o", file, "--", "sh", "-c", LOAD]).map(drop)
}

fn domain(device: &str) -> Result<String> {
    let path = format!("/sys/bus/pci/devices/{device}/iommu_group/type");
    Ok(fs::read_to_string(&path).with_context(|| format!("reading {path}"))?.trim().to_owned())
}

fn sectors() -> Result<String> {
    Ok(fs::read_to_string(SECTORS).with_context(|| format!("reading {SECTORS}"))?.trim().to_owned())
}

/// What this boot has to be advised, as the host says: kernels from 6.2 on limit the requests of an NVMe by themselves
/// (dma_opt_mapping_size), and only older ones need to be told.
fn wanted() -> Result<Vec<(&'static str, &'static str)>> {
    let parameters = fs::read_to_string("/proc/cmdline")?;
    let words = parameters.split_whitespace().find_map(|word| word.strip_prefix("iova.advice="));
    let words: Vec<&str> =
        words.context("the kernel's command line has no iova.advice=")?.split(',').collect();
    Ok(PROMISES.into_iter().filter(|(id, _)| words.contains(id)).collect())
}

fn small_is_wanted() -> Result<bool> {
    Ok(wanted()?.iter().any(|(id, _)| *id == "small-requests"))
}

pub(crate) fn host_is_strict() -> Result<String> {
    let (disk, sectors) = (domain(DEVICE)?, sectors()?);
    let large = sectors != SMALL || !small_is_wanted()?;
    ensure!(disk == "DMA" && large, "the disk's domain is {disk}, its requests {sectors} KiB");
    Ok(format!("# requests of up to {sectors} KiB\n"))
}

pub(crate) fn advice_is_written() -> Result<String> {
    record(BEFORE)?;
    let said = tell("iova", &["advise", BEFORE, "--out", ADVICE, "--format", "json"])?;
    fs::write(SAID, &said)?;
    tell("iova", &["advise", "--for", "fleet", BEFORE, "--out", FLEET])?;
    let mut remarks = String::new();
    for (id, metric) in wanted()? {
        let promise = promise(id, metric)?.map_or("nothing".to_owned(), |promise| promise.to_string());
        remarks.push_str(&format!("# {id} promises {promise}\n"));
    }
    Ok(remarks)
}

/// What the advice of this name says about its gain.
struct Promise {
    metric: String,
    now: f64,
    best: f64,
    worst: f64,
}

impl std::fmt::Display for Promise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} from {:.0} to {:.0}..{:.0}", self.metric, self.now, self.best, self.worst)
    }
}

/// Advice, and the metric in which it promises something.
const PROMISES: [(&str, &str); 2] =
    [("small-requests", "alloc.latency_ns.mean"), ("lazy-unmap", "free.latency_ns.mean")];

/// `None` where the measurement was too little to promise anything.
fn promise(id: &str, metric: &str) -> Result<Option<Promise>> {
    let said = fs::read_to_string(SAID)?;
    let said: Value = serde_json::from_str(&said)?;
    let list = said["hosts"][0]["advice"].as_array().context("no advice")?;
    let advice = list.iter().find(|advice| advice["id"] == id);
    let advice = advice.with_context(|| format!("no {id} among {said}"))?;
    ensure!(advice["device"] == DEVICE, "{id} is for {}", advice["device"]);
    let gain = &advice["gain"];
    if gain.is_null() {
        return Ok(None);
    }
    ensure!(gain["metric"] == metric, "the gain of {id} is {gain}");
    let number = |name: &str| gain[name].as_f64().with_context(|| format!("{name} of {gain} is no number"));
    Ok(Some(Promise {
        metric: metric.to_owned(),
        now: number("now")?,
        best: number("best")?,
        worst: number("worst")?,
    }))
}

/// Lines of INSTALL below a title.
fn instructions(title: &str) -> Result<Vec<String>> {
    let text = fs::read_to_string(Path::new(ADVICE).join("INSTALL"))?;
    let below = text.split_once(&format!("\n{title}\n")).with_context(|| format!("no {title} in {text}"))?.1;
    Ok(below.lines().take_while(|line| line.starts_with("  ")).map(|line| line.trim().to_owned()).collect())
}

/// As it is written there, in a shell in that directory.
fn follow(lines: &[String]) -> Result<()> {
    for line in lines {
        tell("sh", &["-c", &format!("cd {ADVICE} && {line}")])?;
    }
    Ok(())
}

/// With the disk in use: from strict to lazy a domain goes without its driver's noticing.
pub(crate) fn applies_at_once() -> Result<String> {
    follow(&instructions("Copy:")?)?;
    follow(&instructions("Then, as root:")?)?;
    in_force()
}

fn in_force() -> Result<String> {
    let (disk, other, sectors) = (domain(DEVICE)?, domain(OTHER)?, sectors()?);
    let said = || journal(&["--unit", "systemd-udevd.service"]);
    ensure!(
        disk == "DMA-FQ" && sectors == "128",
        "the domain is {disk}, requests {sectors} KiB; {}",
        said()?
    );
    ensure!(other == "DMA", "the domain of {OTHER} is {other}, and nobody asked for that");
    let said = said()?;
    let complaints: Vec<_> = said.lines().filter(|line| line.contains("iova-advice")).collect();
    ensure!(complaints.is_empty(), "udev complains: {}", complaints.join("\n"));
    Ok(String::new())
}

/// What was set stays, and nothing sets it again.
pub(crate) fn can_be_taken_back() -> Result<String> {
    let lines = instructions("To take it back:")?;
    let [line] = &lines[..] else { anyhow::bail!("more than one way back: {}", lines.join("\n")) };
    let commands = line.split(';').filter(|part| part.trim_start().starts_with(['r', 'u']));
    follow(&commands.map(str::to_owned).collect::<Vec<_>>())?;
    ensure!(!Path::new(RULES).exists(), "{RULES} is still there");
    Ok(String::new())
}

/// Before udev starts, and so before anything else mounts the state disk: the files are where they were copied to.
pub(crate) fn install(fleet: bool) -> Result<()> {
    for module in ["virtio_pci", "virtio_blk", "ext4"] {
        tell("modprobe", &[module])?;
    }
    let (disk, place) = (Path::new("/dev/vda"), PathBuf::from("/run/iova-test-state"));
    let start = Instant::now();
    while !disk.exists() {
        ensure!(start.elapsed() < PATIENCE, "there is no {}", disk.display());
        std::thread::sleep(Duration::from_millis(50));
    }
    fs::create_dir_all(&place)?;
    let place = place.display().to_string();
    tell("busybox", &["mount", "-t", "ext4", "-o", "ro", "/dev/vda", &place])?;
    let copied = if fleet { copy_fleet(&place) } else { copy(&format!("{place}/advice"), RULES) };
    tell("busybox", &["umount", &place])?;
    copied?;
    if fleet {
        tell("systemd-hwdb", &["update", "--strict"])?;
    }
    Ok(())
}

fn copy(from: &str, file: &str) -> Result<()> {
    let parent = Path::new(file).parent().context("a file at the root")?;
    fs::create_dir_all(parent)?;
    fs::copy(format!("{from}{file}"), file).with_context(|| format!("copying {from}{file}")).map(drop)
}

/// The files of the only group of hosts.
fn copy_fleet(place: &str) -> Result<()> {
    let mut groups = fs::read_dir(format!("{place}/fleet"))?;
    let group = groups.next().context("no group of hosts")??.path();
    ensure!(groups.next().is_none(), "one host in two groups");
    [RULES, HWDB].into_iter().try_for_each(|file| copy(&group.display().to_string(), file))
}

/// What is only in hwdb, by the kind of device.
pub(crate) fn udev_knows_kind() -> Result<String> {
    let said = tell("udevadm", &["info", "--query=property", &format!("/sys/bus/pci/devices/{DEVICE}")])?;
    ensure!(said.lines().any(|line| line == "ID_IOVA_DOMAIN=DMA-FQ"), "{said}");
    Ok(String::new())
}

/// The domain is lazy before the driver has it.
pub(crate) fn cold_boot_has_it() -> Result<String> {
    // The driver looks for its disks by and by.
    tell("udevadm", &["wait", "--timeout=60", "/dev/nvme0n1"])?;
    in_force()?;
    let log = journal(&["--dmesg"])?;
    let line = log.lines().find(|line| line.contains("Command line"));
    ensure!(line.is_some_and(|line| line.contains("iommu.strict=1")), "this boot is not strict: {line:?}");
    Ok(String::new())
}

/// The same load again: is the metric where this advice said?
fn kept((id, metric): (&str, &str)) -> Result<String> {
    let Some(promise) = promise(id, metric)? else { return Ok(format!("# {id} promised nothing\n")) };
    record(AFTER)?;
    let report = tell("iova", &["replay", AFTER, "report", "--format", "json"])?;
    fs::remove_file(AFTER)?;
    let report: Value = serde_json::from_str(&report)?;
    let devices = report["devices"].as_array().context("no devices")?;
    let device = devices.iter().find(|device| device["bdf"] == DEVICE).context("no such device")?;
    let value = device.pointer(&format!("/{}", metric.replace('.', "/"))).and_then(Value::as_f64);
    let value = value.with_context(|| format!("no {metric}"))?;
    let inside = value >= promise.best && value <= promise.worst;
    ensure!(inside, "{id} promised {promise}; now it is {value:.0}");
    Ok(format!("# {promise}; now it is {value:.0}\n"))
}

/// Alone: what is promised of one setting is so while all else stays as it was.
pub(crate) fn small_requests_keep_their_word() -> Result<String> {
    if !small_is_wanted()? {
        return Ok(String::new());
    }
    let before = sectors()?;
    fs::write(SECTORS, SMALL)?;
    let remark = kept(PROMISES[0]);
    fs::write(SECTORS, before)?;
    remark
}

pub(crate) fn lazy_mode_keeps_its_word() -> Result<String> {
    kept(PROMISES[1])
}
