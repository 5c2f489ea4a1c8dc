//! A directory for one test, with the parts of /proc and /sys it needs.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Bdf, StateDir};
use crate::kernel::Root;

pub(crate) const DEVICE: &str = "0000:00:04.0";

pub(crate) struct TestDir(PathBuf);

impl TestDir {
    /// A machine with one NVMe device, in boot "b1".
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("iova-policy-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        let dir = Self(path);
        dir.boot("b1");
        for (file, id) in [
            ("vendor", "0x1b36"),
            ("device", "0x0010"),
            ("subsystem_vendor", "0x1af4"),
            ("subsystem_device", "0x1100"),
        ] {
            dir.file(&format!("sys/bus/pci/devices/{DEVICE}/{file}"), id);
        }
        dir
    }

    pub(crate) fn boot(&self, id: &str) {
        self.file("proc/sys/kernel/random/boot_id", id);
    }

    pub(crate) fn file(&self, path: &str, content: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn root(&self) -> Root {
        Root::at(&self.0)
    }

    pub(crate) fn state(&self) -> StateDir {
        StateDir::at(self.0.join("state"))
    }
}

impl Drop for TestDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn device() -> Bdf {
    DEVICE.parse().unwrap()
}
