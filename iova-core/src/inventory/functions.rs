//! What people call a device: its network interfaces and disks.

use crate::kernel::Root;
use crate::kernel::root::clean;

/// A disk behind a USB hub behind a USB host is about eight directories down.
const MAX_DEPTH: u32 = 10;
/// A device with more directories than that is not looked through to the end.
const MAX_DIRECTORIES: u32 = 4096;

struct Search<'a> {
    root: &'a Root,
    found: Vec<String>,
    budget: u32,
}

/// Names of everything of the classes net, block and infiniband below a device directory of sysfs.
pub(super) fn of(root: &Root, device: &str) -> Vec<String> {
    let mut search = Search { root, found: Vec::new(), budget: MAX_DIRECTORIES };
    search.directory(device, MAX_DEPTH);
    search.found.sort_unstable();
    search.found.dedup();
    search.found
}

impl Search<'_> {
    fn directory(&mut self, directory: &str, depth: u32) {
        let Ok(entries) = std::fs::read_dir(self.root.path(directory)) else { return };
        for entry in entries.flatten() {
            // Only real directories: links lead back up.
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) || self.budget == 0 {
                continue;
            }
            self.budget -= 1;
            let Ok(name) = entry.file_name().into_string() else { continue };
            self.child(&format!("{directory}/{name}"), &name, depth);
        }
    }

    fn child(&mut self, path: &str, name: &str, depth: u32) {
        match self.root.link_name(format!("{path}/subsystem")).as_deref() {
            Some("net" | "infiniband") => self.found.push(clean(name.as_bytes())),
            Some("block") => self.found.push(multipath(&clean(name.as_bytes()))),
            // A device behind a bridge is listed by itself.
            Some("pci") => {}
            _ if depth > 0 && !is_leaf(name) => self.directory(path, depth - 1),
            _ => {}
        }
    }
}

/// Directories of attributes that every device has.
fn is_leaf(name: &str) -> bool {
    matches!(name, "power" | "msi_irqs" | "statistics" | "queues" | "wakeup" | "firmware_node" | "link")
}

/// `nvme0c1n1` is one path, hidden in `/dev`, of what people know as `nvme0n1`.
fn multipath(name: &str) -> String {
    let hidden = || {
        let (subsystem, rest) = name.strip_prefix("nvme")?.split_once('c')?;
        let (path, namespace) = rest.split_once('n')?;
        let numbers = [subsystem, path, namespace];
        let all = numbers.iter().all(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
        all.then(|| format!("nvme{subsystem}n{namespace}"))
    };
    hidden().unwrap_or_else(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_paths_of_nvme() {
        assert_eq!(multipath("nvme0c1n2"), "nvme0n2");
        assert_eq!((multipath("nvme0n1"), multipath("sdc")), ("nvme0n1".into(), "sdc".into()));
        assert_eq!(multipath("nvmecn"), "nvmecn");
    }
}
