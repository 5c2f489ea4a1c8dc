//! The load module: what it is told, what it answers, and the devices that it works on.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// Where commands go. An open file that wrote nothing reads the answer to the last command of all.
pub(crate) const MODULE: &str = "/dev/iova_load";

/// The device that most loads are for: nobody else uses it, it has no driver, and its mask is ours to choose.
pub(crate) const EDU: &str = "0000:00:05.0";

/// A second such device, in an IOMMU group and IOVA domain of its own: the SATA controller, which no driver of the lab
/// claims.
pub(crate) const SATA: &str = "0000:00:1f.2";

/// The module, and the device that commands are for.
pub(crate) struct Load {
    device: &'static str,
}

/// Lines of key=value.
#[derive(Debug)]
pub(crate) struct Answer(HashMap<String, String>);

impl Load {
    /// The module ready for `device`, with nothing left from other tests.
    pub(crate) fn new(device: &'static str) -> Result<Self> {
        if !Path::new(MODULE).exists() {
            Command::new("/bin/busybox").args(["modprobe", "iova_load"]).status()?;
        }
        ensure!(Path::new(MODULE).exists(), "the load module is not there");
        translate(device)?;
        let load = Self { device };
        load.clean()?;
        Ok(load)
    }

    /// The module for `device`, whatever state both are in.
    pub(crate) fn of(device: &'static str) -> Self {
        Self { device }
    }

    /// Gives everything back, so that nothing is held, queued or cached.
    pub(crate) fn clean(&self) -> Result<()> {
        self.run("release keep=*; drain timeout_ms=60000; flush")?;
        // After a failure below 4 GiB some kernels never try there again; tests start with a device that does.
        if self.run("sac")?.text("sac_flag")? == "0" {
            self.run("sac on")?;
        }
        Ok(())
    }

    /// A command with its device filled in; those that `;` joins each get it.
    pub(crate) fn command(&self, text: &str) -> String {
        let parts = text.split(';').map(|part| format!("{} dev={}", part.trim(), self.device));
        parts.collect::<Vec<_>>().join("; ")
    }

    /// Runs a command, or several joined by `;`.
    pub(crate) fn run(&self, text: &str) -> Result<Answer> {
        let command = self.command(text);
        let result = fs::write(MODULE, &command);
        let answer = fs::read_to_string(MODULE)?;
        result.with_context(|| format!("{command}: {}", answer.trim().replace('\n', " ")))?;
        Answer::parse(&answer)
    }
}

impl Answer {
    /// The answer to the last command of anybody, which must have succeeded.
    pub(crate) fn last() -> Result<Self> {
        Self::parse(&fs::read_to_string(MODULE)?)
    }

    fn parse(text: &str) -> Result<Self> {
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        let answer = Self(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect());
        ensure!(answer.text("status")? == "0", "the load module failed: {}", text.trim().replace('\n', " "));
        Ok(answer)
    }

    pub(crate) fn text(&self, key: &str) -> Result<&str> {
        self.0.get(key).map(String::as_str).with_context(|| format!("the load module's answer has no {key}"))
    }

    pub(crate) fn get(&self, key: &str) -> Result<u64> {
        let text = self.text(key)?;
        text.parse().with_context(|| format!("{key}={text} is no number"))
    }

    /// Allocations by order of pages, those that there were; `prefix` is that of the keys.
    pub(crate) fn by_order(&self, prefix: &str) -> Vec<(u64, u64)> {
        let order = |order| Some((order, self.get(&format!("{prefix}order_{order}")).ok()?));
        (0..=20).filter_map(order).collect()
    }
}

/// Makes the IOMMU translate for `device`. A virtio IOMMU takes a device in only when a driver comes to it: offer it
/// one that looks at what it gets and refuses.
fn translate(device: &str) -> Result<()> {
    let path = PathBuf::from("/sys/bus/pci/devices").join(device);
    if path.join("iommu_group").exists() {
        return Ok(());
    }
    ensure!(!path.join("driver").exists(), "{device} has a driver and no IOMMU group");
    fs::write(path.join("driver_override"), "pcieport")?;
    // The driver refuses a device that is not PCI Express, and that is not an error of the write.
    fs::write("/sys/bus/pci/drivers_probe", device)?;
    fs::write(path.join("driver_override"), "\n")?;
    if !path.join("iommu_group").exists() {
        bail!("no IOMMU translates for {device}");
    }
    Ok(())
}

/// The number of a device's IOMMU group.
pub(crate) fn group(device: &str) -> Result<u64> {
    let link = fs::read_link(format!("/sys/bus/pci/devices/{device}/iommu_group"))?;
    let name = link.file_name().and_then(|name| name.to_str()).context("a group without a name")?;
    Ok(name.parse()?)
}

/// True if the kernel keeps a flag per device that the first failure below 4 GiB clears for good (6.6 and later).
pub(crate) fn falls_back(load: &Load) -> Result<bool> {
    Ok(load.run("sac")?.text("sac_flag")? != "-1")
}
