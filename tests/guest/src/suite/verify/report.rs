//! Reports: whatever names a host has, none of them is in a file that it hands out.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::widths::{command, edus};
use crate::Outcome;
use crate::policy::device;
use crate::robust::run::{Answer, answer, ask, iova};

const USER: &str = "alice7261";
const HOST: &str = "secretbox7261";
const MACHINE_ID: &str = "5a7d00c0ffee4242b00b135724681357";
const STATE: &str = "/tmp/report-state";
const FILE: &str = "/tmp/report-compat.json";
const NEW: &str = "/tmp/report-new";
/// Shorter words are parts of others.
const LEAST: usize = 5;

pub(super) fn nothing_of_the_host() -> Result<Outcome> {
    device::module()?;
    let before = host_name()?;
    set_host_name(HOST)?;
    let result = reports();
    set_host_name(&before)?;
    let _ = fs::remove_file("/etc/machine-id");
    result.map(|()| Outcome::Passed)
}

fn reports() -> Result<()> {
    fs::create_dir_all("/etc")?;
    fs::write("/etc/machine-id", format!("{MACHINE_ID}\n"))?;
    let _ = fs::remove_dir_all(STATE);
    let secrets = secrets()?;
    println!("# looked for: {}", secrets.iter().cloned().collect::<Vec<_>>().join(" "));
    let words = secrets.iter().cloned().collect::<Vec<_>>().join(" ");

    // In use, for a time and while a command runs whose words are all of them.
    let live = told(&["report", "--compat", "--duration", "2"])?;
    clean("live", &live, &secrets)?;
    let busy = format!("for n in 1 2 3; do dd if=/dev/nvme0n1 of=/dev/null bs=1M count=8; done; : {words}");
    let live = told(&["report", "--compat", "--", "/bin/busybox", "sh", "-c", &busy])?;
    clean("live with a command", &live, &secrets)?;
    let report: Value = serde_json::from_str(&live)?;
    let nvme = one(&report, "1b36:0010")?;
    ensure!(nvme["usage"]["allocations"].as_u64() > Some(10), "nothing was seen in use: {nvme}");
    ensure!(nvme["driver"] == "nvme" && nvme["proofs"] == Value::Array(vec![]), "{nvme}");

    // The usual reports, of a host with an interface that is named after its address.
    rename("eth0", "enx525400c0ffee")?;
    for format in ["text", "json", "html"] {
        let args = ["report", "--anonymize", "--format", format, "--", "/bin/busybox", "sh", "-c", &busy];
        let usual = told(&args);
        clean(format, &usual?, &without_places(&secrets))?;
    }
    rename("enx525400c0ffee", "eth0")?;

    // After a verification whose command has all of them in its arguments.
    let (edu, bits) =
        edus()?.into_iter().find(|(_, bits)| *bits == 40).context("no edu device of 40 bits")?;
    let [_, program, option, bdf] = command(edu)?;
    let work = format!("{program} {option} {bdf}; code=$?; : {words}; exit $code");
    let verified = with_names(&["verify", edu.0, "--", "/bin/busybox", "sh", "-c", &work])?.code(1)?;
    println!("# {}", verified.stdout.lines().next().unwrap_or_default());
    let shown = told(&["report", "--compat", "--duration", "1", "--product", "--output", FILE, "--yes"])?;
    let written = fs::read_to_string(FILE)?;
    ensure!(shown == written, "what was shown is not what was written");
    ensure!(written.contains("\"product\": \"Lab Machine\""), "the product was asked for");
    clean("after a verification", &written, &secrets)?;
    merged(bits, &secrets)
}

/// The report says what the verification found, and a merge makes the cap of it.
fn merged(bits: u64, secrets: &BTreeSet<String>) -> Result<()> {
    let report: Value = serde_json::from_str(&fs::read_to_string(FILE)?)?;
    println!("# {report}");
    let devices = report["devices"].as_array().context("no devices")?;
    let proof = devices.iter().find_map(|device| device["proofs"].get(0)).context("no proof")?;
    ensure!(proof["work"] == "command" && proof["answer"]["bits"] == bits, "{proof}");
    // As the machine has them: QEMU's AMD-Vi says that it has page tables of six levels.
    let amd = std::env::var("IOVA_LAB_IOMMU").as_deref() == Ok("amd");
    let (kind, width) = if amd { ("amd-vi", 64) } else { ("intel-vt-d", 48) };
    let iommu = &report["iommu"][0];
    ensure!(iommu["width"] == width && iommu["kind"] == kind, "{}", report["iommu"]);
    let again = with_names(&["report", "--compat", "--duration", "1", "--output", FILE, "--yes"])?.code(2)?;
    again.sentence(&["--output", FILE])?;
    with_names(&["report", "--compat", "--output", "/tmp/other"])?.code(2)?.sentence(&["--yes"])?;
    let _ = fs::remove_dir_all(NEW);
    let merged = told(&["compat", "merge", FILE, FILE, "--out", NEW])?;
    println!("# {}", merged.replace('\n', "\n# "));
    clean("the merge", &merged.replace(FILE, ""), secrets)?;
    let record = fs::read_to_string(Path::new(NEW).join("1234-11e8-on-root.toml"))?;
    ensure!(record.contains(&format!("width = {bits}\n")), "{record}");
    ask(&["compat", "lint", NEW])?.code(0)?;
    Ok(())
}

