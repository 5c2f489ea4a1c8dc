//! The kernel's own accounts of the processes that end (acct(2)), and what they say of `iova`.
//!
//! do_acct_process() (kernel/acct.c, 6.12) writes a record when the last thread of a process ends: struct acct_v3 of
//! include/uapi/linux/acct.h. Its name is that thread's.

use std::ffi::CString;
use std::fs::{self, File};
use std::time::Duration;

use iova_guest::Processes;

use crate::prepare;

/// A file system of its own: the kernel pauses where less than 2 % is free, and tests fill `/tmp`.
const HOME: &str = "/acct";
const RECORDS: &str = "/acct/records";

/// Of a record.
const BYTES: usize = 64;
const VERSION: u8 = 3;
/// `AFORK`: forked, and never another program.
const FORKED: u8 = 1;
/// `AHZ`: a unit of times is so much of a second.
const HZ: u64 = 100;
const PROGRAM: &[u8] = b"iova";

/// The kernel writes records as long as this lives.
pub(crate) struct Accounting(());

impl Accounting {
    /// Starts it; `None` if the kernel can't (CONFIG_BSD_PROCESS_ACCT).
    pub(crate) fn start() -> Option<Self> {
        fs::create_dir_all(HOME).ok()?;
        prepare::mount("tmpfs", HOME, "mode=0700").ok()?;
        File::create(RECORDS).ok()?;
        let path = CString::new(RECORDS).ok()?;
        // SAFETY: the path is NUL-terminated and outlives the call.
        (unsafe { libc::acct(path.as_ptr()) } == 0).then_some(Self(()))
    }

    /// Ends it; `None` if the records are of another kind (without CONFIG_BSD_PROCESS_ACCT_V3).
    pub(crate) fn finish(self) -> Option<Processes> {
        // SAFETY: no path means no accounting any more.
        unsafe { libc::acct(std::ptr::null()) };
        count(&fs::read(RECORDS).ok()?)
    }
}

fn count(records: &[u8]) -> Option<Processes> {
    let mut all = Processes::default();
    for record in records.as_chunks::<BYTES>().0 {
        // The high bit tells the order of bytes.
        if record[1] & 0x7f != VERSION {
            return None;
        }
        if record[48..].split(|byte| *byte == 0).next() != Some(PROGRAM) {
            continue;
        }
        all.started += u64::from(record[0] & FORKED == 0);
        all.cpu += time([record[32], record[33]]) + time([record[34], record[35]]);
    }
    Some(all)
}

/// A comp_t: 13 bits, and 3 more that say how often three bits were dropped below them.
fn time(bytes: [u8; 2]) -> Duration {
    let number = u16::from_le_bytes(bytes);
    let units = u64::from(number & 0x1fff) << (3 * (number >> 13));
    Duration::from_millis(units * 1000 / HZ)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &[u8], flags: u8, user: u16, system: u16) -> [u8; BYTES] {
        let mut record = [0; BYTES];
        (record[0], record[1]) = (flags, VERSION);
        record[32..34].copy_from_slice(&user.to_le_bytes());
        record[34..36].copy_from_slice(&system.to_le_bytes());
        record[48..48 + name.len()].copy_from_slice(name);
        record
    }

    #[test]
    fn starts_and_times_of_iova_are_added_up() {
        let records = [
            record(b"iova", 0, 120, 30),
            record(b"sh", 0, 500, 500),
            record(b"iova", FORKED, 1, 0),
            // 16 characters, and no end.
            record(b"iova-0123456789a", 0, 7, 7),
            record(b"iova", 2, 0, 5),
        ];
        let all = count(&records.concat()).unwrap();
        assert_eq!((all.started, all.cpu), (2, Duration::from_millis(1560)));
        assert_eq!(count(&[]), Some(Processes::default()));
    }

    #[test]
    fn other_records_tell_nothing() {
        let mut record = record(b"iova", 0, 1, 1);
        record[1] = 2;
        assert_eq!(count(&record), None);
    }

    #[test]
    fn long_times_are_rounded_by_the_kernel() {
        assert_eq!(time(0x1fff_u16.to_le_bytes()), Duration::from_millis(81_910));
        assert_eq!(time(0x2401_u16.to_le_bytes()), Duration::from_millis(0x401 * 8 * 10));
    }
}
