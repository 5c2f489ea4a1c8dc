//! The machine as a whole.

use super::Host;
use crate::kernel::Root;

pub(super) fn read(root: &Root) -> Host {
    Host {
        name: root.text("proc/sys/kernel/hostname").unwrap_or_default(),
        kernel: root.text("proc/sys/kernel/osrelease").unwrap_or_default(),
        arch: std::env::consts::ARCH.to_owned(),
        iommu: iommus(root),
        cpus: count(&root.text("sys/devices/system/cpu/online").unwrap_or_default()),
        memory_bytes: memory(root),
        cmdline: cmdline(root),
    }
}

/// Kinds of IOMMU, from the names drivers give to `iommu_device_sysfs_add`.
pub(crate) fn iommus(root: &Root) -> Vec<String> {
    let names = root.names("sys/class/iommu");
    let mut kinds: Vec<String> = names.iter().map(|name| kind_of(root, name)).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// The kind of one of them, by its name in /sys/class/iommu.
pub(crate) fn kind_of(root: &Root, name: &str) -> String {
    kind(&driver_name(root, name))
}

/// virtio-iommu is listed by its PCI address (`viommu_probe`): what tells is the device it hangs on,
/// `../../devices/pci0000:00/0000:00:02.0/virtio0/iommu/0000:00:02.0`.
fn driver_name(root: &Root, name: &str) -> String {
    let target = std::fs::read_link(root.path(format!("sys/class/iommu/{name}"))).unwrap_or_default();
    let parent = target.iter().rev().nth(2).and_then(|part| part.to_str()).unwrap_or_default();
    if parent.starts_with("virtio") { parent.to_owned() } else { name.to_owned() }
}

fn kind(name: &str) -> String {
    let known = [
        ("dmar", "Intel VT-d"),
        ("ivhd", "AMD-Vi"),
        ("virtio", "virtio-iommu"),
        ("smmu3", "Arm SMMUv3"),
        ("smmu", "Arm SMMU"),
    ];
    let found = known.iter().find(|(prefix, _)| name.starts_with(prefix));
    found.map_or_else(|| crate::kernel::root::clean(name.as_bytes()), |(_, kind)| (*kind).to_owned())
}

/// How many numbers a list like `0-3,8` has.
fn count(list: &str) -> u32 {
    list.split(',').filter_map(span).sum()
}

fn span(part: &str) -> Option<u32> {
    let (first, last) = part.split_once('-').unwrap_or((part, part));
    let (first, last): (u32, u32) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    last.checked_sub(first)?.checked_add(1)
}

fn memory(root: &Root) -> u64 {
    let Ok(bytes) = root.bytes("proc/meminfo") else { return 0 };
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0).saturating_mul(1024)
}

fn cmdline(root: &Root) -> Vec<String> {
    let line = root.text("proc/cmdline").unwrap_or_default();
    let concerns = |word: &&str| word.contains("iommu") || word.starts_with("swiotlb");
    line.split_whitespace().filter(concerns).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpus() {
        assert_eq!(count("0-3,8"), 5);
        assert_eq!((count(""), count("0"), count("3-1"), count("0-4294967295")), (0, 1, 0, 0));
    }

    #[test]
    fn kinds() {
        assert_eq!((kind("dmar0"), kind("smmu3.0x2b400000")), ("Intel VT-d".into(), "Arm SMMUv3".into()));
        assert_eq!(kind("odd\x1b"), "odd?");
    }
}
