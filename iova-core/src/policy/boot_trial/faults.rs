//! Faults in the kernel's log.
//!
//! While a machine comes up nobody traces it, but its log is kept:
//!
//! - VT-d (`dmar_fault_do_one()`, drivers/iommu/intel/dmar.c; without a segment): `DMAR: [DMA Write NO_PASID] Request device
//!   [00:05.0] fault addr 0xfffff000 [fault reason 0x05] …`; before 5.14 `[DMA Write] Request device [00:05.0] PASID
//!   ffffffff fault addr fffff000 [fault reason 05] …`;
//! - AMD-Vi (`amd_iommu_report_page_fault()` and `iommu_print_event()`, drivers/iommu/amd/iommu.c): `nvme 0000:01:00.0:
//!   AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x000c address=0xfffff000 flags=0x0020]`, or without the device's prefix
//!   `[IO_PAGE_FAULT device=0000:01:00.0 domain=…`, before 6.0 without the segment;
//! - virtio-iommu (`viommu_fault_handler()`): `page fault from EP 40 at 0xdead000 [W]`.
//!
//! All of them are rate limited, so what is found is a lower bound.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;

use crate::kernel::Root;
use crate::kernel::log::{LONGEST, Record};
use crate::policy::Bdf;
use crate::probe::kmsg;
use crate::sample::What;

/// More tell no more.
const MOST: usize = 4096;

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoggedFault {
    /// The device, as far as the log says it.
    pub bdf: Bdf,
    /// The log has no segment, so it may be another device of that bus and slot.
    pub any_segment: bool,
    /// The refused address.
    pub address: u64,
}

/// What the log of this boot has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// Faults, oldest first.
    pub faults: Vec<LoggedFault>,
    /// Its beginning is gone: there may have been more.
    pub is_cut: bool,
}

/// Reads this boot's log, from its beginning on.
pub struct Reader {
    file: File,
    record: Vec<u8>,
    has_begun: bool,
    log: Log,
}

impl Reader {
    /// Nothing is read yet.
    ///
    /// # Errors
    /// If `/dev/kmsg` can't be opened (CAP_SYSLOG).
    pub fn open(root: &Root) -> std::io::Result<Self> {
        let file =
            OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(root.path("dev/kmsg"))?;
        Ok(Self { file, record: vec![0; LONGEST], has_begun: false, log: Log::default() })
    }

    /// The log until now.
    pub fn log(&mut self) -> &Log {
        loop {
            match self.file.read(&mut self.record) {
                Ok(0) => return &self.log,
                Ok(length) => self.take(length),
                Err(error) if error.raw_os_error() == Some(libc::EPIPE) => self.log.is_cut = true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return &self.log,
            }
        }
    }

    fn take(&mut self, length: usize) {
        let text = String::from_utf8_lossy(&self.record[..length]);
        self.log.is_cut |= !std::mem::replace(&mut self.has_begun, true) && !begins(&text);
        if self.log.faults.len() < MOST {
            self.log.faults.extend(parse(&text));
        }
    }
}

/// The first record of a boot is number 0.
fn begins(record: &str) -> bool {
    Record::parse(record).is_some_and(|record| record.sequence == 0)
}

fn parse(record: &str) -> Option<LoggedFault> {
    let known = Record::parse(record)?;
    vtd(&known).or_else(|| amd(&known)).or_else(|| virtio(record))
}

fn vtd(record: &Record<'_>) -> Option<LoggedFault> {
    let request = record.text_without_device()?.strip_prefix("DMAR: [DMA ")?;
    let (_, after) = request.split_once("] Request device [")?;
    let (device, after) = after.split_once(']')?;
    let (_, after) = after.split_once("fault addr ")?;
    Some(LoggedFault { bdf: within(device)?, any_segment: true, address: hex(after)? })
}

/// Of the device, of the IOMMU, or of neither.
fn amd(record: &Record<'_>) -> Option<LoggedFault> {
    let of_device = record.text_of("pci");
    let of_iommu = || record.text_of("iommu").map(|(_, text)| text);
    let text = of_device.map(|(_, text)| text).or_else(of_iommu).or_else(|| record.text_without_device())?;
    let event = text.strip_prefix("AMD-Vi: Event logged [IO_PAGE_FAULT ")?;
    let value = |key: &str| event.split_ascii_whitespace().find_map(|word| word.strip_prefix(key));
    let name = value("device=").or_else(|| of_device.map(|(name, _)| name))?;
    let full = name.parse();
    let bdf = full.ok().or_else(|| within(name))?;
    Some(LoggedFault { bdf, any_segment: full.is_err(), address: hex(value("address=")?)? })
}

