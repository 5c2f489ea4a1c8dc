//! The device tables: of a report, and of `iova devices`.

use super::page::{Page, Style};
use super::table::{Align, Cell, Column, Table};
use super::{short, title, used_as};
use crate::commands::devices::DeviceList;
use iova_core::inventory::DomainType;
use iova_core::metric::{self, Scope};
use iova_core::model::{Device, Policy, Report};

/// A column that shows a metric.
struct Shown {
    title: &'static str,
    metric: &'static str,
    priority: u8,
}

/// Metrics of the table. What does not fit is in the detail section of the device.
fn shown(searches: bool) -> impl Iterator<Item = &'static Shown> {
    [RATE, if searches { SEARCHES } else { LATENCIES }, REST].into_iter().flatten()
}

const RATE: &[Shown] = &[Shown { title: "allocs/s", metric: "alloc.per_second", priority: 9 }];
const LATENCIES: &[Shown] = &[
    Shown { title: "p50", metric: "alloc.latency_ns.p50", priority: 8 },
    Shown { title: "p99", metric: "alloc.latency_ns.p99", priority: 9 },
    Shown { title: "max", metric: "alloc.latency_ns.max", priority: 6 },
];
/// In place of [`LATENCIES`], if tree searches are timed instead of allocations.
const SEARCHES: &[Shown] = &[
    Shown { title: "search p50", metric: "alloc.search_ns.p50", priority: 6 },
    Shown { title: "search p99", metric: "alloc.search_ns.p99", priority: 9 },
];
const REST: &[Shown] = &[
    Shown { title: "slow", metric: "alloc.slow_ratio", priority: 8 },
    Shown { title: "high", metric: "policy.effective_high_ratio", priority: 7 },
    Shown { title: "SACfail", metric: "alloc.sac_failed", priority: 7 },
    Shown { title: "32-bit", metric: "low_space.pressure", priority: 9 },
];

pub(super) fn write(page: &mut Page, report: &Report) {
    page.section("DEVICES");
    let (active, idle): (Vec<&Device>, Vec<&Device>) =
        report.devices.iter().partition(|device| device.active());
    if !active.is_empty() {
        let hidden = table(&active, report.quality.search_sampling > 0).write(page);
        legend(page, &hidden);
    }
    let passes = |device: &&Device| device.domain_type == Some(DomainType::Identity);
    let (passthrough, idle): (Vec<&Device>, Vec<&Device>) = idle.into_iter().partition(passes);
    named(page, "idle", &idle);
    named(page, "in passthrough (no IOVA allocation)", &passthrough);
    if report.devices.is_empty() {
        page.line(Style::Plain, "none behind an IOMMU");
    }
}

/// Devices without figures, in one list.
fn named(page: &mut Page, what: &str, devices: &[&Device]) {
    if devices.is_empty() {
        return;
    }
    const NAMES: usize = 24;
    let mut names: Vec<String> = devices.iter().take(NAMES).map(|device| title(device)).collect();
    if devices.len() > NAMES {
        names.push(format!("and {} more", devices.len() - NAMES));
    }
    page.items(&format!("{} {what}: ", devices.len()), &names);
}

fn legend(page: &mut Page, hidden: &[&str]) {
    let mut text = "slow: searched the tree; high: at or above 4 GiB; 32-bit: low space in use".to_owned();
    if !hidden.is_empty() {
        text += &format!("; no room here for {} (see below)", hidden.join(", "));
    }
    page.wrapped(Style::Dim, "", &text);
}

fn table(devices: &[&Device], searches: bool) -> Table {
    let column = |title, align, priority, min| Column { title, align, priority, min };
    let mut columns =
        vec![column("device", Align::Left, 10, None), column("used as", Align::Left, 10, Some(7))];
    columns.extend(shown(searches).map(|shown| column(shown.title, Align::Right, shown.priority, None)));
    columns.push(column("policy", Align::Left, 5, None));
    Table { columns, rows: devices.iter().map(|device| row(device, searches)).collect() }
}

fn row(device: &Device, searches: bool) -> Vec<Cell> {
    let mut cells = vec![
        Cell { text: short(&device.bdf).to_owned(), style: Style::Strong },
        Cell::plain(used_as(device)),
    ];
    cells.extend(shown(searches).map(|shown| Cell::plain(value(device, shown.metric))));
    cells.push(Cell::plain(device.policy.configured.unwrap_or("-")));
    cells
}

/// The metric's value, marked with "~" if it is not exact.
pub(in crate::render) fn value(device: &Device, name: &str) -> String {
    let Some(metric) = metric::find(Scope::Device, name) else { return "-".to_owned() };
    let value = metric.of_device(device);
    let text = metric.unit.render(value);
    // "<0.1%" says already that it is not exact.
    let exact = value.is_none() || text.starts_with(['<', '>']) || !device.is_approximate(name);
    if exact { text } else { format!("~{text}") }
}

/// Where addresses go, and what the module was told if that is anything: "full-range (dac:40)".
fn policy(policy: &Policy) -> String {
    let configured = policy.configured.unwrap_or("-");
    match policy.set.as_deref() {
        None | Some("stock") => configured.to_owned(),
        Some(set) => format!("{configured} ({set})"),
    }
}

/// `iova devices`.
pub(super) fn list(page: &mut Page, list: &DeviceList) {
    let column = |title, align, priority, min| Column { title, align, priority, min };
    let columns = vec![
        column("device", Align::Left, 10, None),
        column("group", Align::Right, 9, None),
        column("domain", Align::Left, 9, None),
        column("driver", Align::Left, 8, None),
        column("used as", Align::Left, 8, Some(7)),
        column("mask", Align::Right, 7, None),
        column("policy", Align::Left, 7, None),
        column("name", Align::Left, 6, Some(12)),
    ];
    let dash = || "-".to_owned();
    let rows = list.devices.iter().map(|device| {
        vec![
            Cell { text: short(&device.bdf).to_owned(), style: Style::Strong },
            Cell::plain(device.group.to_string()),
            Cell::plain(device.domain_type),
            Cell::plain(device.driver.clone().unwrap_or_else(dash)),
            Cell::plain(if device.functions.is_empty() { dash() } else { device.functions.join(",") }),
            Cell::plain(device.dma_mask_bits.map_or_else(dash, |bits| bits.to_string())),
            Cell::plain(policy(&device.policy)),
            Cell::plain(&device.name),
        ]
    });
    let table = Table { columns, rows: rows.collect() };
    if table.rows.is_empty() {
        page.wrapped(
            Style::Plain,
            "",
            "No device is behind an IOMMU: no IOVA allocation happens here. Boot with intel_iommu=on (AMD-Vi is on \
             by default) to change that.",
        );
    } else {
        table.write(page);
    }
    for sentence in &list.missing {
        page.wrapped(Style::Warn, "missing: ", sentence);
    }
}
