//! Whole outputs against checked-in ones (`cargo insta review` after a wanted change), and what holds for all of them.

use super::{Json, Render, Text, fixtures};
use crate::commands::devices::DeviceList;
use crate::commands::doctor::Survey;
use crate::term::Term;
use iova_core::doctor::{Ability, State};
use iova_core::model::{HostFigures, Report, SacControl};

const PLAIN: Term = Term { width: 80, color: false, unicode: true };

fn text(term: Term, report: &Report) -> String {
    Text::new(term).report(report).unwrap()
}

fn devices() -> DeviceList {
    DeviceList::new(&fixtures::inventory(), &[], SacControl::Global)
}

fn survey() -> Survey {
    let ability = |name: &str, state, found: &str, lost: &str, remedy: &str| Ability {
        name: name.into(),
        state,
        found: found.into(),
        lost: lost.into(),
        remedy: remedy.into(),
    };
    let abilities = vec![
        ability("iommu", State::Ok, "Intel VT-d", "", ""),
        ability(
            "kcore",
            State::Missing,
            "/proc/kcore is closed",
            "allocator state: tree, caches",
            "run as root",
        ),
        ability(
            "hook lock.wait_ns",
            State::Limited,
            "there is no tracepoint contention_end",
            "lock waits",
            "",
        ),
    ];
    Survey::new(HostFigures::new(&fixtures::inventory(), SacControl::Global), abilities)
}

#[test]
fn cliff_in_80_columns() {
    insta::assert_snapshot!(text(PLAIN, &fixtures::cliff()));
}

#[test]
fn cliff_in_120_columns() {
    insta::assert_snapshot!(text(Term { width: 120, ..PLAIN }, &fixtures::cliff()));
}

#[test]
fn healthy_in_ascii() {
    let page = text(Term { unicode: false, ..PLAIN }, &fixtures::healthy());
    assert!(page.is_ascii());
    insta::assert_snapshot!(page);
}

#[test]
fn passthrough() {
    insta::assert_snapshot!(text(PLAIN, &fixtures::passthrough()));
}

#[test]
fn cliff_as_json() {
    insta::assert_snapshot!(Json.report(&fixtures::cliff()).unwrap());
}

#[test]
fn device_list() {
    insta::assert_snapshot!(Text::new(PLAIN).devices(&devices()).unwrap());
    insta::assert_snapshot!(Json.devices(&devices()).unwrap());
}

#[test]
fn doctor() {
    insta::assert_snapshot!(Text::new(PLAIN).doctor(&survey()).unwrap());
    insta::assert_snapshot!(Json.doctor(&survey()).unwrap());
}

/// Text without the escape sequences that the page itself writes.
fn without_color(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("\x1b[") {
        out.push_str(&rest[..start]);
        let code = &rest[start + 2..];
        let end = code.find('m').expect("a colour sequence ends with m");
        assert!(code[..end].chars().all(|c| c.is_ascii_digit() || c == ';'), "{:?}", &code[..end]);
        rest = &code[end + 1..];
    }
    out + rest
}

#[test]
fn nothing_from_outside_reaches_the_terminal_as_a_command() {
    for report in [fixtures::hostile(), fixtures::cliff()] {
        let plain = text(PLAIN, &report);
        assert!(plain.chars().all(|c| c == '\n' || !super::clean::is_hostile(c)), "{plain:?}");
        let colored = text(Term { color: true, ..PLAIN }, &report);
        let uncolored = without_color(&colored);
        let same = uncolored.lines().map(str::trim_end).eq(plain.lines());
        assert!(same, "colour adds nothing but colour: {uncolored:?}");
        let json = Json.report(&report).unwrap();
        assert!(json.chars().all(|c| c == '\n' || !super::clean::is_hostile(c)));
        serde_json::from_str::<serde_json::Value>(&json).unwrap();
    }
}

#[test]
fn a_host_with_many_devices_gets_a_report_that_can_be_read() {
    let mut report = fixtures::healthy();
    let (active, idle) = (report.devices[0].clone(), report.devices[1].clone());
    for number in 0..100 {
        let bdf = format!("0000:{number:02x}:00.0");
        report.devices.push(iova_core::model::Device { bdf, ..active.clone() });
        let bdf = format!("0000:{number:02x}:00.1");
        report.devices.push(iova_core::model::Device { bdf, ..idle.clone() });
    }
    let page = text(PLAIN, &report);
    assert!(page.contains("93 more active devices: see --device") && page.contains("and 79 more"), "{page}");
    assert!(page.lines().count() < 300, "{} lines", page.lines().count());
}

#[test]
fn no_line_is_wider_than_the_page() {
    for width in [76, 80, 100, 120, 160] {
        for unicode in [true, false] {
            for report in [fixtures::cliff(), fixtures::healthy(), fixtures::passthrough()] {
                for line in text(Term { width, color: false, unicode }, &report).lines() {
                    let path = line.contains("/sys/");
                    assert!(line.chars().count() <= width || path, "{width}: {line:?}");
                    assert_eq!(line.trim_end(), line);
                }
            }
        }
    }
}

#[test]
fn json_has_the_names_that_consumers_rely_on() {
    let json: serde_json::Value = serde_json::from_str(&Json.report(&fixtures::cliff()).unwrap()).unwrap();
    for pointer in [
        "/schema",
        "/schema_version",
        "/host/kernel",
        "/host/iommu",
        "/host/domain_type",
        "/duration_s",
        "/quality",
        "/devices/0/bdf",
        "/devices/0/name",
        "/devices/0/driver",
        "/devices/0/group",
        "/devices/0/domain_type",
        "/devices/0/dma_mask_bits",
        "/devices/0/policy/configured",
        "/devices/0/policy/effective_high_ratio",
        "/devices/0/alloc/count",
        "/devices/0/alloc/failed",
        "/devices/0/alloc/bytes",
        "/devices/0/alloc/slow",
        "/devices/0/alloc/sac_attempts",
        "/devices/0/alloc/sac_failed",
        "/devices/0/alloc/high",
        "/devices/0/alloc/latency_ns/p50",
        "/devices/0/alloc/latency_ns/p90",
        "/devices/0/alloc/latency_ns/p99",
        "/devices/0/alloc/latency_ns/p999",
        "/devices/0/alloc/latency_ns/max",
        "/devices/0/alloc/latency_ns/mean",
        "/devices/0/alloc/by_order/0/order",
        "/devices/0/alloc/by_order/0/count",
        "/devices/0/free/count",
        "/devices/0/free/latency_ns/p99",
        "/devices/0/map/count",
        "/devices/0/map/latency_ns/p99",
        "/devices/0/map/allocator_share",
        "/devices/0/low_space/capacity_bytes",
        "/devices/0/low_space/reserved_bytes",
        "/devices/0/low_space/live_bytes",
        "/devices/0/low_space/cached_bytes",
        "/devices/0/low_space/pending_bytes",
        "/devices/0/low_space/free_bytes",
        "/devices/0/low_space/largest_gap_bytes",
        "/devices/0/low_space/pressure",
        "/devices/0/cache/hit_ratio",
        "/devices/0/cache/flushes",
        "/devices/0/lock/waits",
        "/devices/0/lock/wait_ns/p99",
        "/devices/0/faults/count",
        "/findings/0/id",
        "/findings/0/severity",
        "/findings/0/device",
        "/findings/0/text",
        "/findings/0/evidence",
        "/findings/0/action",
        "/findings/0/risk",
    ] {
        let value = json.pointer(pointer).unwrap_or_else(|| panic!("{pointer} is missing"));
        assert!(!value.is_null(), "{pointer} is null");
    }
}
