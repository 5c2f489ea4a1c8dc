//! A real DuckDB reads the table. Skipped where there is none; where IOVA_DUCKDB names a Python that has it, it must work.

use super::run;
use super::tests::{args, fixture, place};
use crate::session::Piece;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Prints the rows of each query as a line of JSON.
const SCRIPT: &str = "
import duckdb, json, sys
for query in sys.argv[1:]:
    print(json.dumps(duckdb.sql(query).fetchall(), default=str))
";

/// The rows of each query; `None` where there is no DuckDB.
fn ask(queries: &[String]) -> Option<Vec<Value>> {
    let named = std::env::var_os("IOVA_DUCKDB");
    let python = named.clone().unwrap_or_else(|| "python3".into());
    let there = Command::new(&python).args(["-c", "import duckdb"]).output();
    let there = there.is_ok_and(|output| output.status.success());
    assert!(there || named.is_none(), "{python:?} has no DuckDB");
    if !there {
        eprintln!("skipped: python3 has no DuckDB");
        return None;
    }
    let output = Command::new(&python).args(["-c", SCRIPT]).args(queries).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    Some(lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

#[test]
fn duckdb_reads_what_the_report_says() {
    let path = place("duckdb.parquet");
    run(&Piece::from(&fixture()), &args(&["table", "--histograms", "-o", path.to_str().unwrap()])).unwrap();
    let from = format!("FROM '{}'", path.display());
    let sums = format!(
        "SELECT bdf, sum(alloc.count)::UBIGINT, sum(alloc.bytes)::UBIGINT, sum(free.count)::UBIGINT, \
         sum(alloc.latency_ns.samples)::UBIGINT {from} GROUP BY bdf ORDER BY bdf"
    );
    let buckets = format!(
        "SELECT sum(bucket.count)::UBIGINT FROM (SELECT unnest(alloc.latency_ns.buckets) AS bucket {from})"
    );
    let times = format!(
        "SELECT typeof(any_value(time)), count(DISTINCT host.name), count(*) FILTER (low_space.pressure IS NULL) {from}"
    );
    let answers = ask(&[sums, buckets, times]);
    fs::remove_file(&path).unwrap();
    let Some(answers) = answers else { return };
    let report = crate::commands::replay::report(&fixture()).unwrap();
    let mut devices: Vec<_> = report.devices.iter().collect();
    devices.sort_by_key(|device| &device.bdf);
    let want = devices
        .iter()
        .map(|it| (&it.bdf, it.alloc.count, it.alloc.bytes, it.free.count, it.alloc.latency_ns.samples));
    assert_eq!(answers[0], serde_json::json!(want.collect::<Vec<_>>()));
    let samples: u64 = devices.iter().filter_map(|device| device.alloc.latency_ns.samples).sum();
    assert_eq!(answers[1][0][0], samples);
    assert_eq!((&answers[2][0][0], &answers[2][0][1]), (&"TIMESTAMP WITH TIME ZONE".into(), &1.into()));
}

/// The queries of the document, as they stand there.
#[test]
fn the_documents_queries_have_answers() {
    let path = place("documented.parquet");
    run(&Piece::from(&fixture()), &args(&["table", "-o", path.to_str().unwrap()])).unwrap();
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/recording.md");
    let document = fs::read_to_string(document).unwrap();
    let block = document.split_once("```sql\n").unwrap().1.split_once("```").unwrap().0;
    let block = block.replace("*.parquet", path.to_str().unwrap());
    let queries: Vec<String> =
        block.split(';').map(str::trim).filter(|query| !query.is_empty()).map(str::to_owned).collect();
    let answers = ask(&queries);
    fs::remove_file(&path).unwrap();
    for (query, answer) in queries.iter().zip(answers.into_iter().flatten()) {
        assert!(answer.as_array().is_some_and(|rows| !rows.is_empty()), "{query}: {answer}");
    }
}
