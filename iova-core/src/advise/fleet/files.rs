//! Files for a group of hosts: by kind of device, so that the same files fit each of them.
//!
//! Kinds of devices belong into hwdb, not into rules (hwdb(7)): the rules say what is done, the table for whom.

use super::super::Setting;
use super::super::evidence::ids;
use super::super::place::command_line::{grub, tuned};
use super::super::place::{File, Places};
use super::{Change, Group};
use crate::inventory::DomainType;
use crate::model::type_name;
use std::collections::BTreeMap;
use std::fmt::Write as _;

pub(super) const HWDB: &str = "etc/udev/hwdb.d/62-iova-advice.hwdb";
pub(super) const RULES: &str = "etc/udev/rules.d/62-iova-advice.rules";
const DOMAIN: &str = "ID_IOVA_DOMAIN";
const SECTORS: &str = "ID_IOVA_MAX_SECTORS_KB";

/// What is to be installed on every host of the group.
pub fn files(group: &Group) -> Places {
    let mut places = Places::default();
    udev(group, &mut places);
    boot(group, &mut places);
    for change in &group.changes {
        if let (Setting::Policy { policy, .. }, Some(kind)) = (&change.setting, &change.kind) {
            places.install.push(format!(
                "On each of {}, for each device {kind} (iova devices {kind}): iova policy try DEVICE {policy} --flush, keep it, and then \
                 iova policy persist DEVICE. It is not for a file: whether a device gets along with it is seen on that host.",
                change.hosts.join(", ")
            ));
            places.remove.push("iova policy forget DEVICE; iova policy revert DEVICE".to_owned());
        }
    }
    places
}

/// Properties by kind of device.
fn properties(changes: &[Change]) -> BTreeMap<&str, Vec<String>> {
    let mut table: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for change in changes {
        let Some(kind) = change.kind.as_ref().filter(|kind| ids(kind).is_some()) else { continue };
        let property = match &change.setting {
            Setting::MaxSectors { kib, .. } => format!("{SECTORS}={kib}"),
            Setting::DomainType { to, .. } => format!("{DOMAIN}={to}"),
            _ => continue,
        };
        let list = table.entry(kind).or_default();
        if !list.contains(&property) {
            list.push(property);
        }
    }
    table
}

fn udev(group: &Group, places: &mut Places) {
    let table = properties(&group.changes);
    if table.is_empty() {
        return;
    }
    let mut hwdb = format!("# Advised by iova for hosts with Linux {}.\n", group.kernel);
    for (kind, list) in &table {
        let (vendor, device) = kind.split_once(':').unwrap_or((kind, "*"));
        let _ = writeln!(hwdb, "\npci:v0000{}d0000{}*", vendor.to_uppercase(), device.to_uppercase());
        list.iter().for_each(|property| {
            let _ = writeln!(hwdb, " {property}");
        });
    }
    places.files.push(File { path: HWDB.to_owned(), text: hwdb });
    places.files.push(File { path: RULES.to_owned(), text: rules() });
    places.install.push(
        "systemd-hwdb update; udevadm control --reload; udevadm trigger --action=change --subsystem-match=pci --subsystem-match=block \
         --settle"
            .to_owned(),
    );
    places.remove.push(format!(
        "rm /{HWDB} /{RULES}; systemd-hwdb update; udevadm control --reload; what was set stays until the next boot"
    ));
}

/// 50-udev-default.rules has looked up each PCI device by then; a disk has to look up the one it is below.
fn rules() -> String {
    let strict = type_name(DomainType::Dma);
    format!(
        "# Advised by iova. For whom: 62-iova-advice.hwdb.\n\
         ACTION==\"remove\", GOTO=\"iova_advice_end\"\n\
         SUBSYSTEM==\"pci\", ENV{{{DOMAIN}}}==\"?*\", ATTR{{iommu_group/type}}==\"{strict}\", ATTR{{iommu_group/type}}=\"$env{{{DOMAIN}}}\"\n\
         SUBSYSTEM==\"block\", ENV{{DEVTYPE}}==\"disk\", IMPORT{{builtin}}=\"hwdb --subsystem=pci --filter={SECTORS}\"\n\
         SUBSYSTEM==\"block\", ENV{{{SECTORS}}}==\"?*\", ATTR{{queue/max_sectors_kb}}=\"$env{{{SECTORS}}}\"\n\
         LABEL=\"iova_advice_end\"\n"
    )
}

/// Hosts of a group may be of different distributions: a file for each way, one of which is used.
fn boot(group: &Group, places: &mut Places) {
    let options: Vec<&str> = group
        .changes
        .iter()
        .filter_map(|change| match change.setting {
            Setting::BootOption { option } => Some(option),
            _ => None,
        })
        .collect();
    if options.is_empty() {
        return;
    }
    let all = options.join(" ");
    places.files.extend([grub(&all), tuned("", &all)]);
    places.install.push(format!(
        "Boot with {all}, by one of: update-grub (Debian, Ubuntu); tuned-adm profile \"$(tuned-adm active | sed 's/.*: //') iova\" where \
         TuneD is used; grubby --update-kernel=ALL --args=\"{all}\" (Fedora, RHEL). And reboot, one host first."
    ));
    places.remove.push("Remove that file or those arguments again, the same way, and reboot.".to_owned());
}
