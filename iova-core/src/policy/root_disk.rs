//! Whether the root file system is on a device.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use crate::kernel::Root;
use crate::kernel::root::clean;

/// How deep disks may be stacked: partition on RAID on encryption on volume is four.
const DEPTH: u32 = 8;

/// True if `/` (or `/usr`) is on a disk below the PCI device `bdf`, also through device mapper, RAID and partitions.
pub(super) fn is_below_root(root: &Root, bdf: &str) -> bool {
    let mut disks = BTreeSet::new();
    let system = |(mount, _): &(String, _)| matches!(mount.as_str(), "/" | "/usr");
    for source in mounts(root).into_iter().filter(system).flat_map(|(_, sources)| sources) {
        collect(root, &source, &mut disks);
    }
    disks.iter().any(|path| path.iter().any(|part| part == bdf))
}

/// Mount points and their block devices out of `proc/self/mountinfo`: "36 35 98:0 / / rw - ext4 /dev/sda1 rw". The
/// number is anonymous for btrfs, so the source name is looked at too.
pub(super) fn mounts(root: &Root) -> Vec<(String, Vec<String>)> {
    let bytes = root.bytes("proc/self/mountinfo").unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let mut mounts = Vec::new();
    for line in text.lines() {
        let words: Vec<_> = line.split(' ').collect();
        let Some(mount) = words.get(4) else { continue };
        let number = words.get(2).copied().unwrap_or_default();
        let mut names = vec![format!("sys/dev/block/{number}")];
        let source = words.iter().skip_while(|word| **word != "-").nth(2);
        if let Some(name) = source.and_then(|source| source.strip_prefix("/dev/")) {
            let target = fs::canonicalize(root.path(format!("dev/{name}"))).ok();
            let last = target.as_ref().and_then(|path| path.file_name()).and_then(|last| last.to_str());
            names.push(format!("sys/class/block/{}", last.unwrap_or(name)));
        }
        mounts.push((clean(mount.as_bytes()), names));
    }
    mounts
}

/// The place of a block device in the device tree, and of everything it is made of.
pub(super) fn collect(root: &Root, path: &str, disks: &mut BTreeSet<PathBuf>) {
    descend(root, path, DEPTH, disks);
}

fn descend(root: &Root, path: &str, depth: u32, disks: &mut BTreeSet<PathBuf>) {
    let Ok(place) = fs::canonicalize(root.path(path)) else { return };
    for part in [Some(place.as_path()), place.parent()].into_iter().flatten() {
        let slaves = fs::read_dir(part.join("slaves")).into_iter().flatten().flatten();
        for name in slaves.filter_map(|entry| entry.file_name().into_string().ok()).filter(|_| depth > 0) {
            descend(root, &format!("sys/class/block/{name}"), depth - 1, disks);
        }
    }
    disks.insert(place);
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::policy::testdir::{DEVICE, TestDir};

    /// nvme0n1p2 on the device, below an encrypted dm-0; sda elsewhere.
    fn machine(name: &str, mount: &str) -> TestDir {
        let dir = TestDir::new(name);
        let disk = format!("sys/devices/pci0000:00/{DEVICE}/nvme/nvme0/nvme0n1");
        dir.file(&format!("{disk}/nvme0n1p2/partition"), "2");
        dir.file("sys/devices/virtual/block/dm-0/slaves/nvme0n1p2/dev", "259:2");
        dir.file("sys/devices/pci0000:00/0000:00:1f.2/ata1/block/sda/dev", "8:0");
        for (link, target) in [
            ("sys/dev/block/253:0", "../../devices/virtual/block/dm-0"),
            ("sys/dev/block/8:0", "../../devices/pci0000:00/0000:00:1f.2/ata1/block/sda"),
            ("sys/class/block/nvme0n1p2", &format!("../../../{disk}/nvme0n1p2")),
        ] {
            let link = dir.path().join(link);
            fs::create_dir_all(link.parent().unwrap()).unwrap();
            symlink(target, link).unwrap();
        }
        dir.file("proc/self/mountinfo", mount);
        dir
    }

    #[test]
    fn through_encryption_and_partitions() {
        let crypt = machine("crypt", "21 1 253:0 / / rw - ext4 /dev/mapper/root rw\n");
        assert!(is_below_root(&crypt.root(), DEVICE));
        assert!(!is_below_root(&crypt.root(), "0000:00:1f.2"));
    }

    #[test]
    fn btrfs_has_no_number_but_a_name() {
        let btrfs = machine("btrfs", "21 1 0:30 /@ / rw shared:1 - btrfs /dev/nvme0n1p2 rw\n");
        assert!(is_below_root(&btrfs.root(), DEVICE));
    }

    #[test]
    fn other_mounts_do_not_count() {
        let other = machine(
            "other",
            "21 1 8:0 / / rw - ext4 /dev/sda rw\n22 21 253:0 / /data rw - ext4 /dev/dm-0 rw\n",
        );
        assert!(!is_below_root(&other.root(), DEVICE) && is_below_root(&other.root(), "0000:00:1f.2"));
        assert!(!is_below_root(&Root::at("/nonexistent"), DEVICE));
    }
}
