//! Names of PCI devices from the `pci.ids` file of the distribution.

use std::collections::HashMap;

use crate::kernel::Root;
use crate::kernel::root::clean;

/// Where distributions keep it: Debian, Fedora and SUSE, and where `update-pciids` writes.
const PLACES: [&str; 3] = ["usr/share/misc/pci.ids", "usr/share/hwdata/pci.ids", "var/lib/pciutils/pci.ids"];

/// Names of the devices asked for.
#[derive(Debug, Default)]
pub(super) struct PciIds(HashMap<(u16, u16), String>);

impl PciIds {
    /// Looks the wanted ones up, in one pass over the file.
    pub(super) fn load(root: &Root, wanted: &[(u16, u16)]) -> Self {
        let file = PLACES.iter().find_map(|place| root.bytes(place).ok());
        file.map_or_else(Self::default, |file| Self::parse(&file, wanted))
    }

    fn parse(file: &[u8], wanted: &[(u16, u16)]) -> Self {
        let mut names = HashMap::new();
        let mut vendor: Option<(u16, &[u8])> = None;
        for line in file.split(|&byte| byte == b'\n') {
            match line {
                [b'\t', b'\t', ..] | [b'#', ..] | [] => {}
                // Device classes come behind the vendors, in the same shape.
                [b'C', b' ', ..] => break,
                [b'\t', rest @ ..] => {
                    let Some((vendor_id, vendor_name)) = vendor else { continue };
                    let Some((device_id, device_name)) = entry(rest) else { continue };
                    if wanted.contains(&(vendor_id, device_id)) {
                        let name = [vendor_name, device_name].join(&b' ');
                        names.insert((vendor_id, device_id), clean(&name));
                    }
                }
                _ => vendor = entry(line).filter(|(id, _)| wanted.iter().any(|(wanted, _)| wanted == id)),
            }
        }
        Self(names)
    }

    /// "Intel Corporation 82574L Gigabit Network Connection", or "8086:10d3".
    pub(super) fn name(&self, id: (u16, u16)) -> String {
        self.0.get(&id).cloned().unwrap_or_else(|| format!("{:04x}:{:04x}", id.0, id.1))
    }
}

/// `"8086  Intel Corporation"`.
fn entry(line: &[u8]) -> Option<(u16, &[u8])> {
    let (id, name) = line.split_at_checked(4)?;
    let id = u16::from_str_radix(std::str::from_utf8(id).ok()?, 16).ok()?;
    Some((id, name.trim_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] = b"# comment\n\n1b36  Red Hat, Inc.\n\t0010  QEMU NVM Express Controller\n\
        \t\t1af4 1100  QEMU Virtual Machine\n8086  Intel Corporation\n\t10d3  82574L\x1b Network\n\
        broken\n\tzzzz nothing\nC 01  Mass storage controller\n\t08  Non-Volatile memory controller\n";

    #[test]
    fn names() {
        let ids = PciIds::parse(FILE, &[(0x1b36, 0x10), (0x8086, 0x10d3), (0x8086, 1)]);
        assert_eq!(ids.name((0x1b36, 0x10)), "Red Hat, Inc. QEMU NVM Express Controller");
        assert_eq!(ids.name((0x8086, 0x10d3)), "Intel Corporation 82574L? Network");
        assert_eq!(ids.name((0x8086, 1)), "8086:0001");
    }

    #[test]
    fn no_file() {
        assert_eq!(PciIds::load(&Root::at("/nonexistent"), &[(1, 2)]).name((1, 2)), "0001:0002");
    }
}
