//! What is made from the list. Every function is pure, and gives the same bytes for the same records in any order.

mod c;
mod hwdb;
mod markdown;
mod rules;

pub use c::c;
pub use hwdb::{hwdb, properties};
pub use markdown::markdown;
pub use rules::rules;

use serde::Serialize;

use super::record::Record;
use super::words::Verdict;

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    schema_version: u32,
    records: Vec<&'a Record>,
}

/// The whole list, for programs.
///
/// # Errors
/// None that is known: records are texts and numbers.
pub fn json(records: &[&Record]) -> Result<String, serde_json::Error> {
    let mut records = records.to_vec();
    records.sort_by(|a, b| a.id.cmp(&b.id));
    let document = Document { schema: "iova.compat.list", schema_version: 1, records };
    serde_json::to_string_pretty(&document).map(|json| json + "\n")
}

/// Where the last match wins: proofs before caps, wide caps before narrow ones.
fn narrowest_last<'a>(records: &[&'a Record]) -> Vec<&'a Record> {
    let mut records = records.to_vec();
    records.sort_by_key(|record| {
        let wide = match record.verdict {
            Verdict::Ok => record.width,
            Verdict::Cap => u8::MAX - record.width,
        };
        (record.verdict == Verdict::Cap, wide, record.id.as_str())
    });
    records
}