/// As the tracer reads it. A fault without an address tells nothing here.
fn virtio(record: &str) -> Option<LoggedFault> {
    let What::Fault { addr, bdf: Some(bdf), .. } = kmsg::parse(record)?.what else { return None };
    (addr != 0).then_some(LoggedFault { bdf: bdf.parse().ok()?, any_segment: false, address: addr })
}

/// `00:05.0`, of whatever segment.
fn within(text: &str) -> Option<Bdf> {
    format!("0000:{text}").parse().ok()
}

/// The hexadecimal number that a text begins with.
fn hex(text: &str) -> Option<u64> {
    let text = text.trim_start_matches("0x");
    let end = text.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(text.len());
    u64::from_str_radix(&text[..end], 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_driver_has_its_words() {
        let of_pci = "\n SUBSYSTEM=pci\n DEVICE=+pci:0000:00:05.0";
        let of_iommu = "\n SUBSYSTEM=iommu\n DEVICE=+iommu:ivhd0";
        let of_virtio = "\n SUBSYSTEM=virtio\n DEVICE=+virtio:virtio0";
        let lines = [
            (
                "DMAR: [DMA Write NO_PASID] Request device [00:05.0] fault addr 0xfffff000 [fault reason 0x05] x",
                "",
                true,
            ),
            (
                "DMAR: [DMA Read] Request device [00:05.0] PASID ffffffff fault addr fffff000 [fault reason 06] x",
                "",
                true,
            ),
            (
                "edu 0000:00:05.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x000c address=0xfffff000 flags=0x0020]",
                of_pci,
                false,
            ),
            (
                "iommu ivhd0: AMD-Vi: Event logged [IO_PAGE_FAULT device=0000:00:05.0 domain=0x0 address=0xfffff000 flags=0x0]",
                of_iommu,
                false,
            ),
            (
                "AMD-Vi: Event logged [IO_PAGE_FAULT device=00:05.0 domain=0x0000 address=0xfffff000 flags=0x0000]",
                "",
                true,
            ),
            ("virtio_iommu virtio0: page fault from EP 40 at 0xfffff000 [W]", of_virtio, false),
        ];
        for (line, dictionary, any_segment) in lines {
            let bdf = "0000:00:05.0".parse().unwrap();
            let expected = LoggedFault { bdf, any_segment, address: 0xffff_f000 };
            assert_eq!(parse(&format!("3,512,7,-;{line}{dictionary}\n")), Some(expected), "{line}");
            // The same as a name that a device gives itself, as that of another device, and from a process.
            for forged in [
                format!("6,512,7,-;usb 1-1: Product: {line}\n SUBSYSTEM=usb\n DEVICE=c189:1\n"),
                format!("6,512,7,-;{line}\n SUBSYSTEM=usb\n DEVICE=+usb:1-1\n"),
                format!("11,512,7,-;{line}{dictionary}\n"),
            ] {
                assert_eq!(parse(&forged), None, "{forged}");
            }
        }
    }

    #[test]
    fn other_lines_are_no_faults() {
        for line in [
            "",
            "x",
            "3,1,2,-;",
            "3,1,2,-;DMAR: [DMA Write] Request device [00:05.0 fault addr 0x1",
            "3,1,2,-;DMAR: [DMA Write] Request device [zz:05.0] fault addr 0x1",
            "3,1,2,-;x DMAR: [DMA Write] Request device [00:05.0] fault addr 0x1",
            "3,1,2,-;AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x1 address=0x1]",
            "3,1,2,-;AMD-Vi: Event logged [ILLEGAL_DEV_TABLE_ENTRY device=00:05.0 address=0x1]",
            "3,1,2,-;usb 1-1: page fault from EP 40 at 0x1",
        ] {
            assert_eq!(parse(line), None, "{line}");
        }
    }

    #[test]
    fn a_log_that_wrapped_is_known_by_its_first_number() {
        assert!(begins("5,0,0,-;Linux version 6.12") && !begins("5,77,0,-;x") && !begins(""));
    }
}
