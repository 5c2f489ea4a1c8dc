//! The compatibility list at work: real udev puts caps in force before a driver that is a module maps anything.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::policy::DEVICE;
use crate::system::{ask, journal, tell};

/// QEMU's teaching device, without a driver here.
const EDU: &str = "0000:00:05.0";
const RECORDS: &str = "/etc/iova/compat.d";
const HWDB: &str = "/etc/udev/hwdb.d";

/// The disk has a cap for its kind; the teaching device one that depends on its revision, so that udev has to ask `iova`.
const KINDS: [(&str, &str, u8); 2] = [
    ("qemu-nvme", "device = \"1b36:0010\"\nclass = \"0108\"", 40),
    ("qemu-edu", "device = \"1234:11e8\"\nrevision = \"10\"", 38),
];
/// What a local hwdb file says about the disk later.
const QUARANTINE: u8 = 36;

/// Before udev starts: as an administrator installs the list's files, and enables it.
pub(crate) fn install() -> Result<()> {
    for dir in [RECORDS, HWDB, "/etc/udev/rules.d"] {
        fs::create_dir_all(dir).with_context(|| format!("making {dir}"))?;
    }
    for (name, conditions, width) in KINDS {
        let text = format!(
            "name = \"QEMU {name}\"\nverdict = \"cap\"\nwidth = {width}\nfailure = \"truncated\"\n\
             evidence = \"report\"\nnote = \"For this test.\"\n\n[[match]]\n{conditions}\n\n[[reference]]\n\
             url = \"https://example.org/{name}\"\nsays = \"For this test.\"\nopened = true\n"
        );
        fs::write(format!("{RECORDS}/{name}.toml"), text)?;
    }
    fs::write("/etc/iova/apply-caps", "")?;
    for (format, file) in [("hwdb", "hwdb.d/60-iova-policy.hwdb"), ("rules", "rules.d/61-iova-policy.rules")]
    {
        let place = format!("/etc/udev/{file}");
        tell("iova", &["compat", "build", "--list", RECORDS, "--format", format, "-o", &place])?;
    }
    tell("systemd-hwdb", &["update", "--strict"])?;
    tell("modprobe", &["iova_policy"])?;
    Ok(())
}

fn attribute(device: &str, name: &str) -> Result<String> {
    let path = format!("/sys/bus/pci/devices/{device}/iova_policy/{name}");
    Ok(fs::read_to_string(&path).with_context(|| format!("reading {path}"))?.trim().to_owned())
}

fn is_capped(width: u8) -> Result<()> {
    let (cap, effective) = (attribute(DEVICE, "cap")?, attribute(DEVICE, "effective")?);
    let right = cap == width.to_string() && effective == format!("sac-first:{width}");
    ensure!(right, "cap {cap}, {effective}; {}", journal(&["--unit", "systemd-udevd.service"])?);
    Ok(())
}

/// In the kernel's log the newest cap of the disk stands before the newest start of its driver.
fn cap_came_first() -> Result<String> {
    let log = journal(&["--dmesg"])?;
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(DEVICE)).collect();
    let last = |text: &str| lines.iter().rposition(|line| line.contains(text));
    let cap = last(": cap (").context("the kernel's log has no cap of the disk")?;
    let driver = last("pci function").context("the kernel's log has no driver for the disk")?;
    ensure!(cap < driver, "the driver was faster: {}", lines.join("\n"));
    let remark = |index: usize| format!("# {}\n", lines.get(index).map_or("", |line| line.trim()));
    Ok(remark(cap) + &remark(driver))
}

pub(crate) fn cold_boot_is_capped() -> Result<String> {
    is_capped(40)?;
    cap_came_first()
}

pub(crate) fn udev_knows_why() -> Result<String> {
    let said = tell("udevadm", &["info", "--query=property", &format!("/sys/bus/pci/devices/{DEVICE}")])?;
    for property in
        ["ID_IOVA_WIDTH_MAX=40", "ID_IOVA_EVIDENCE=report", "ID_IOVA_REF=https://example.org/qemu-nvme"]
    {
        ensure!(said.lines().any(|line| line == property), "{property} is missing: {said}");
    }
    let alias = fs::read_to_string(format!("/sys/bus/pci/devices/{DEVICE}/modalias"))?;
    let said = tell("systemd-hwdb", &["query", alias.trim()])?;
    ensure!(said.lines().any(|line| line == "ID_IOVA_WIDTH_MAX=40"), "{said}");
    Ok(String::new())
}

pub(crate) fn revision_is_asked_for() -> Result<String> {
    let said = tell("udevadm", &["info", "--query=property", &format!("/sys/bus/pci/devices/{EDU}")])?;
    ensure!(said.contains("ID_IOVA_CHECKED=1\n") && said.contains("ID_IOVA_WIDTH_MAX=38\n"), "{said}");
    let cap = attribute(EDU, "cap")?;
    ensure!(cap == "38", "the cap is {cap}");
    Ok(String::new())
}

/// The list's word is heard by `check` and by plans.
pub(crate) fn iova_knows_why() -> Result<String> {
    let (code, said) = ask("iova", &["compat", "check", DEVICE])?;
    let capped = said.contains("cap 40") && said.contains("keeps it below 40 bits");
    ensure!(code == Some(0) && capped, "{code:?}: {said}");
    let (code, said) = ask("iova", &["policy", "explain", DEVICE, "dac:44", "--beyond-list"])?;
    ensure!(code == Some(1) && said.contains("list: ") && said.contains("qemu-nvme"), "{code:?}: {said}");
    Ok(String::new())
}

/// A device that appears while the machine runs, with its driver not loaded yet; and a quarantine, which is narrower than
/// the list and needs no switch.
pub(crate) fn hot_plug_is_capped() -> Result<String> {
    fs::remove_file("/etc/iova/apply-caps")?;
    let local = format!("pci:v00001B36d00000010*\n ID_IOVA_QUARANTINE={QUARANTINE}\n");
    fs::write(Path::new(HWDB).join("90-iova-policy-local.hwdb"), local)?;
    tell("systemd-hwdb", &["update", "--strict"])?;
    tell("udevadm", &["control", "--reload"])?;
    tell("modprobe", &["-r", "nvme"])?;
    fs::write(format!("/sys/bus/pci/devices/{DEVICE}/remove"), "1").context("removing the disk")?;
    fs::write("/sys/bus/pci/rescan", "1").context("looking for devices again")?;
    tell("udevadm", &["settle", "--timeout=60"])?;
    is_capped(QUARANTINE)?;
    cap_came_first()
}
