//! Records of the kernel's log, as `/dev/kmsg` gives them.
//!
//! Anybody with a USB stick can put words into the log, and root can write to `/dev/kmsg`. So whoever looks for a driver's message
//! asks [`Record::text_of`] or [`Record::text_without_device`] for the text, which begins where the driver's format begins.

/// Longest record (`PRINTK_MESSAGE_MAX`, kernel/printk/internal.h, is 2 KiB; with its dictionary).
pub(crate) const LONGEST: usize = 8192;

/// One record: `PRIORITY,SEQUENCE,MICROSECONDS,FLAGS;TEXT` and maybe lines of key=value (Documentation/ABI/testing/dev-kmsg).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    pub(crate) sequence: u64,
    /// Since boot.
    pub(crate) microseconds: u64,
    priority: u32,
    text: &'a str,
    /// `DEVICE=` of the dictionary: `+SUBSYSTEM:NAME`, or a device number.
    device: Option<&'a str>,
}

impl<'a> Record<'a> {
    pub(crate) fn parse(record: &'a str) -> Option<Self> {
        let (prefix, rest) = record.split_once(';')?;
        let mut prefix = prefix.split(',');
        let mut number = || prefix.next()?.parse::<u64>().ok();
        let [priority, sequence, microseconds] = [number()?, number()?, number()?];
        let mut lines = rest.lines();
        let text = lines.next()?;
        let device = lines.find_map(|line| line.strip_prefix(" DEVICE="));
        Some(Self { sequence, microseconds, priority: u32::try_from(priority).ok()?, text, device })
    }

    /// The facility is above three bits of severity. What is written to `/dev/kmsg` never has the kernel's, which is 0
    /// (`devkmsg_write()`, kernel/printk/printk.c).
    fn is_kernels(&self) -> bool {
        self.priority >> 3 == 0
    }

    /// Device and text of what was printed with `dev_err()` and its like (`DRIVER NAME: TEXT`) about a device of this subsystem.
    pub(crate) fn text_of(&self, subsystem: &str) -> Option<(&'a str, &'a str)> {
        let name = self.device?.strip_prefix('+')?.strip_prefix(subsystem)?.strip_prefix(':')?;
        let (_, rest) = self.text.split_once(' ')?;
        let text = rest.strip_prefix(name)?.strip_prefix(": ")?;
        self.is_kernels().then_some((name, text))
    }

    /// The text of what was printed with `pr_err()` and its like.
    pub(crate) fn text_without_device(&self) -> Option<&'a str> {
        (self.is_kernels() && self.device.is_none()).then_some(self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_begins_behind_the_device() {
        let record =
            "3,512,7654321,-;virtio_iommu virtio0: page fault\n SUBSYSTEM=virtio\n DEVICE=+virtio:virtio0\n";
        let record = Record::parse(record).unwrap();
        assert_eq!((record.sequence, record.microseconds), (512, 7_654_321));
        assert_eq!(record.text_of("virtio"), Some(("virtio0", "page fault")));
        assert_eq!((record.text_of("pci"), record.text_without_device()), (None, None));
    }

    #[test]
    fn what_a_process_writes_is_nobodys_text() {
        for (record, is_text) in [("3,1,2,-;DMAR: x", true), ("12,1,2,-;DMAR: x", false)] {
            let record = Record::parse(record).unwrap();
            assert_eq!(record.text_without_device().is_some(), is_text, "{record:?}");
        }
        let forged = "11,1,2,-;nvme 0000:01:00.0: x\n DEVICE=+pci:0000:01:00.0\n";
        assert_eq!(Record::parse(forged).unwrap().text_of("pci"), None);
    }

    #[test]
    fn what_is_no_record_is_none() {
        for text in ["", "x", "6,x,y,-;z", "3,1;x", "3,1,2,-;", "-1,2,3,-;x"] {
            assert_eq!(Record::parse(text), None, "{text}");
        }
    }
}
