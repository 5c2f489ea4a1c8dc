//! PCIe errors of a device: the counters that the kernel's AER driver keeps.

use std::fs;
use std::path::{Path, PathBuf};

/// Files of totals (Documentation/ABI/testing/sysfs-bus-pci-devices-aer_stats, 5.10 to 7.3). Correctable errors are left
/// out: the link makes them by itself.
const FILES: [(&str, &str); 2] = [("aer_dev_nonfatal", "non-fatal"), ("aer_dev_fatal", "fatal")];

/// The counters as they were when last looked at.
pub(in crate::commands) struct Aer {
    directory: PathBuf,
    totals: [Option<u64>; FILES.len()],
}

impl Aer {
    /// Those of `bdf`; a device without AER has none and never changes.
    pub(in crate::commands) fn new(bdf: &str) -> Self {
        Self::of(Path::new("/sys/bus/pci/devices").join(bdf))
    }

    fn of(directory: PathBuf) -> Self {
        let totals = read(&directory);
        Self { directory, totals }
    }

    /// What increased since the last look, for people.
    pub(in crate::commands) fn news(&mut self) -> Option<String> {
        let before = std::mem::replace(&mut self.totals, read(&self.directory));
        let pairs = FILES.iter().zip(before.iter().zip(&self.totals));
        let grown = pairs.filter_map(|((_, name), (before, now))| match (before, now) {
            (Some(before), Some(now)) if now > before => Some(format!("{} {name}", now - before)),
            _ => None,
        });
        let words: Vec<String> = grown.collect();
        (!words.is_empty()).then(|| words.join(", "))
    }
}

fn read(directory: &Path) -> [Option<u64>; FILES.len()] {
    FILES.map(|(file, _)| total(&fs::read_to_string(directory.join(file)).ok()?))
}

/// The last line is the sum: "TOTAL_ERR_NONFATAL 3".
fn total(text: &str) -> Option<u64> {
    let sum = text.lines().find_map(|line| line.strip_prefix("TOTAL_ERR_"))?;
    sum.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_grows_is_news() {
        let place = std::env::temp_dir().join(format!("iova-aer-{}", std::process::id()));
        fs::create_dir_all(&place).unwrap();
        let write = |file: &str, sum: u64| {
            fs::write(place.join(file), format!("DLP 0\nUnsupReq 7\nTOTAL_ERR_X {sum}\n")).unwrap();
        };
        assert_eq!(Aer::of(place.clone()).news(), None, "no AER at all");
        write("aer_dev_nonfatal", 3);
        let mut aer = Aer::of(place.clone());
        assert_eq!(aer.news(), None);
        write("aer_dev_nonfatal", 5);
        assert_eq!(aer.news().as_deref(), Some("2 non-fatal"));
        assert_eq!(aer.news(), None);
        write("aer_dev_nonfatal", 0);
        assert_eq!(aer.news(), None, "a reset of the counters is no error");
        fs::remove_dir_all(&place).unwrap();
    }
}
