//! What is on a device that is a disk: who uses it, and which partition is which, also after its driver was bound anew.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::kernel::Root;
use crate::policy::root_disk;

/// A part of a disk that may be written to, by what stays the same when names change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// Number on its disk.
    pub number: u32,
    /// First sector, of 512 bytes.
    pub start: u64,
    /// Sectors.
    pub sectors: u64,
    /// The disk by its world-wide name, if it has one: after a power cut another may be in its place, divided likewise.
    #[serde(default)]
    pub disk: Option<String>,
}

/// Disks (not partitions) below a PCI device, by name.
pub fn disks(root: &Root, bdf: &str) -> Vec<String> {
    let names = root.names("sys/class/block").into_iter();
    let below = |name: &String| place(root, name).is_some_and(|place| place.iter().any(|part| part == bdf));
    let whole = |name: &String| !root.exists(format!("sys/class/block/{name}/partition"));
    // One path of a disk that has several is hidden: it has no node in /dev.
    let shown = |name: &String| root.text(format!("sys/class/block/{name}/hidden")).as_deref() != Some("1");
    names.filter(below).filter(whole).filter(shown).collect()
}

/// Who uses a device's disks or a part of them: mount points, "swap", and what is built on them ("dm-0").
pub fn users(root: &Root, bdf: &str) -> Vec<String> {
    let mut users = BTreeSet::new();
    let mine = |path: &PathBuf| path.iter().any(|part| part == bdf);
    for (mount, sources) in root_disk::mounts(root) {
        let mut places = BTreeSet::new();
        sources.iter().for_each(|source| root_disk::collect(root, source, &mut places));
        users.extend(places.iter().any(mine).then_some(mount));
    }
    users.extend(
        swaps(root)
            .iter()
            .filter_map(|name| place(root, name))
            .any(|path| mine(&path))
            .then(|| "swap".into()),
    );
    for name in root.names("sys/class/block") {
        if place(root, &name).is_some_and(|path| mine(&path)) {
            users.extend(root.names(format!("sys/class/block/{name}/holders")));
        }
    }
    users.into_iter().collect()
}

/// Names of block devices that are swapped to: "/dev/sda2 partition 1048572 0 -2".
fn swaps(root: &Root) -> Vec<String> {
    let bytes = root.bytes("proc/swaps").unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let first = text.lines().skip(1).filter_map(|line| line.split_whitespace().next());
    first.filter_map(|path| path.strip_prefix("/dev/")).map(str::to_owned).collect()
}

fn place(root: &Root, name: &str) -> Option<PathBuf> {
    std::fs::canonicalize(root.path(format!("sys/class/block/{name}"))).ok()
}

/// The partition with this name ("nvme0n1p3"), if it is one, and on the device.
pub fn partition(root: &Root, bdf: &str, name: &str) -> Option<Partition> {
    let number = |file: &str| root.number(format!("sys/class/block/{name}/{file}"));
    let place = place(root, name)?;
    let mine = place.iter().any(|part| part == bdf);
    let number_of = u32::try_from(number("partition")?).ok()?;
    mine.then_some(())?;
    let disk = place.parent().and_then(world_wide_name);
    Some(Partition { number: number_of, start: number("start")?, sectors: number("size")?, disk })
}

/// Of a disk's directory: NVMe namespaces have it there, SCSI disks with their device, virtio ones only a serial.
fn world_wide_name(disk: &Path) -> Option<String> {
    let files = ["wwid", "device/wwid", "serial"].into_iter();
    let mut names = files.filter_map(|file| std::fs::read_to_string(disk.join(file)).ok());
    names.find(|name| !name.trim().is_empty()).map(|name| name.trim().to_owned())
}

/// The name that a partition has now; `None` if there is none at exactly that place.
pub fn find(root: &Root, bdf: &str, wanted: &Partition) -> Option<String> {
    let names = root.names("sys/class/block");
    names.into_iter().find(|name| partition(root, bdf, name).as_ref() == Some(wanted))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::policy::testdir::{DEVICE, TestDir};

    const DISK: &str = "sys/devices/pci0000:00/0000:00:04.0/nvme/nvme0/nvme0n1";

    fn machine(name: &str) -> TestDir {
        let dir = TestDir::new(name);
        dir.file(&format!("{DISK}/wwid"), "eui.0025388b7110c2e1\n");
        for (number, start) in [(1, 2048), (2, 4096)] {
            let part = format!("{DISK}/nvme0n1p{number}");
            dir.file(&format!("{part}/partition"), &number.to_string());
            dir.file(&format!("{part}/start"), &start.to_string());
            dir.file(&format!("{part}/size"), "2048");
        }
        for (link, target) in [
            ("sys/class/block/nvme0n1".to_owned(), format!("../../../{DISK}")),
            ("sys/class/block/nvme0n1p1".to_owned(), format!("../../../{DISK}/nvme0n1p1")),
            ("sys/class/block/nvme0n1p2".to_owned(), format!("../../../{DISK}/nvme0n1p2")),
            ("sys/dev/block/259:1".to_owned(), format!("../../../{DISK}/nvme0n1p1")),
        ] {
            let link = dir.path().join(link);
            std::fs::create_dir_all(link.parent().unwrap()).unwrap();
            symlink(target, link).unwrap();
        }
        dir
    }

    #[test]
    fn partitions_are_known_by_their_place() {
        let dir = machine("verify-parts");
        let root = dir.root();
        assert_eq!(disks(&root, DEVICE), ["nvme0n1"]);
        let second = partition(&root, DEVICE, "nvme0n1p2").unwrap();
        assert_eq!((second.number, second.start, second.sectors), (2, 4096, 2048));
        assert_eq!(find(&root, DEVICE, &second).as_deref(), Some("nvme0n1p2"));
        assert_eq!(partition(&root, DEVICE, "nvme0n1"), None, "a whole disk is no partition");
        assert_eq!(partition(&root, "0000:00:1f.2", "nvme0n1p2"), None, "another device's");
        assert_eq!(second.disk.as_deref(), Some("eui.0025388b7110c2e1"));
        assert_eq!(find(&root, DEVICE, &Partition { start: 1, ..second.clone() }), None);
        dir.file(&format!("{DISK}/wwid"), "eui.0025388b7110c2e2\n");
        assert_eq!(find(&root, DEVICE, &second), None, "the same place on another disk");
    }

    #[test]
    fn whoever_uses_it_is_named() {
        let dir = machine("verify-users");
        assert_eq!(users(&dir.root(), DEVICE), Vec::<String>::new());
        dir.file("proc/self/mountinfo", "40 21 259:1 / /data rw - ext4 /dev/nvme0n1p1 rw\n");
        dir.file("proc/swaps", "Filename Type Size Used Priority\n/dev/nvme0n1p2 partition 1 0 -2\n");
        assert_eq!(users(&dir.root(), DEVICE), ["/data", "swap"]);
        assert_eq!(users(&dir.root(), "0000:00:1f.2"), Vec::<String>::new());
    }
}
