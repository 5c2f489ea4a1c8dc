//! One table of all devices.

use super::write::Html;
use crate::render::text::{short, used_as, value};
use iova_core::metric::{self, Scope};
use iova_core::model::{Device, Report, type_name};

/// Title and metric.
const SHOWN: [(&str, &str); 10] = [
    ("allocs/s", "alloc.per_second"),
    ("p50", "alloc.latency_ns.p50"),
    ("p99", "alloc.latency_ns.p99"),
    ("max", "alloc.latency_ns.max"),
    ("slow", "alloc.slow_ratio"),
    ("high", "policy.effective_high_ratio"),
    ("SAC failed", "alloc.sac_failed"),
    ("no address", "alloc.failed"),
    ("32-bit in use", "low_space.pressure"),
    ("faults", "faults.count"),
];

pub(super) fn write(html: &mut Html, report: &Report, pictured: &[&Device]) {
    html.raw("<section id=devices><h2>Devices</h2>\n<div class=scroll><table id=list><thead><tr>");
    ["device", "used as", "name"].iter().for_each(|name| html.element("th", &[("scope", "col")], name));
    for (name, metric) in SHOWN {
        let what = metric::find(Scope::Device, metric).map_or("", |metric| metric.definition);
        html.element("th", &[("class", "n"), ("scope", "col"), ("title", what)], name);
    }
    ["domain", "policy"].iter().for_each(|name| html.element("th", &[("scope", "col")], name));
    html.raw("</tr></thead><tbody>\n");
    for device in &report.devices {
        row(html, device, pictured.iter().position(|pictured| std::ptr::eq(*pictured, device)));
    }
    html.raw("</tbody></table></div>\n");
    if report.devices.is_empty() {
        html.raw("<p>None behind an IOMMU.</p>\n");
    }
    html.raw("<p class=note>slow: searched the tree; high: at or above 4 GiB; SAC failed: attempts below 4 GiB that ");
    html.raw(
        "found nothing; - : unknown; ~ : not exact. Every metric is defined at the end.</p></section>\n",
    );
}

fn row(html: &mut Html, device: &Device, section: Option<usize>) {
    html.open("tr", &[("class", if device.active() { "" } else { "idle" })]);
    match section {
        Some(index) => {
            html.raw("<td>");
            html.element("a", &[("href", &format!("#d{index}"))], short(&device.bdf));
            html.raw("</td>");
        }
        None => html.element("td", &[], short(&device.bdf)),
    }
    html.element("td", &[], &used_as(device));
    html.element("td", &[("class", "name")], &device.name);
    for (_, name) in SHOWN {
        let raw = metric::find(Scope::Device, name).and_then(|metric| metric.of_device(device));
        let raw = raw.map(|value| value.to_string()).unwrap_or_default();
        html.element("td", &[("class", "n"), ("data-v", &raw)], &value(device, name));
    }
    html.element("td", &[], device.domain_type.map_or("-", type_name));
    html.element("td", &[], &policy(device));
    html.raw("</tr>\n");
}

fn policy(device: &Device) -> String {
    let configured = device.policy.configured.unwrap_or("-");
    match (&device.policy.set, device.policy.state) {
        (Some(set), Some(state)) if set != "stock" || state != "idle" => {
            format!("{configured} ({set} {state})")
        }
        _ => configured.to_owned(),
    }
}
