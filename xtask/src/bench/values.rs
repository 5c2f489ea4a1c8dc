//! The measurements as plain values, for `iova gate`.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};

use super::baseline::Pair;

/// Writes them as a document of the schema iova.values: instructions per pair as `LINE.alone` and `LINE.PROFILE`.
pub(super) fn write(place: &Path, measured: &[Pair]) -> Result<()> {
    let text = serde_json::to_string_pretty(&document(measured))? + "\n";
    fs::write(place, text).with_context(|| format!("cannot write {}", place.display()))
}

fn document(measured: &[Pair]) -> Value {
    let mut values = Map::new();
    for pair in measured {
        values.insert(format!("{}.alone", pair.line), pair.none.into());
        for (profile, instructions) in pair.iova.named() {
            values.insert(format!("{}.{profile}", pair.line), instructions.into());
        }
    }
    // They repeat to 0.1 %, so one run is enough.
    json!({ "schema": "iova.values", "schema_version": 1, "exact": true, "values": values })
}

#[cfg(test)]
mod tests {
    use super::super::baseline::Profiles;
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_value_per_kernel_and_profile() {
        let iova = Profiles { light: 2725, default: 3335, full: 4113 };
        let pair = Pair {
            line: "6.12".into(),
            kernel: "6.12.1".into(),
            none: 2049,
            stock: Some(2049),
            floor: iova,
            iova,
            events: BTreeMap::new(),
            strict: None,
            start: None,
        };
        let document = document(&[pair]);
        assert_eq!((&document["schema"], &document["exact"]), (&json!("iova.values"), &json!(true)));
        let values = json!({"6.12.alone": 2049, "6.12.light": 2725, "6.12.default": 3335, "6.12.full": 4113});
        assert_eq!(document["values"], values);
    }
}
