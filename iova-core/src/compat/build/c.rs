//! A table for kernel code: caps only, because a kernel widens nothing by itself.

use super::super::pattern::{ClassPrefix, IdPattern, Match};
use super::super::record::Record;
use super::narrowest_last;

const HEAD: &str = "\
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Caps on the DMA addresses of PCI devices, narrowest first: the first entry
 * that fits counts. Made by \"iova compat build --format c\" from compat/.
 */
#ifndef IOVA_POLICY_LIST_H
#define IOVA_POLICY_LIST_H

#include <linux/pci.h>
#include <linux/types.h>

/**
 * struct iova_policy_listed - a kind of device and its cap
 * @id: devices
 * @cap: bits that no address may exceed
 * @first_revision: lowest revision meant
 * @last_revision: highest revision meant
 * @bridges: the port above has to be one of these, ended by zeros; NULL: any
 */
struct iova_policy_listed {
\tstruct pci_device_id id;
\tu8 cap;
\tu8 first_revision;
\tu8 last_revision;
\tconst struct pci_device_id *bridges;
};
";

/// Columns of the kernel's lines, and what a tab has more than one.
const LINE: usize = 100;
const TAB: usize = 7;

/// The file.
pub fn c(records: &[&Record]) -> String {
    let mut records = narrowest_last(records);
    records.retain(|record| record.is_applied());
    records.reverse();
    let (mut bridges, mut table) = (String::new(), String::new());
    for record in records {
        table += &comment(record);
        for (index, it) in record.matches.iter().enumerate() {
            let ports = format!("iova_policy_{}_{index}", record.id.replace('-', "_"));
            if !it.bridge.is_empty() {
                bridges += &format!("\nstatic const struct pci_device_id {ports}[] = {{\n");
                it.bridge.iter().for_each(|port| bridges += &format!("\t{{ {} }},\n", id(*port)));
                bridges += "\t{ }\n};\n";
            }
            table += &entry(record, it, &ports);
        }
    }
    format!(
        "{HEAD}{bridges}\nstatic const struct iova_policy_listed iova_policy_list[] = {{\n{table}}};\n\n#endif\n"
    )
}

fn entry(record: &Record, it: &Match, ports: &str) -> String {
    let subsystem = it.subsystem.map_or("PCI_ANY_ID, PCI_ANY_ID".to_owned(), numbers);
    let (class, mask) = it.class.as_ref().map(class).unwrap_or_default();
    let (first, last) = it.revision.as_ref().map_or((0, u8::MAX), |range| (*range.start(), *range.end()));
    let class = if mask == 0 { "0, 0".to_owned() } else { format!("0x{class:06x}, 0x{mask:06x}") };
    let bridges = if it.bridge.is_empty() { String::new() } else { format!(",\n\t  {ports}") };
    let (devices, cap) = (numbers(it.device), record.width);
    format!("\t{{ {{ {devices}, {subsystem}, {class} }}, {cap}, 0x{first:02x}, 0x{last:02x}{bridges} }},\n")
}

fn numbers(id: IdPattern) -> String {
    let device = id.device.map_or("PCI_ANY_ID".to_owned(), |device| format!("0x{device:04x}"));
    format!("0x{:04x}, {device}", id.vendor)
}

fn id(port: IdPattern) -> String {
    format!("{}, PCI_ANY_ID, PCI_ANY_ID, 0, 0", numbers(port))
}

/// Value and mask, 24 bits.
fn class(prefix: &ClassPrefix) -> (u32, u32) {
    let missing = 6_u32.saturating_sub(prefix.digits().len() as u32) * 4;
    let value = u32::from_str_radix(prefix.digits(), 16).unwrap_or_default();
    (value << missing, 0xff_ffff >> missing << missing)
}

fn comment(record: &Record) -> String {
    let name = record.name.replace("*/", "* /");
    let line = format!("\t/* {name}: compat/{}.toml */\n", record.id);
    if line.len() + TAB < LINE {
        return line;
    }
    format!("\t/*\n\t * {name}\n\t * compat/{}.toml\n\t */\n", record.id)
}
