//! The documents of the ABI against what the module really offers.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;

use anyhow::{Context, Result, bail, ensure};
use iova_common::policy as abi;

use super::device::{self, EDU, NIC, NVME, SATA};
use super::lease::Control;
use crate::Outcome;

const FILES: &str =
    include_str!("../../../../../iova-kmod/Documentation/ABI/testing/sysfs-bus-pci-devices-iova_policy");
const REQUESTS: &str = include_str!("../../../../../iova-kmod/Documentation/ABI/testing/dev-iova_policy");
const HEADER: &str = include_str!("../../../../../iova-kmod/iova_policy.h");
const DIRECTORY: &str = "/sys/bus/pci/devices/.../iova_policy/";

/// Name of each file, and what its description says.
fn documented() -> Result<BTreeMap<&'static str, &'static str>> {
    let mut found = BTreeMap::new();
    for entry in FILES.split("What:").skip(1) {
        let place = entry.lines().next().unwrap_or_default().trim();
        let name = place.rsplit_once("/iova_policy/").map(|(_, name)| name);
        let name = name.with_context(|| format!("{place} is not below {DIRECTORY}"))?;
        for field in ["Date:", "KernelVersion:", "Contact:", "Description:"] {
            ensure!(entry.contains(field), "{name} has no {field} (see Documentation/ABI/README)");
        }
        // The directory itself has no name.
        let again = !name.is_empty() && found.insert(name, entry).is_some();
        ensure!(!again, "{name} is described twice");
    }
    Ok(found)
}

pub(super) fn files() -> Result<Outcome> {
    device::module()?;
    let documented = documented()?;
    for device in [NIC, NVME, EDU, SATA] {
        let mut present = BTreeMap::new();
        for entry in fs::read_dir(device.path("iova_policy")).context("no directory iova_policy")? {
            let entry = entry?;
            let mode = entry.metadata()?.permissions().mode() & 0o777;
            present.insert(entry.file_name().into_string().unwrap_or_default(), mode);
        }
        let names: Vec<&str> = present.keys().map(String::as_str).collect();
        ensure!(
            names == documented.keys().copied().collect::<Vec<_>>(),
            "{} has {names:?}, documented are {:?}",
            device.0,
            documented.keys()
        );
        for (name, mode) in &present {
            writable(name, *mode, documented[name.as_str()])?;
            one_value(device, name, documented[name.as_str()])?;
        }
    }
    Ok(Outcome::Passed)
}

/// Checks a device with no lease, no policy and no quarantine; a list of words is one value, too.
fn one_value(device: device::Device, name: &str, description: &str) -> Result<()> {
    match fs::read_to_string(device.path("iova_policy").join(name)) {
        Ok(text) => {
            let is_list = name == "mechanisms";
            ensure!(
                is_list || text.split_whitespace().count() == 1,
                "{name} has more than a value: {text:?}"
            );
        }
        Err(error) if error.raw_os_error() == Some(libc::ENODATA) => {
            ensure!(description.contains("ENODATA"), "{name}: {error}, and its description does not say so");
        }
        Err(error) => bail!("{name}: {error}"),
    }
    Ok(())
}

/// The three that can be written say so; nobody but root can.
fn writable(name: &str, mode: u32, description: &str) -> Result<()> {
    let can = mode & 0o222 != 0;
    ensure!(can == ["policy", "cap", "state"].contains(&name), "{name} has mode {mode:o}");
    ensure!(mode & 0o022 == 0 && mode & 0o400 != 0, "{name} has mode {mode:o}");
    let says = description.contains("(RW)");
    ensure!(
        says == can,
        "{name} has mode {mode:o}, and its description says {}",
        if says { "(RW)" } else { "(RO)" }
    );
    ensure!(says || description.contains("(RO)"), "the description of {name} says neither (RW) nor (RO)");
    Ok(())
}

/// `#define NAME _IOWR('=', NUMBER, struct TYPE)` of the header.
fn numbers() -> Result<BTreeMap<u32, &'static str>> {
    let lines = HEADER.lines().filter(|line| line.starts_with("#define") && line.contains("_IOWR("));
    let number = |line: &'static str| {
        let name = line.split_whitespace().nth(1).context("a #define without a name")?;
        let number = line.split("0x").nth(1).and_then(|rest| rest.split(',').next());
        Ok((u32::from_str_radix(number.with_context(|| line.to_owned())?, 16)?, name))
    };
    lines.map(number).collect()
}

/// Every number of the header is answered, with any structure; no other is.
pub(super) fn requests() -> Result<Outcome> {
    device::module()?;
    let numbers = numbers()?;
    ensure!(numbers.len() == 7, "the header has {} requests", numbers.len());
    let control = Control::open()?;
    for request in abi::REQUESTS {
        let name =
            numbers.get(&(request & 0xff)).with_context(|| format!("{request:#x} is not in the header"))?;
        ensure!(answer(&control, request)? != Some(libc::ENOTTY), "the module knows no {name}");
        ensure!(REQUESTS.contains(name), "{name} is not described");
        // The same number with another size or direction is another request.
        for other in [request ^ 1 << 16, request ^ 1 << 30] {
            ensure!(answer(&control, other)? == Some(libc::ENOTTY), "the module takes {other:#x} for {name}");
        }
    }
    for number in (0..=0xff_u32).filter(|number| !numbers.contains_key(number)) {
        let request = abi::IOC_INFO & !0xff | number;
        ensure!(answer(&control, request)? == Some(libc::ENOTTY), "the module answers {number:#x}");
    }
    let info = control.info()?;
    ensure!((info.abi_major, info.abi_minor) == (abi::ABI_MAJOR, abi::ABI_MINOR), "{info:?}");
    ensure!(info.record_size as usize == size_of::<abi::Record>(), "{info:?}");
    ensure!(info.lease_min_ms > 0 && info.lease_min_ms < info.lease_max_ms, "{info:?}");
    Ok(Outcome::Passed)
}

/// The error of a request whose structure says that it has no size.
fn answer(control: &Control, request: u32) -> Result<Option<i32>> {
    let mut nothing = [0_u64; 64];
    // SAFETY: the buffer is longer than any structure of the ABI.
    let result = unsafe { libc::ioctl(control.0.as_raw_fd(), request as libc::Ioctl, nothing.as_mut_ptr()) };
    let error = io::Error::last_os_error().raw_os_error();
    ensure!(result == -1, "{request:#x} with a structure of no size returned {result}");
    Ok(error)
}
