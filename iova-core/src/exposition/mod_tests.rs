use super::*;
use crate::model::testdata::{counters, domain_counters, inventory, sample, snapshot};
use crate::model::{Cursor, HostFigures, SacControl, Step, Unknown};
use crate::sample::{DeviceCounters, Quality, Sample};
use std::collections::BTreeMap;

const SECOND: u64 = 1_000_000_000;

/// `count` intervals in each of which the disk does what [`counters`] says.
fn steps(count: u64) -> Vec<Step> {
    let host = HostFigures::new(&inventory(), SacControl::Global);
    let unknown = vec![Unknown { metric: "map".into(), why: "measured from \"full\" on".into() }];
    let first = sample(0, vec![DeviceCounters { alloc: Default::default(), ..counters() }], Vec::new());
    let mut cursor = Cursor::new(host, "full".into(), inventory(), Some(snapshot()), unknown, first);
    let reading = |second: u64| {
        let mut device = counters();
        device.alloc.by_order.iter_mut().for_each(|count| *count *= second);
        device.alloc.latency.buckets.iter_mut().for_each(|count| *count *= second);
        device.alloc.latency.sum *= second;
        let quality = Quality { frames_lost: second, ..Quality::default() };
        Sample { quality, ..sample(second * SECOND, vec![device], vec![domain_counters()]) }
    };
    (1..=count).map(|second| cursor.step(reading(second))).collect()
}

fn state(top: usize, count: u64) -> State {
    let mut state = State::new(top, About { version: "1".into(), ..About::default() });
    steps(count).into_iter().for_each(|step| state.absorb(step, 1e9));
    state
}

/// Samples by name and labels.
fn samples(text: &str) -> BTreeMap<&str, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(name, value)| (name, value.parse().unwrap()))
        .collect()
}

const NVME: &str = r#"{device="0000:00:04.0",name="nvme0n1",driver="nvme"}"#;

#[test]
fn counters_grow_from_the_start_and_gauges_are_of_the_last_interval() {
    let state = state(10, 5);
    let text = prometheus(&state.expose(false));
    let samples = samples(&text);
    let get = |name: &str| samples.get(format!("{name}{NVME}").as_str()).copied();
    assert_eq!(get("iova_alloc_total"), Some(5050.0));
    assert!(get("iova_low_space_pressure_ratio").is_some_and(|pressure| (0.0..1.0).contains(&pressure)));
    assert_eq!(
        get("iova_alloc_latency_seconds_count"),
        Some(5.0 * steps(1)[0].interval.devices[0].alloc.latency_ns.samples.unwrap() as f64)
    );
    assert_eq!(samples["iova_quality_frames_lost_total"], 5.0);
    assert_eq!(samples[r#"iova_quality_approximate_intervals_total{metric="alloc.slow"}"#], 5.0);
    assert_eq!(samples[r#"iova_unknown_info{metric="map",reason="measured from \"full\" on"}"#], 1.0);
    assert!(text.contains("# TYPE iova_alloc_total counter\n"), "{text}");
}

#[test]
fn a_group_with_an_old_domain_and_a_new_one_has_its_series_once() {
    let mut state = state(10, 1);
    let mut step = steps(2).remove(1);
    let new = step.interval.domains[0].clone();
    let live = new.low_space.live_bytes;
    let old = crate::model::Domain { nodes: None, low_space: Default::default(), ..new.clone() };
    for domains in [vec![new.clone(), old.clone()], vec![old, new]] {
        step.interval.domains = domains;
        state.absorb(step.clone(), 1e9);
        let text = prometheus(&state.expose(false));
        let names: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let once: std::collections::BTreeSet<&str> =
            names.iter().map(|line| line.rsplit_once(' ').unwrap().0).collect();
        assert_eq!(once.len(), names.len(), "{text}");
        assert!(live.is_some() && samples(&text).keys().any(|name| name.starts_with("iova_domain_")));
    }
}

#[test]
fn openmetrics_names_the_family_and_its_unit() {
    let state = state(10, 2);
    let text = openmetrics(&state.expose(false));
    for line in [
        "# TYPE iova_alloc counter\n",
        "# TYPE iova_alloc_latency_seconds histogram\n# UNIT iova_alloc_latency_seconds seconds\n",
        "# TYPE iova_build info\niova_build_info{version=\"1\"} 1\n",
        "# UNIT iova_low_space_pressure_ratio ratio\n",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[test]
fn classic_buckets_end_in_the_count() {
    let state = state(10, 3);
    let text = prometheus(&state.expose(false));
    let buckets: Vec<f64> = text
        .lines()
        .filter(|line| line.starts_with("iova_alloc_latency_seconds_bucket{device=\"0000:00:04.0\""))
        .map(|line| line.rsplit_once(' ').unwrap().1.parse().unwrap())
        .collect();
    assert_eq!(buckets.len(), BOUNDS_NS.len() + 1);
    assert!(buckets.is_sorted());
    assert_eq!(
        buckets.last(),
        samples(&text).get(format!("iova_alloc_latency_seconds_count{NVME}").as_str())
    );
}

#[test]
fn who_has_no_place_is_in_other() {
    let state = state(0, 2);
    let text = prometheus(&state.expose(false));
    let samples = samples(&text);
    assert_eq!(samples[r#"iova_alloc_total{device="other"}"#], 2020.0);
    assert_eq!(samples["iova_exporter_other_devices"], 1.0);
    assert!(!text.contains("0000:00:04.0") && !text.contains("iova_low_space"), "{text}");
}

#[test]
fn a_stalled_source_leaves_only_the_exporter() {
    let state = state(10, 2);
    let names: Vec<_> = state.expose(true).iter().map(|exposed| exposed.family.name.clone()).collect();
    assert!(names.iter().all(|name| name == "iova_build" || name.starts_with("iova_exporter_")), "{names:?}");
    assert!(names.contains(&"iova_exporter_last_sample_timestamp_seconds".to_owned()));
}

#[test]
fn series_have_the_labels_of_their_family_and_no_others() {
    let state = state(10, 2);
    for exposed in state.expose(false) {
        for series in &exposed.series {
            let known = |(name, _)| exposed.family.labels.contains(&name);
            assert!(series.labels().all(known), "{}: {series:?}", exposed.family.name);
        }
    }
}

#[test]
fn otlp_has_sums_gauges_and_exponential_histograms() {
    let state = state(10, 2);
    let span = otlp::Span { start_ns: 1, end_ns: 2 };
    let request = otlp::request(&state.expose(false), "lab", "1", span);
    let metrics = request["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].as_array().unwrap();
    let find = |name: &str| metrics.iter().find(|metric| metric["name"] == name).unwrap();
    assert_eq!(find("iova_alloc")["sum"]["dataPoints"][0]["asDouble"], 2020.0);
    assert_eq!(find("iova_alloc")["sum"]["aggregationTemporality"], 2);
    let point = &find("iova_alloc_latency_seconds")["exponentialHistogram"]["dataPoints"][0];
    let counts = point["positive"]["bucketCounts"].as_array().unwrap();
    let sum: u64 = counts.iter().map(|count| count.as_str().unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!(sum.to_string(), point["count"].as_str().unwrap());
    assert_eq!(point["startTimeUnixNano"], "1");
}
