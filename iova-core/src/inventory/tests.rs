//! A sysfs made of files and links.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::*;
use crate::kernel::Root;

struct Tree(PathBuf);

impl Tree {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("iova-inventory-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    fn link(&self, path: &str, target: &str) -> &Self {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
        self
    }

    fn collect(&self) -> Inventory {
        Inventory::collect_from(&Root::at(&self.0), None)
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn machine(name: &str) -> Tree {
    let tree = Tree::new(name);
    let nvme = "sys/devices/pci0000:00/0000:00:03.0";
    tree.file("proc/sys/kernel/osrelease", "6.12.0\n")
        .file("proc/sys/kernel/hostname", "box\n")
        .file("proc/meminfo", "MemTotal:        1000 kB\nMemFree: 1 kB\n")
        .file("proc/cmdline", "root=/dev/sda1 intel_iommu=on iommu.passthrough=0 quiet\n")
        .file("sys/devices/system/cpu/online", "0-1\n")
        .link("sys/class/iommu/dmar0", "../../devices/virtual/iommu/dmar0")
        .link("sys/class/iommu/dmar1", "../../devices/virtual/iommu/dmar1")
        .file("sys/kernel/iommu_groups/3/type", "DMA-FQ\n")
        .link("sys/kernel/iommu_groups/3/devices/0000:00:03.0", "../../../../devices/pci0000:00/0000:00:03.0")
        .file(&format!("{nvme}/vendor"), "0x1b36\n")
        .file(&format!("{nvme}/device"), "0x0010\n")
        .file(&format!("{nvme}/dma_mask_bits"), "64\n")
        .file(&format!("{nvme}/consistent_dma_mask_bits"), "32\n")
        .link(&format!("{nvme}/subsystem"), "../../../bus/pci")
        .link(&format!("{nvme}/driver"), "../../../bus/pci/drivers/nvme")
        .link(&format!("{nvme}/nvme/nvme0/subsystem"), "../../../../../class/nvme")
        .link(&format!("{nvme}/nvme/nvme0/nvme0n1/subsystem"), "../../../../../../class/block")
        .file(&format!("{nvme}/nvme/nvme0/nvme0n1/nvme0n1p1/partition"), "1\n");
    tree
}

#[test]
fn without_a_kernel() {
    let inventory = machine("plain").collect();
    let host = &inventory.host;
    assert_eq!((host.name.as_str(), host.kernel.as_str(), host.cpus), ("box", "6.12.0", 2));
    assert_eq!((host.memory_bytes, host.iommu.as_slice()), (1_024_000, &["Intel VT-d".to_owned()][..]));
    assert_eq!(host.cmdline, ["intel_iommu=on", "iommu.passthrough=0"]);
    let [device] = &inventory.devices[..] else { panic!("{inventory:?}") };
    assert_eq!((device.bdf.as_str(), device.name.as_str()), ("0000:00:03.0", "1b36:0010"));
    assert_eq!((device.driver.as_deref(), device.bus.as_str()), (Some("nvme"), "pci"));
    assert_eq!(device.functions, ["nvme0n1"]);
    assert_eq!((device.group, device.domain_type), (3, DomainType::DmaFq));
    assert_eq!((device.dma_mask_bits, device.coherent_mask_bits), (Some(64), Some(32)));
    assert_eq!((device.configured, device.iovad), (None, None));
    assert_eq!(inventory.missing.len(), 1);
}

#[test]
fn odd_content_is_survived() {
    let tree = machine("odd");
    let bad = "sys/devices/pci0000:00/0000:00:09.0";
    tree.file("sys/kernel/iommu_groups/7/type", [0xff, 0x1b, b'['])
        .link("sys/kernel/iommu_groups/7/devices/0000:00:09.0", "../../../../devices/pci0000:00/0000:00:09.0")
        .link("sys/kernel/iommu_groups/7/devices/0000:00:0a.0", "../../../../devices/gone")
        .file("sys/kernel/iommu_groups/notanumber/type", "DMA")
        .file(&format!("{bad}/vendor"), "0x8086\x1b[31m")
        .file(&format!("{bad}/dma_mask_bits"), "99999999999999999999")
        .link(&format!("{bad}/driver"), "../../../bus/pci/drivers/e\x1b[2J")
        .link(&format!("{bad}/net/eth\x07/subsystem"), "../../../../../class/net");
    let inventory = tree.collect();
    let find = |bdf: &str| inventory.devices.iter().find(|device| device.bdf == bdf).unwrap();
    let device = find("0000:00:09.0");
    assert_eq!((device.id, device.dma_mask_bits), (None, None));
    assert_eq!((device.driver.as_deref(), device.domain_type), (Some("e?[2J"), DomainType::Other));
    assert_eq!(device.functions, ["eth?"]);
    assert_eq!(find("0000:00:0a.0").bus, "unknown");
    assert_eq!(inventory.devices.len(), 3);
}

#[test]
fn policy_from_sysfs_alone() {
    let tree = machine("policy");
    tree.file("sys/devices/pci0000:00/0000:00:03.0/dma_mask_bits", "32\n");
    assert_eq!(tree.collect().devices[0].configured, Some(Configured::Low));
    tree.file("sys/devices/pci0000:00/0000:00:03.0/dma_mask_bits", "64\n");
    tree.file("proc/cmdline", "iommu.forcedac=1\n");
    assert_eq!(tree.collect().devices[0].configured, Some(Configured::FullRange));
    tree.file("sys/kernel/iommu_groups/3/type", "identity\n");
    assert_eq!(tree.collect().devices[0].configured, None);
}

#[test]
fn what_the_policy_module_says() {
    let tree = machine("managed");
    // The group's link and the bus's lead to the same device.
    let group = "sys/bus/pci/devices/0000:00:03.0/iova_policy";
    assert_eq!(tree.collect().devices[0].managed, None);
    tree.file(&format!("{group}/policy"), "dac:40\n")
        .file(&format!("{group}/cap"), "48\n")
        .file(&format!("{group}/effective"), "full-range:40\n")
        .file(&format!("{group}/state"), "active\n")
        .file(&format!("{group}/held"), "1361784832\n");
    let device = tree.collect().devices.remove(0);
    assert_eq!(device.configured, Some(Configured::FullRange), "nothing low is left to get");
    let managed = device.managed.unwrap();
    assert_eq!(
        (managed.policy.to_string().as_str(), managed.cap, managed.held_bytes),
        ("dac:40", Some(48), 1361784832)
    );
    tree.file(&format!("{group}/held"), "0\n");
    assert_eq!(tree.collect().devices[0].configured, None, "sysfs alone does not tell");
}

#[test]
fn virtio_iommu_goes_by_a_pci_address() {
    let tree = machine("virtio");
    let target = "../../devices/pci0000:00/0000:00:02.0/virtio0/iommu/0000:00:02.0";
    tree.link("sys/class/iommu/0000:00:02.0", target);
    assert_eq!(tree.collect().host.iommu, ["Intel VT-d", "virtio-iommu"]);
}

#[test]
fn nothing_at_all() {
    let inventory = Tree::new("empty").collect();
    assert!(inventory.devices.is_empty());
    assert!(inventory.missing.iter().any(|sentence| sentence.contains("without an IOMMU")));
}