/// A usual report says where on the bus a device is, and the page has the code of its pictures in it.
fn without_places(secrets: &BTreeSet<String>) -> BTreeSet<String> {
    secrets.iter().filter(|secret| !secret.contains('.') || secret.len() > 12).cloned().collect()
}

fn rename(from: &str, to: &str) -> Result<()> {
    for args in [["link", "set", from, "down"].as_slice(), &["link", "set", from, "name", to]] {
        let status = Command::new("/bin/busybox").arg("ip").args(args).status()?;
        ensure!(status.success(), "ip {}: {status}", args.join(" "));
    }
    Ok(())
}

fn one<'a>(report: &'a Value, id: &str) -> Result<&'a Value> {
    let all = report["devices"].as_array().context("no devices")?;
    all.iter().find(|device| device["device"] == id).with_context(|| format!("no {id} in {report}"))
}

fn told(args: &[&str]) -> Result<String> {
    Ok(with_names(args)?.code(0)?.stdout)
}

/// As a user of that name calls it.
fn with_names(args: &[&str]) -> Result<Answer> {
    let mut command: Command = iova(args);
    for name in ["USER", "LOGNAME", "SUDO_USER"] {
        command.env(name, USER);
    }
    command.env("HOME", format!("/home/{USER}")).env("HOSTNAME", HOST).env("IOVA_STATE_DIR", STATE);
    answer(command).with_context(|| format!("iova {}", args.join(" ")))
}

fn host_name() -> Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/hostname")?.trim().to_owned())
}

fn set_host_name(name: &str) -> Result<()> {
    Ok(fs::write("/proc/sys/kernel/hostname", name)?)
}

/// None of them, in any usual notation.
fn clean(what: &str, text: &str, secrets: &BTreeSet<String>) -> Result<()> {
    let text = text.to_lowercase();
    for form in secrets.iter().flat_map(|secret| forms(secret)) {
        let at = text.find(&form);
        let around = at.map(|at| text.get(at.saturating_sub(40)..).unwrap_or_default());
        ensure!(at.is_none(), "{what} tells {form:?}: {:.120}", around.unwrap_or_default());
    }
    Ok(())
}

/// As it is, without separators, with others, and in hexadecimal.
fn forms(secret: &str) -> BTreeSet<String> {
    let secret = secret.to_lowercase();
    let bare: String = secret.chars().filter(char::is_ascii_alphanumeric).collect();
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let groups = |size: usize, with: &str| {
        let parts: Vec<_> = bare.as_bytes().chunks(size).map(String::from_utf8_lossy).collect();
        parts.join(with)
    };
    let mut forms: BTreeSet<String> = [secret.clone(), secret.replace([':', '-'], " "), hex].into();
    // A place on the bus without its separators is a number like any other.
    if !secret.contains("0:") || bare.len() > 8 {
        forms.extend([bare.clone(), groups(2, ":"), groups(2, "-"), groups(4, "."), groups(4, ":")]);
    }
    forms.retain(|form| form.len() >= LEAST);
    forms
}

/// Every name that this machine has.
fn secrets() -> Result<BTreeSet<String>> {
    let mut secrets: BTreeSet<String> = [USER, HOST, MACHINE_ID].map(str::to_owned).into();
    let mut read = |path: &Path| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let text = text.trim().trim_matches('\0').to_owned();
        if text.len() >= LEAST && text.bytes().any(|byte| !matches!(byte, b'0' | b':' | b'-')) {
            secrets.insert(text);
        }
    };
    for name in [
        "product_uuid",
        "product_serial",
        "product_sku",
        "board_serial",
        "chassis_serial",
        "chassis_asset_tag",
    ] {
        read(&Path::new("/sys/class/dmi/id").join(name));
    }
    read(Path::new("/proc/sys/kernel/random/boot_id"));
    for (class, files) in [
        ("/sys/class/net", &["address"][..]),
        ("/sys/class/nvme", &["serial", "subsysnqn", "cntlid"]),
        ("/sys/class/block", &["uuid", "nguid", "eui", "wwid"]),
    ] {
        for entry in fs::read_dir(class).into_iter().flatten().flatten() {
            files.iter().for_each(|file| read(&entry.path().join(file)));
        }
    }
    let planted = ["52:54:00:c0:ff:ee", "iova-lab", "SN5A7D0442", "5a7dfeed-0ddb-4a11-9cab-c01dbeefcafe"];
    for planted in planted {
        ensure!(
            secrets.iter().any(|it| it.eq_ignore_ascii_case(planted)),
            "{planted} is not here: {secrets:?}"
        );
    }
    for entry in fs::read_dir("/sys/bus/pci/devices")?.flatten() {
        let bdf = entry.file_name().to_string_lossy().into_owned();
        secrets.extend(bdf.strip_prefix("0000:").map(str::to_owned));
        secrets.insert(bdf);
    }
    Ok(secrets)
}
