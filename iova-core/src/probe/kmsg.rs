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
use crate::kernel::log::{LONGEST, Record};
use crate::sample::{Event, What};

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
        let mut record = vec![0; LONGEST];
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

/// The fault that a record tells of.
pub(crate) fn parse(record: &str) -> Option<Event> {
    let record = Record::parse(record)?;
    let (_, text) = record.text_of("virtio")?;
    let (endpoint, addr, read) = fault(text)?;
    let what = What::Fault { addr, bdf: Some(bdf(endpoint)), reason: None, read };
    Some(Event { ns: record.microseconds * 1000, cpu: 0, dev: 0, iovad: 0, what })
}

/// Endpoint, address and direction of `page fault from EP 40 at 0xdead000 [R]`; QEMU's device says neither of the last two.
fn fault(text: &str) -> Option<(u64, u64, Option<bool>)> {
    let (reason, rest) = text.split_once(" fault from EP ")?;
    let (place, access) = rest.strip_suffix(']')?.split_once(" [")?;
    let (endpoint, addr) = match place.split_once(" at 0x") {
        Some((endpoint, addr)) => (endpoint, u64::from_str_radix(addr, 16).ok()?),
        None => (place.strip_suffix(" at 0").unwrap_or(place), 0),
    };
    let read = match access {
        "" => None,
        _ if access.chars().all(|letter| "RWX".contains(letter)) => Some(access.starts_with('R')),
        _ => return None,
    };
    ["domain", "page", "unknown"].contains(&reason).then_some((endpoint.parse().ok()?, addr, read))
}

/// A PCI address from its number: segment, bus, device, function.
fn bdf(id: u64) -> String {
    format!("{:04x}:{:02x}:{:02x}.{}", id >> 16, id >> 8 & 0xff, id >> 3 & 0x1f, id & 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DICTIONARY: &str = "\n SUBSYSTEM=virtio\n DEVICE=+virtio:virtio0\n";

    fn record(text: &str) -> String {
        format!("3,512,7654321,-;virtio_iommu virtio0: {text}{DICTIONARY}")
    }

    #[test]
    fn a_fault_of_virtio_iommu() {
        let event = parse(&record("page fault from EP 40 at 0xdead000 [R]")).unwrap();
        let expected =
            What::Fault { addr: 0xdead000, bdf: Some("0000:00:05.0".into()), reason: None, read: Some(true) };
        assert_eq!((event.ns, event.what), (7_654_321_000, expected));
    }

    #[test]
    fn a_fault_without_an_address() {
        for text in ["unknown fault from EP 65544 []", "unknown fault from EP 65544 at 0 []"] {
            let event = parse(&record(text)).unwrap();
            let expected =
                What::Fault { addr: 0, bdf: Some("0001:00:01.0".into()), reason: None, read: None };
            assert_eq!(event.what, expected);
        }
    }

    #[test]
    fn other_records_are_no_faults() {
        let fault = "page fault from EP 40 at 0xdead000 [R]";
        assert!(parse(&record(fault)).is_some());
        for text in [
            "fault from EP 3",
            "page fault from EP x",
            "other fault from EP 40 at 0xdead000 [R]",
            "page fault from EP 40 at 0xdead000 [Q]",
            "page fault from EP 40 at 0xdead000 [R] and more",
            "x page fault from EP 40 at 0xdead000 [R]",
        ] {
            assert!(parse(&record(text)).is_none(), "{text}");
        }
        for record in [
            String::new(),
            // The name of a stick.
            format!(
                "6,1,2,-;usb 1-1: Product: virtio_iommu virtio0: {fault}\n SUBSYSTEM=usb\n DEVICE=c189:1\n"
            ),
            format!("3,1,2,-;virtio_iommu virtio0: {fault}\n SUBSYSTEM=usb\n DEVICE=+usb:1-1\n"),
            format!("3,1,2,-;virtio_iommu virtio0: {fault}\n"),
            // What a process writes.
            format!("12,1,2,-;virtio_iommu virtio0: {fault}{DICTIONARY}"),
        ] {
            assert!(parse(&record).is_none(), "{record}");
        }
    }
}
