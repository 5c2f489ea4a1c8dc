//! Prometheus' protobuf exposition: `io.prometheus.client.MetricFamily`, each with its length before it. Histograms carry
//! their classic and their native buckets, so that either can be scraped.
//!
//! Field numbers: `io/prometheus/client/metrics.proto` of prometheus/client_model 0.6.

use super::histogram::{BOUNDS_NS, Native, SCHEMA, ZERO_THRESHOLD, cumulative};
use super::{Distribution, Exposed, Kind, Series, Value};

/// A message under construction.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn uint(&mut self, field: u64, value: u64) {
        self.varint(field << 3);
        self.varint(value);
    }

    /// `sint32` and `sint64`: small numbers of either sign stay short.
    fn sint(&mut self, field: u64, value: i64) {
        self.uint(field, ((value << 1) ^ (value >> 63)) as u64);
    }

    fn double(&mut self, field: u64, value: f64) {
        self.varint(field << 3 | 1);
        self.0.extend(value.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
    }

    fn nested(&mut self, field: u64, fill: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        fill(&mut inner);
        self.bytes(field, &inner.0);
    }
}

/// All families, delimited.
pub fn protobuf(families: &[Exposed<'_>]) -> Vec<u8> {
    let mut all = Message::default();
    for exposed in families {
        let mut one = Message::default();
        family(&mut one, exposed);
        all.varint(one.0.len() as u64);
        all.0.extend(one.0);
    }
    all.0
}

fn family(message: &mut Message, exposed: &Exposed<'_>) {
    message.bytes(1, exposed.family.full_name().as_bytes());
    message.bytes(2, exposed.family.help.as_bytes());
    let kind = match exposed.family.kind {
        Kind::Counter => 0,
        Kind::Gauge | Kind::Info => 1,
        Kind::Histogram => 4,
    };
    message.uint(3, kind);
    for series in &exposed.series {
        message.nested(4, |metric| self::metric(metric, series, exposed.family.kind));
    }
}

fn metric(metric: &mut Message, series: &Series<'_>, kind: Kind) {
    for (name, value) in series.labels() {
        metric.nested(1, |pair| {
            pair.bytes(1, name.as_bytes());
            pair.bytes(2, value.as_bytes());
        });
    }
    match series.value {
        Value::Number(value) => {
            let field = if kind == Kind::Counter { 3 } else { 2 };
            metric.nested(field, |inner| inner.double(1, value));
        }
        Value::Distribution(distribution) => metric.nested(7, |inner| histogram(inner, distribution)),
    }
}

fn histogram(message: &mut Message, distribution: &Distribution) {
    message.uint(1, distribution.count);
    message.double(2, distribution.sum_ns as f64 / 1e9);
    for (bound, count) in BOUNDS_NS.into_iter().zip(cumulative(distribution)) {
        message.nested(3, |bucket| {
            bucket.uint(1, count);
            bucket.double(2, bound as f64 / 1e9);
        });
    }
    let native = Native::of(distribution);
    message.sint(5, SCHEMA.into());
    message.double(6, ZERO_THRESHOLD);
    message.uint(7, native.zero);
    for (offset, length) in spans(&native) {
        message.nested(12, |span| {
            span.sint(1, offset.into());
            span.uint(2, length);
        });
    }
    let mut before = 0;
    for &count in native.buckets.values() {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        message.sint(13, count - before);
        before = count;
    }
}

/// Runs of buckets without a gap: how far after the end of the one before (the first: its index), and how many.
fn spans(native: &Native) -> Vec<(i32, u64)> {
    let mut spans: Vec<(i32, u64)> = Vec::new();
    let mut next = 0;
    for &index in native.buckets.keys() {
        match spans.last_mut() {
            Some((_, length)) if index == next => *length += 1,
            _ => spans.push((index - next, 1)),
        }
        next = index + 1;
    }
    // Even an empty histogram says that it is a native one.
    if spans.is_empty() {
        spans.push((0, 0));
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_encoded_as_protobuf_wants_them() {
        let mut message = Message::default();
        message.uint(1, 300);
        message.sint(2, -1);
        message.double(3, 1.0);
        message.bytes(4, b"ab");
        assert_eq!(
            message.0,
            [0x08, 0xac, 0x02, 0x10, 0x01, 0x19, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x22, 0x02, b'a', b'b']
        );
    }

    #[test]
    fn spans_skip_what_is_empty() {
        let native =
            |indexes: &[i32]| Native { zero: 0, buckets: indexes.iter().map(|&at| (at, 1)).collect() };
        assert_eq!(spans(&native(&[-350, -349, -340, 2])), [(-350, 2), (8, 1), (341, 1)]);
        assert_eq!(spans(&native(&[])), [(0, 0)]);
    }
}
