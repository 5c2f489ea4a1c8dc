//! A device's `iova_policy/` directory, and what else sysfs lets one do to it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// Nothing here takes a tenth of it, even on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const NIC: Device = Device("0000:00:03.0");
pub(crate) const NVME: Device = Device("0000:00:04.0");
pub(crate) const EDU: Device = Device(crate::load::EDU);
pub(crate) const SATA: Device = Device(crate::load::SATA);

/// Files of the directory.
pub(crate) const FILES: [&str; 15] = [
    "cap",
    "effective",
    "fault_address",
    "fault_relation",
    "generation",
    "held",
    "lease_ms",
    "mechanisms",
    "origin",
    "origin_comm",
    "origin_pid",
    "origin_uid",
    "policy",
    "reason",
    "state",
];

/// A PCI device by its address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Device(pub(crate) &'static str);

impl Device {
    pub(crate) fn path(self, name: &str) -> PathBuf {
        Path::new("/sys/bus/pci/devices").join(self.0).join(name)
    }

    pub(crate) fn has_group(self) -> bool {
        self.path("iova_policy").is_dir()
    }

    /// An attribute of the group, without its newline.
    pub(crate) fn get(self, name: &str) -> Result<String> {
        let path = self.path("iova_policy").join(name);
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        Ok(text.trim_end().to_owned())
    }

    pub(crate) fn set(self, name: &str, value: &str) -> io::Result<()> {
        fs::write(self.path("iova_policy").join(name), value)
    }

    /// [`Device::set`] where it has to succeed.
    pub(crate) fn must(self, name: &str, value: &str) -> Result<()> {
        let state = || self.state().unwrap_or_default();
        self.set(name, value).with_context(|| format!("{} {name} = {value} ({})", self.0, state()))
    }

    /// Demands an error of a write.
    pub(crate) fn refuses(self, name: &str, value: &str, errno: i32) -> Result<()> {
        match self.set(name, value) {
            Ok(()) => anyhow::bail!("{}: {name} took {value:?}", self.0),
            Err(error) => ensure!(
                error.raw_os_error() == Some(errno),
                "{}: {name} refused {value:?} with: {error}, not errno {errno}",
                self.0
            ),
        }
        Ok(())
    }

    pub(crate) fn generation(self) -> Result<u64> {
        Ok(self.get("generation")?.parse()?)
    }

    /// Its state and the reason, if there is one: "refused capped".
    pub(crate) fn state(self) -> Result<String> {
        let (state, reason) = (self.get("state")?, self.get("reason")?);
        Ok(if reason == "none" { state } else { format!("{state} {reason}") })
    }

    /// Everything that a user sees of its policy, for comparing.
    pub(crate) fn shows(self) -> Result<String> {
        let shown = ["policy", "cap", "effective"].map(|name| Ok(format!("{name} {}", self.get(name)?)));
        let shown = shown.into_iter().collect::<Result<Vec<_>>>()?.join(", ");
        Ok(format!("{shown}, state {}", self.state()?))
    }

    /// Waits for an attribute to become so, and says how long that took.
    pub(crate) fn until(self, name: &str, so: impl Fn(&str) -> bool, patience: Duration) -> Result<Duration> {
        let start = Instant::now();
        loop {
            let value = self.get(name)?;
            if so(&value) {
                return Ok(start.elapsed());
            }
            ensure!(start.elapsed() < patience, "{name} of {} is still {value:?}", self.0);
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// The driver that is bound to it.
    pub(crate) fn driver(self) -> Option<String> {
        let link = fs::read_link(self.path("driver")).ok()?;
        Some(link.file_name()?.to_str()?.to_owned())
    }

    /// Binds a driver that would not come by itself.
    pub(crate) fn bind(self, driver: &str) -> Result<()> {
        fs::write(self.path("driver_override"), driver)?;
        fs::write("/sys/bus/pci/drivers_probe", self.0)?;
        ensure!(self.driver().as_deref() == Some(driver), "{driver} did not bind to {}", self.0);
        Ok(())
    }

    /// Takes it away from its driver, if it has one.
    pub(crate) fn unbind(self) -> Result<()> {
        if self.driver().is_some() {
            fs::write(self.path("driver/unbind"), self.0)?;
        }
        ensure!(self.driver().is_none(), "{} still has a driver", self.0);
        fs::write(self.path("driver_override"), "\n")?;
        Ok(())
    }

    /// Makes its IOMMU domain a new one, which begins with the stock policy and nothing allocated.
    pub(crate) fn replug(self) -> Result<()> {
        fs::write(self.path("remove"), "1")?;
        ensure!(!self.path("").exists(), "{} is still there", self.0);
        fs::write("/sys/bus/pci/rescan", "1")?;
        let start = Instant::now();
        while !self.path("iommu_group").exists() {
            ensure!(start.elapsed() < PATIENCE, "{} did not come back", self.0);
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// As the ioctls name it.
    pub(crate) fn number(self) -> u32 {
        let part = |text: &str| u32::from_str_radix(text, 16).unwrap_or(u32::MAX);
        let (domain, bus, slot) = (part(&self.0[..4]), part(&self.0[5..7]), part(&self.0[8..10]));
        domain << 16 | bus << 8 | slot << 3 | part(&self.0[11..])
    }
}

/// The switch that ends everything.
pub(crate) const OFF: &str = "/sys/module/iova_policy/parameters/off";

/// The module, with every device as it is without: whatever a test before has left.
pub(crate) fn module() -> Result<()> {
    modprobe("iova_policy")?;
    fs::write(OFF, "0").with_context(|| format!("writing 0 to {OFF}"))?;
    for device in [NIC, NVME, EDU, SATA] {
        device.must("state", "idle")?;
        device.must("policy", "stock")?;
    }
    Ok(())
}

/// Loads one of our modules.
pub(crate) fn modprobe(module: &str) -> Result<()> {
    busybox(&["modprobe", module])?;
    ensure!(is_loaded(module), "{module} is not loaded");
    Ok(())
}

/// Loads the module whose list names QEMU's devices.
pub(crate) fn insert_listed(parameters: &[&str]) -> Result<()> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let file = format!("/lib/modules/{}/extra/listed/iova_policy.ko", release.trim());
    busybox(&[&["insmod", &file], parameters].concat())
}

/// Unloads one.
pub(crate) fn rmmod(module: &str) -> Result<()> {
    if is_loaded(module) {
        busybox(&["rmmod", module])?;
    }
    Ok(())
}

pub(crate) fn is_loaded(module: &str) -> bool {
    Path::new("/sys/module").join(module).join("initstate").exists()
}

fn busybox(args: &[&str]) -> Result<()> {
    let output = Command::new("/bin/busybox").args(args).output()?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {}", args.join(" "), stderr.trim());
    Ok(())
}
