//! From what a user typed to devices.

use super::{Device, Inventory};

/// No device is called that.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    /// Nothing of that name, but something like it.
    #[error(
        "no device behind an IOMMU is called '{what}': did you mean '{nearest}'? `iova devices` lists all"
    )]
    DidYouMean {
        /// What was asked for.
        what: String,
        /// The name most like it.
        nearest: String,
    },
    /// Nothing of that name, nor anything like it.
    #[error(
        "no device behind an IOMMU is called '{what}': give a PCI address, driver, network interface, block device \
         or vendor:device; `iova devices` lists all"
    )]
    Unknown {
        /// What was asked for.
        what: String,
    },
}

impl Inventory {
    /// Devices by PCI address (with or without domain), interface or disk name, driver, or `vendor:device`.
    pub fn find(&self, what: &str) -> Result<Vec<&Device>, FindError> {
        // Names are shown cleaned, so cleaned they are compared.
        let what = crate::kernel::root::clean(what.as_bytes());
        let wanted = what.trim_start_matches("/dev/").to_lowercase();
        // In this order, because a driver may be called like a disk, and an address names one device only.
        let rules: [fn(&Device, &str) -> bool; 4] = [is_address, is_function, is_driver, is_id];
        for rule in rules {
            let found: Vec<_> = self.devices.iter().filter(|device| rule(device, &wanted)).collect();
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Err(match self.nearest(&wanted) {
            Some(nearest) => FindError::DidYouMean { what, nearest },
            None => FindError::Unknown { what },
        })
    }

    fn nearest(&self, wanted: &str) -> Option<String> {
        let names = self.devices.iter().flat_map(names);
        let near = names.map(|name| (distance(wanted, &name.to_lowercase()), name));
        let (distance, name) = near.min()?;
        // Up to a third of the letters wrong is a typing error; more is another word.
        (distance <= (wanted.chars().count() / 3).max(1)).then_some(name)
    }
}

fn is_address(device: &Device, wanted: &str) -> bool {
    device.bdf.eq_ignore_ascii_case(wanted) || short(&device.bdf).eq_ignore_ascii_case(wanted)
}

fn is_function(device: &Device, wanted: &str) -> bool {
    device.functions.iter().any(|function| function.eq_ignore_ascii_case(wanted))
}

fn is_driver(device: &Device, wanted: &str) -> bool {
    // The kernel writes some drivers with '-' and their modules with '_'.
    let plain = |name: &str| name.to_lowercase().replace('-', "_");
    device.driver.as_deref().is_some_and(|driver| plain(driver) == plain(wanted))
}

fn is_id(device: &Device, wanted: &str) -> bool {
    device.id.is_some_and(|(vendor, id)| super::id_text((vendor, id)) == wanted)
}

/// `0000:00:1f.2` as `00:1f.2`; addresses in other domains stay whole.
fn short(bdf: &str) -> &str {
    bdf.strip_prefix("0000:").unwrap_or(bdf)
}

fn names(device: &Device) -> Vec<String> {
    let mut names = device.functions.clone();
    names.extend(device.driver.clone());
    names.extend(device.id.map(super::id_text));
    names.push(short(&device.bdf).to_owned());
    names.push(device.bdf.clone());
    names
}

/// Levenshtein: the number of letters to insert, delete or replace.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (&other, window) in b.iter().zip(row.windows(2)) {
            let (Some(&diagonal), Some(&above), Some(&left)) = (window.first(), window.last(), next.last())
            else {
                continue;
            };
            next.push((diagonal + usize::from(letter != other)).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::DomainType;
    use super::*;

    fn device(bdf: &str, driver: &str, functions: &[&str], id: (u16, u16)) -> Device {
        Device {
            dev: None,
            bdf: bdf.to_owned(),
            bus: "pci".to_owned(),
            id: Some(id),
            name: String::new(),
            driver: Some(driver.to_owned()),
            functions: functions.iter().map(|&name| name.to_owned()).collect(),
            group: 1,
            domain_type: DomainType::DmaFq,
            iovad: None,
            dma_mask_bits: None,
            coherent_mask_bits: None,
            bus_dma_limit: None,
            configured: None,
            managed: None,
        }
    }

    fn inventory() -> Inventory {
        let devices = vec![
            device("0000:00:02.0", "e1000e", &["eth0"], (0x8086, 0x10d3)),
            device("0000:00:03.0", "nvme", &["nvme0n1"], (0x1b36, 0x10)),
            device("0001:04:00.0", "nvme", &["nvme1n1"], (0x144d, 0xa80a)),
        ];
        Inventory { devices, ..Inventory::default() }
    }

    fn found(what: &str) -> Vec<String> {
        let inventory = inventory();
        inventory.find(what).unwrap().iter().map(|device| device.bdf.clone()).collect()
    }

    #[test]
    fn every_kind_of_name() {
        assert_eq!(found("0000:00:02.0"), ["0000:00:02.0"]);
        assert_eq!(found("00:02.0"), ["0000:00:02.0"]);
        assert_eq!(found("eth0"), ["0000:00:02.0"]);
        assert_eq!(found("/dev/nvme1n1"), ["0001:04:00.0"]);
        assert_eq!(found("nvme"), ["0000:00:03.0", "0001:04:00.0"]);
        assert_eq!(found("144D:a80a"), ["0001:04:00.0"]);
    }

    #[test]
    fn the_nearest_is_offered() {
        let error = inventory().find("nvmee0n1").unwrap_err().to_string();
        assert!(error.contains("did you mean 'nvme0n1'?"), "{error}");
        let error = inventory().find("eth1").unwrap_err().to_string();
        assert!(error.contains("'eth0'"), "{error}");
    }

    #[test]
    fn nothing_like_it() {
        let error = inventory().find("xhci_hcd\x1b[2J").unwrap_err();
        assert_eq!(error, FindError::Unknown { what: "xhci_hcd?[2J".to_owned() });
        assert!(matches!(inventory().find(""), Err(FindError::Unknown { .. })));
        assert!(matches!(Inventory::default().find("eth0"), Err(FindError::Unknown { .. })));
    }

    #[test]
    fn distances() {
        assert_eq!((distance("", "abc"), distance("kitten", "sitting"), distance("a", "a")), (3, 3, 0));
    }
}
