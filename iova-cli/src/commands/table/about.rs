//! What the file says about itself: key-value metadata.

use super::column::Column;
use iova_core::model::Command;
use iova_core::record::{Ending, Head};
use parquet::file::metadata::KeyValue;
use serde_json::json;

/// Raised when a column changes its meaning or goes away, not when one is added.
const SCHEMA_VERSION: u32 = 1;

/// What the columns are, for who has nothing but the file.
pub(super) fn columns(columns: &[Column]) -> Vec<KeyValue> {
    let described = columns.iter().filter_map(|column| {
        let metric = column.metric()?;
        Some(json!({
            "name": column.name,
            "unit": metric.unit.name(),
            "definition": metric.definition,
            "source": metric.source,
        }))
    });
    let described = described.collect::<Vec<_>>();
    let entry = |key: &str, value: String| KeyValue::new(key.to_owned(), value);
    vec![
        entry("iova.schema", "iova.samples".to_owned()),
        entry("iova.schema_version", SCHEMA_VERSION.to_string()),
        entry("iova.columns", json!(described).to_string()),
    ]
}

/// The recording's head and end, without what every row has, and without addresses.
pub(super) fn recording(head: &Head, ending: Option<&Ending>, flaw: Option<&str>) -> KeyValue {
    let command: Option<&Command> = ending.and_then(|ending| ending.command.as_ref());
    let value = json!({
        "written_by": head.written_by,
        "started_unix_s": head.started_unix_s,
        "interval_ms": head.interval_ms,
        "profile": head.profile,
        "host": head.host(),
        "unknown": head.unknown,
        "interrupted": ending.map(|ending| ending.interrupted),
        "command": command,
        "why": ending.and_then(|ending| ending.why.as_ref()),
        "flaw": flaw,
    });
    KeyValue::new("iova.recording".to_owned(), value.to_string())
}
