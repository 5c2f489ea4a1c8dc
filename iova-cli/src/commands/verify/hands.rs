//! What is done to the device through sysfs: its driver, its domain, its policy.

use iova_core::kernel::Root;
use iova_core::policy::Policy;
use iova_core::policy::module;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long a device may take to come back after it was taken off the bus.
const PATIENCE: Duration = Duration::from_secs(30);

/// One device.
pub(super) struct Hands {
    root: Root,
    bdf: String,
    driver: String,
    /// Its group's `type` can be written.
    typed: bool,
}

/// Type of the default domain of a device's group.
pub(super) fn domain_of(root: &Root, bdf: &str) -> String {
    root.text(format!("sys/bus/pci/devices/{bdf}/iommu_group/type")).unwrap_or_default()
}

impl Hands {
    pub(super) fn new(root: &Root, bdf: &str, driver: &str, typed: bool) -> Self {
        Self { root: root.clone(), bdf: bdf.to_owned(), driver: driver.to_owned(), typed }
    }

    /// The group's default domain as its file says it.
    pub(super) fn domain(&self) -> String {
        domain_of(&self.root, &self.bdf)
    }

    pub(super) fn is_bound(&self) -> bool {
        self.root.exists(format!("sys/bus/pci/devices/{}/driver", self.bdf))
    }

    pub(super) fn unbind(&self) -> Result<(), String> {
        if self.is_bound() { self.write(&self.device("driver/unbind"), &self.bdf) } else { Ok(()) }
    }

    /// Returns when the driver's probe does; what it starts in the background comes later.
    pub(super) fn bind(&self) -> Result<(), String> {
        if self.is_bound() {
            return Ok(());
        }
        let bound = self.write(&format!("sys/bus/pci/drivers/{}/bind", self.driver), &self.bdf);
        if self.is_bound() { Ok(()) } else { bound.and(Err(format!("{} did not bind", self.driver))) }
    }

    /// A new domain that unmaps at once, with nothing allocated or cached in it. The driver must be unbound.
    ///
    /// Writing another type makes a new default domain (`iommu_group_store_type()`, drivers/iommu/iommu.c; 5.11). Where
    /// that is not to be had, taking the device off the bus takes its group along.
    pub(super) fn fresh(&self) -> Result<(), String> {
        if !self.typed {
            return self.replug();
        }
        if self.domain() != "identity" {
            self.set_domain("identity")?;
        }
        self.set_domain("DMA")
    }

    fn set_domain(&self, kind: &str) -> Result<(), String> {
        self.write(&self.device("iommu_group/type"), kind)
    }

    /// Off the bus and back, without a driver: it would come before its policy.
    fn replug(&self) -> Result<(), String> {
        let probing = "sys/bus/pci/drivers_autoprobe";
        self.write(&self.device("remove"), "1")?;
        self.write(probing, "0")?;
        let back = self.write("sys/bus/pci/rescan", "1").and_then(|()| self.wait_for("iommu_group"));
        self.write(probing, "1")?;
        back?;
        self.unbind()
    }

    /// Waits for a file of the device.
    fn wait_for(&self, file: &str) -> Result<(), String> {
        let start = Instant::now();
        while !self.root.exists(self.device(file)) {
            if start.elapsed() > PATIENCE {
                return Err(format!("{} did not come back on the bus within 30 s", self.bdf));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    pub(super) fn set_policy(&self, policy: Policy) -> Result<(), String> {
        module::write_policy(&self.root, &self.bdf, policy).map_err(|error| error.to_string())
    }

    /// Driver, domain and policy as they were. What does not work is said, and the rest done all the same.
    pub(super) fn put_back(&self, domain: &str) -> Vec<String> {
        let mut problems = Vec::new();
        let mut note = |result: Result<(), String>| problems.extend(result.err());
        if !self.root.exists(format!("sys/bus/pci/devices/{}", self.bdf)) {
            note(self.write("sys/bus/pci/rescan", "1").and_then(|()| self.wait_for("iommu_group")));
        }
        let managed = module::configured(&self.root, &self.bdf);
        let as_it_was = self.domain() == domain
            && managed.is_none_or(|managed| managed.policy == Policy::Stock && managed.held_bytes == 0);
        if as_it_was && self.is_bound() {
            return problems;
        }
        // What the driver has mapped high stays until it goes.
        note(self.unbind());
        if module::loaded(&self.root).is_some() {
            note(self.set_policy(Policy::Stock));
        }
        if self.typed {
            note(self.fresh());
            if domain != "DMA" && !domain.is_empty() {
                note(self.set_domain(domain));
            }
        }
        note(self.bind());
        problems
    }

    fn device(&self, file: &str) -> String {
        format!("sys/bus/pci/devices/{}/{file}", self.bdf)
    }

    fn write(&self, path: &str, value: &str) -> Result<(), String> {
        let path: PathBuf = self.root.path(path);
        fs::write(&path, value).map_err(|error| format!("writing {value} to {}: {error}", path.display()))
    }
}
