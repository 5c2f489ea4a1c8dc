//! OpenTelemetry: one `ExportMetricsServiceRequest` as OTLP/HTTP JSON. Sums are cumulative, histograms exponential.
//!
//! Field names: `opentelemetry/proto/metrics/v1/metrics.proto`, in the JSON form of protobuf: 64-bit integers are strings.

use super::histogram::{Native, SCHEMA, ZERO_THRESHOLD};
use super::{Distribution, Exposed, Kind, Series, Value};
use serde_json::{Value as Json, json};

const CUMULATIVE: u32 = 2;

/// When what is told began and ended, ns since 1970.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Start of the exporter.
    pub start_ns: u64,
    /// Last reading.
    pub end_ns: u64,
}

/// The request for all families; `host` is the resource they are of.
pub fn request(families: &[Exposed<'_>], host: &str, version: &str, span: Span) -> Json {
    let metrics: Vec<Json> = families.iter().map(|exposed| metric(exposed, span)).collect();
    let attribute = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    json!({"resourceMetrics": [{
        "resource": {"attributes": [attribute("service.name", "iova"), attribute("host.name", host)]},
        "scopeMetrics": [{"scope": {"name": "iova", "version": version}, "metrics": metrics}],
    }]})
}

/// Units as UCUM has them.
fn unit(name: &str) -> &'static str {
    match name {
        "bytes" => "By",
        "seconds" => "s",
        _ => "1",
    }
}

fn metric(exposed: &Exposed<'_>, span: Span) -> Json {
    let family = exposed.family;
    let points: Vec<Json> = exposed.series.iter().map(|series| point(series, family.kind, span)).collect();
    let (field, data) = match family.kind {
        Kind::Counter => {
            ("sum", json!({"aggregationTemporality": CUMULATIVE, "isMonotonic": true, "dataPoints": points}))
        }
        Kind::Gauge | Kind::Info => ("gauge", json!({"dataPoints": points})),
        Kind::Histogram => {
            ("exponentialHistogram", json!({"aggregationTemporality": CUMULATIVE, "dataPoints": points}))
        }
    };
    // Collectors that hand on to Prometheus add the suffixes of kind and unit themselves.
    let name = if family.kind == Kind::Info { family.full_name() } else { family.name.clone() };
    json!({"name": name, "description": family.help, "unit": unit(family.unit), field: data})
}

fn point(series: &Series<'_>, kind: Kind, span: Span) -> Json {
    let attributes =
        series.labels().map(|(name, value)| json!({"key": name, "value": {"stringValue": value}}));
    let mut point = match series.value {
        Value::Number(value) => json!({"asDouble": value}),
        Value::Distribution(distribution) => histogram(distribution),
    };
    point["attributes"] = attributes.collect();
    point["timeUnixNano"] = span.end_ns.to_string().into();
    if !matches!(kind, Kind::Gauge | Kind::Info) {
        point["startTimeUnixNano"] = span.start_ns.to_string().into();
    }
    point
}

fn histogram(distribution: &Distribution) -> Json {
    let native = Native::of(distribution);
    let first = native.buckets.first_key_value().map_or(0, |(&at, _)| at);
    let last = native.buckets.last_key_value().map_or(-1, |(&at, _)| at);
    let counts = (first..=last).map(|at| native.buckets.get(&at).copied().unwrap_or(0).to_string());
    json!({
        "count": distribution.count.to_string(),
        "sum": distribution.sum_ns as f64 / 1e9,
        "scale": SCHEMA,
        "zeroCount": native.zero.to_string(),
        "zeroThreshold": ZERO_THRESHOLD,
        // OpenTelemetry counts buckets from their lower end, Prometheus from their upper one.
        "positive": {"offset": first - 1, "bucketCounts": counts.collect::<Vec<_>>()},
    })
}
