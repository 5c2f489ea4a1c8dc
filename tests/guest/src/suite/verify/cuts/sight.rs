//! What happens to a device while it is verified, told as it happens: whoever cuts the power knows then what he hit.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Result, anyhow};
use iova_guest::cuts::CHANGE;

use crate::policy::device::Device;

/// Between two looks.
const TICK: Duration = Duration::from_millis(5);

/// A look at the device every now and then.
pub(super) struct Sight {
    over: Arc<AtomicBool>,
    looks: JoinHandle<()>,
}

impl Sight {
    pub(super) fn start(device: Device) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&over);
        let looks = std::thread::spawn(move || {
            let (mut last, mut number) = (look(device), 0);
            while !ends.load(Relaxed) {
                let now = look(device);
                if now != last {
                    number += 1;
                    println!("{CHANGE}{number}: {now}");
                    last = now;
                }
                std::thread::sleep(TICK);
            }
        });
        Self { over, looks }
    }

    pub(super) fn end(self) -> Result<()> {
        self.over.store(true, Relaxed);
        self.looks.join().map_err(|_| anyhow!("the look at the device panicked"))
    }
}

/// Driver, domain and policy.
fn look(device: Device) -> String {
    let domain = fs::read_to_string(device.path("iommu_group/type")).unwrap_or_default();
    let policy = device.get("policy").unwrap_or_default();
    let driver = if device.driver().is_some() { "bound" } else { "unbound" };
    format!("{driver}, domain {}, policy {policy}", domain.trim())
}
