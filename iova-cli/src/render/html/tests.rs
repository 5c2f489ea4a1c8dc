//! Whole pages: their structure, their size, and that nothing from outside becomes markup.

use super::{Run, comparison, page};
use crate::render::fixtures;
use iova_core::model::story::Story;
use iova_core::model::{Command, Device, Domain, Incident, Report, Step, Unknown};

mod outline;

/// For a look at them: `IOVA_HTML_DIR=/tmp cargo test -p iova-cli html`.
fn keep(name: &str, html: &str) {
    if let Some(place) = std::env::var_os("IOVA_HTML_DIR") {
        std::fs::write(std::path::Path::new(&place).join(name).with_extension("html"), html).unwrap();
    }
}

fn lab(name: &str) -> String {
    let (report, story) = fixtures::lab_report(name);
    let html = page(Run { report: &report, story: &story, begun_ns: Some(1_795_423_432_000_000_000) });
    keep(name, &html);
    html
}

#[test]
fn pages_of_the_lab() {
    for name in ["filling", "healthy"] {
        let html = lab(name);
        assert!(html.len() < 400_000, "{}", html.len());
    }
}

#[test]
fn a_report_without_a_story_has_its_figures() {
    for report in [fixtures::cliff(), fixtures::hostile(), fixtures::passthrough()] {
        let html = page(Run { report: &report, story: &Story::default(), begun_ns: None });
        assert!(html.contains("Findings"));
    }
}

#[test]
fn two_recordings_side_by_side() {
    let (a, b) = (fixtures::lab_report("healthy"), fixtures::lab_report("filling"));
    let run = |(report, story)| Run { report, story, begun_ns: None };
    let html = comparison(&run((&a.0, &a.1)), &run((&b.0, &b.1)));
    keep("comparison", &html);
    assert_eq!(html.matches("data-plot=\"difference\"").count(), 3);
}

/// The lab's devices, so many of them, each with intervals of its own in another order, and every one looked at.
fn busy(devices: usize, intervals: usize) -> (Report, Story) {
    let steps = fixtures::lab("filling");
    let mut report = fixtures::lab_report("filling").0;
    let active: Vec<Device> = report.devices.iter().filter(|device| device.active()).cloned().collect();
    let address = |number: usize| format!("0000:{number:02x}:00.0");
    let pointer = |number: usize| Some(0x1000 + number as u64);
    let one = |number: usize, from: &Report| {
        let like = &active[number % active.len()];
        let device = from.devices.iter().find(|device| device.bdf == like.bdf).unwrap();
        let domain = from.domain_of(device).unwrap().clone();
        let domain = Domain { iovad: pointer(number).unwrap(), devices: vec![address(number)], ..domain };
        (Device { bdf: address(number), iovad: pointer(number), ..device.clone() }, domain)
    };
    let mut story = Story::default();
    // xorshift: the same numbers in every run. No two intervals are alike, so that nothing packs better than it would.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut vary = |count: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (count * 8 * (64 + state % 192) / 128).max(1)
    };
    for interval in 0..intervals {
        let of = |number: usize| one(number, &steps[(interval * 7 + number * 3) % steps.len()].interval);
        let (mut devices, mut domains): (Vec<Device>, Vec<Domain>) = (0..devices).map(of).unzip();
        for device in &mut devices {
            device.alloc.count = vary(device.alloc.count);
            device.alloc.latency_ns.buckets.iter_mut().for_each(|bucket| bucket.count = vary(bucket.count));
            device.low_space.pressure =
                device.low_space.pressure.map(|share| share * vary(100) as f64 / 1600.0);
        }
        for domain in &mut domains {
            let low = &mut domain.low_space;
            low.pressure = low.pressure.map(|share| share * vary(100) as f64 / 1600.0);
        }
        domains.iter_mut().for_each(|domain| domain.space.ranges = domain.space.ranges.to_vec().into());
        let mut interval_report = steps[0].interval.clone();
        (interval_report.devices, interval_report.domains) = (devices, domains);
        interval_report.duration_s = 1.0;
        let ns = (interval as u64 + 1) * 1_000_000_000;
        let step = &steps[interval % steps.len()];
        let told = |number: usize| {
            let incidents = step.incidents.iter().cloned();
            incidents.map(move |incident| Incident { device: address(number), ..incident })
        };
        let incidents = (0..report.devices.len()).flat_map(told).collect();
        story.push(&Step { ns, interval: interval_report, incidents, ..step.clone() });
    }
    let whole = report.clone();
    (report.devices, report.domains) = (0..devices).map(|number| one(number, &whole)).unzip();
    report.findings = (0..devices)
        .flat_map(|number| {
            let like = &active[number % active.len()].bdf;
            let mut mine: Vec<_> = whole
                .findings
                .iter()
                .filter(|finding| finding.device.as_ref() == Some(like))
                .cloned()
                .collect();
            mine.iter_mut().for_each(|finding| finding.device = Some(address(number)));
            mine
        })
        .collect();
    (report, story)
}

