//! `iova verify --boot --bisect --reboot`: eight teaching devices, one of which drops address bits. Nobody does anything but
//! begin it.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use iova_guest::channel;
use iova_guest::edu::{BYTES, ask, number};
use iova_guest::job;
use serde_json::Value;

use crate::system::{self, journal, tell};

/// The boots of the trial, the first of which begins it.
pub(crate) const BOOT: &str = "whodunit";
const PARAMETER: &str = "iova.culprit=";
const PLACE: &str = "/var/lib/iova/boot-trial";
const DRIVER: &str = "/sys/bus/pci/drivers/iova_edu";
/// As the issue has it.
const DEVICES: usize = 8;
const MOST_BOOTS: usize = 4;

/// In the first boot; the others are the tool's own.
pub(crate) fn begin(parameters: &str) -> Result<()> {
    // In a later boot, or in the stock one after the trial had killed the machine, the unit goes on.
    if parameters.contains("iova.trial=") || Path::new(PLACE).join("plan.json").exists() {
        return Ok(());
    }
    ensure!(edus()?.len() == DEVICES, "{} teaching devices have a driver", edus()?.len());
    work().context("as the kernel does it")?;
    tell("modprobe", &["iova_policy"])?;
    let names = edus()?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let head = ["verify", "--boot", "--bisect", "--reboot", "--format", "json"];
    let files = ["--kernel-image", "/var/lib/iova/boot/vmlinuz", "--initrd", "/var/lib/iova/boot/initrd"];
    let (code, said) = system::ask("iova", &[&head[..], &files, &names, &["--", "/bin/false"]].concat())?;
    ensure!(
        code == Some(2) && said.contains("with nothing on trial"),
        "a command that fails: {code:?}, {said}"
    );
    tell("iova", &[&head[..], &files, &names, &["--", "/usr/bin/guest-boot", "edus"]].concat())?;
    Ok(())
}

/// Devices that the driver has, by address.
fn edus() -> Result<Vec<String>> {
    let entries = fs::read_dir(DRIVER).with_context(|| format!("reading {DRIVER}"))?;
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name.starts_with("0000:")).collect();
    names.sort();
    Ok(names)
}

/// Each device writes once; all of it must arrive.
pub(crate) fn work() -> Result<()> {
    for device in edus()? {
        let answer = ask(&format!("on={device} write bytes={BYTES} count=1"))?;
        let arrived = number(&answer, "arrived_0")?;
        if arrived != BYTES {
            if dies()? {
                fs::write("/proc/sysrq-trigger", "b").context("dying")?;
            }
            eprintln!("{arrived} of {BYTES} bytes have arrived");
            // That is all that the trial is told: not which device it was.
            std::process::exit(1);
        }
    }
    Ok(())
}

/// Behind an IOMMU that reports no faults the machine dies of the first boot of the trial, as real ones have.
fn dies() -> Result<bool> {
    let line = fs::read_to_string("/proc/cmdline")?;
    let first = line.split_whitespace().any(|word| word.starts_with("iova.trial=") && word.contains(".1/"));
    Ok(first && line.contains("iova.dies"))
}

/// At the end of every boot: the trial is over, or it goes on.
pub(crate) fn down(boot: &str, parameters: &str) -> Result<()> {
    if boot != BOOT || Path::new(PLACE).join("plan.json").exists() {
        return Ok(());
    }
    let channel = channel::open(job::CHANNEL)?;
    crate::answer_with(&channel, boot, &[("found", &|| found(parameters))])
}

/// The device that was planted, in as many boots as are allowed, each with the module's policy before the driver.
fn found(parameters: &str) -> Result<String> {
    let trial = done()?;
    let named = &trial["answer"]["devices"][0]["bdf"];
    let planted = parameters.split_whitespace().find_map(|word| word.strip_prefix(PARAMETER));
    let rounds = trial["rounds"].as_array().context("no rounds")?;
    let remarks = format!("# {} boots: {}\n", rounds.len(), trial["answer"]);
    ensure!(named.as_str() == planted && planted.is_some(), "planted {planted:?}, named {named}: {trial}");
    let lost = rounds.iter().filter(|round| round["outcome"]["result"] == "lost").count();
    ensure!(lost == usize::from(parameters.contains("iova.dies")), "{lost} boots were lost: {trial}");
    ensure!(rounds.len() <= MOST_BOOTS, "{} boots", rounds.len());
    for round in rounds {
        ensure!(round["missed"].as_array().is_none_or(Vec::is_empty), "not all had the range: {round}");
    }
    ensure!(parameters.contains("iova.trial="), "this boot is none of the trial's");
    let log = journal(&["--dmesg"])?;
    ensure!(log.contains("has dac:"), "nothing was applied in this boot: {log}");
    Ok(remarks)
}

/// The trial that was put aside.
fn done() -> Result<Value> {
    let entries = fs::read_dir(PLACE).with_context(|| format!("reading {PLACE}"))?;
    let paths = entries.flatten().map(|entry| entry.path());
    let done: Vec<_> = paths.filter(|path| path.to_string_lossy().ends_with(".done.json")).collect();
    match done.as_slice() {
        [one] => Ok(serde_json::from_slice(&fs::read(one)?)?),
        several => bail!("{} trials are done", several.len()),
    }
}

/// In the boot after it: nothing is left of the trial but its answer.
pub(crate) fn is_stock() -> Result<String> {
    tell("modprobe", &["iova_policy"])?;
    for device in edus()? {
        let path = format!("/sys/bus/pci/devices/{device}/iova_policy/policy");
        let policy = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
        ensure!(policy.trim() == "stock", "{device} has {}", policy.trim());
    }
    let line = fs::read_to_string("/proc/cmdline")?;
    ensure!(!line.contains("iova.trial="), "{line}");
    done()?;
    work()?;
    Ok(String::new())
}

pub(crate) fn nothing_is_under_way() -> Result<String> {
    let output = Command::new("iova").args(["verify", "--boot", "--resume"]).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(2) && said.contains("no boot trial is under way"), "{said}");
    Ok(String::new())
}
