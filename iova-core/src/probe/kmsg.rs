//! DMA faults from the kernel log: the last resort, for IOMMUs whose driver tells nobody else.
//!
//! virtio-iommu prints `page fault from EP 40 at 0xdead000 [R]` (`viommu_fault_handler`, drivers/iommu/virtio-iommu.c,
//! 5.3 to 7.3), rate limited; an endpoint is a PCI address. What it prints is a lower bound.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt as _;

use crate::inventory::host;
use crate::kernel::Root;
use crate::sample::{Event, What};

/// Longest record of `/dev/kmsg` (`PRINTK_MESSAGE_MAX`, kernel/printk/internal.h, is 2 KiB; with its dictionary).
const RECORD: usize = 8192;

/// The log from here on.
pub(super) struct Log(File);

/// True if an IOMMU of this host reports faults to the log only.
pub(super) fn needed(root: &Root) -> bool {
    host::iommus(root).iter().any(|kind| kind == "virtio-iommu")
}

impl Log {
    /// Opens the log at its end.
    pub(super) fn open(root: &Root) -> std::io::Result<Self> {
        let path = root.path("dev/kmsg");
        let mut file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Self(file))
    }

    /// Readable when there is a new record.
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Faults logged since the last call.
    pub(super) fn faults(&mut self) -> Vec<Event> {
        let mut record = vec![0; RECORD];
        let mut faults = Vec::new();
        loop {
            match self.0.read(&mut record) {
                Ok(0) => return faults,
                Ok(length) => faults.extend(parse(&String::from_utf8_lossy(&record[..length]))),
                // Records were overwritten before we read them; the next read goes on with the oldest.
                Err(error) if error.raw_os_error() == Some(libc::EPIPE) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return faults,
            }
        }
    }
}

/// A record is `PRIORITY,SEQUENCE,MICROSECONDS,FLAGS;TEXT` and maybe lines of key=value.
pub(crate) fn parse(record: &str) -> Option<Event> {
    let (prefix, text) = record.split_once(';')?;
    let microseconds: u64 = prefix.split(',').nth(2)?.parse().ok()?;
    let (before, after) = text.lines().next()?.split_once(" fault from EP ")?;
    if !before.contains("iommu") {
        return None;
    }
    let mut words = after.split_ascii_whitespace();
    let endpoint: u64 = words.next()?.parse().ok()?;
    let mut what = (0, None);
    while let Some(word) = words.next() {
        if word == "at" {
            what.0 = u64::from_str_radix(words.next()?.trim_start_matches("0x"), 16).ok()?;
        } else if let Some(access) = word.strip_prefix('[') {
            // QEMU's device says neither.
            what.1 = match access.chars().next() {
                Some('R') => Some(true),
                Some('W' | 'X') => Some(false),
                _ => None,
            };
        }
    }
    let what = What::Fault { addr: what.0, bdf: Some(bdf(endpoint)), reason: None, read: what.1 };
    Some(Event { ns: microseconds * 1000, cpu: 0, dev: 0, iovad: 0, what })
}

/// A PCI address from its number: segment, bus, device, function.
fn bdf(id: u64) -> String {
    format!("{:04x}:{:02x}:{:02x}.{}", id >> 16, id >> 8 & 0xff, id >> 3 & 0x1f, id & 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_virtio_iommu() {
        let record = "3,512,7654321,-;virtio_iommu virtio0: page fault from EP 40 at 0xdead000 [R]\n SUBSYSTEM=virtio\n";
        let event = parse(record).unwrap();
        let expected =
            What::Fault { addr: 0xdead000, bdf: Some("0000:00:05.0".into()), reason: None, read: Some(true) };
        assert_eq!((event.ns, event.what), (7_654_321_000, expected));
    }

    #[test]
    fn a_fault_without_an_address() {
        let event = parse("3,1,2,-;virtio_iommu virtio0: unknown fault from EP 65544 []\n").unwrap();
        let expected = What::Fault { addr: 0, bdf: Some("0001:00:01.0".into()), reason: None, read: None };
        assert_eq!(event.what, expected);
    }

    #[test]
    fn other_records_are_no_faults() {
        for record in [
            "",
            "3,1,2,-;usb 1-1: fault from EP 3",
            "6,x,y,-;z",
            "3,1,2,-;virtio_iommu: page fault from EP x",
        ] {
            assert!(parse(record).is_none(), "{record}");
        }
    }
}