#[test]
fn ten_minutes_of_twenty_busy_devices_are_less_than_a_mebibyte() {
    let (report, story) = busy(20, 600);
    let html = page(Run { report: &report, story: &story, begun_ns: None });
    keep("busy", &html);
    assert_eq!(html.matches("data-plot=\"heat\"").count(), 20);
    assert!(html.len() <= 1 << 20, "{} bytes", html.len());
}

/// The cliff, three times.
fn cliff() -> (Report, Story) {
    let report = fixtures::cliff();
    let mut story = Story::default();
    for second in [10, 20, 30] {
        let ns = second * 1_000_000_000;
        let (interval, lately) = (report.clone(), report.clone().into());
        story.push(&Step { ns, interval, lately, incidents: fixtures::incidents(ns) });
    }
    (report, story)
}

#[test]
fn structure_of_a_report() {
    let (report, story) = cliff();
    insta::assert_snapshot!(outline::of(&page(Run { report: &report, story: &story, begun_ns: Some(0) })));
}

#[test]
fn structure_of_a_comparison() {
    let (report, story) = cliff();
    let run = Run { report: &report, story: &story, begun_ns: None };
    insta::assert_snapshot!(outline::of(&comparison(&run, &run)));
}

#[test]
fn no_name_becomes_markup() {
    const EVIL: &str =
        "\"'><script>alert(1)</script></style></title><img src=x onerror=alert(1)>\u{202e}\x1b[2J{{7*7}}";
    let (mut report, story) = cliff();
    let evil = || EVIL.to_owned();
    let plain = page(Run { report: &report, story: &story, begun_ns: None });
    report.host.name = evil();
    (report.host.kernel, report.host.iommu, report.host.cmdline) = (evil(), Some(evil()), vec![evil()]);
    report.profile = evil();
    for device in &mut report.devices {
        (device.name, device.driver, device.functions) = (evil(), Some(evil()), vec![evil()]);
        device.policy.set = Some(evil());
        device.slow_calls.iter_mut().for_each(|call| call.stack = vec![evil()]);
    }
    for finding in &mut report.findings {
        (finding.text, finding.action, finding.risk) = (evil(), evil(), Some(evil()));
    }
    report.command = Some(Command { argv: vec![evil()], exit_code: None, signal: None });
    report.quality.notes.push(evil());
    report.quality.unknown.push(Unknown { metric: evil(), why: evil() });
    let run = Run { report: &report, story: &story, begun_ns: None };
    for html in [page(run), comparison(&run, &run)] {
        for tag in ["<script", "</script", "</style", "</title"] {
            assert_eq!(html.matches(tag).count(), 1, "{tag}");
        }
        assert!(!html.contains("<img src=x") && !html.contains(['\u{202e}', '\x1b']));
    }
    // What keeps its name has the same elements.
    assert_eq!(page(run).matches("<figure").count(), plain.matches("<figure").count());
}

#[test]
fn a_page_needs_nothing_but_itself() {
    let (report, story) = cliff();
    let html = page(Run { report: &report, story: &story, begun_ns: None });
    for address in ["http:", "https:", "//cdn", "@import", "url("] {
        assert!(!html.contains(address), "{address}");
    }
    assert!(html.contains("default-src 'none'"));
}
