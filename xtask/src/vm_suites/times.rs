//! Where the guests' time goes: a row per guest, and a row per suite.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::tally::Tally;
use crate::kernels::Line;
use crate::lab::Spent;

/// A guest, or a row of boots, and what its tests came to.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) name: String,
    pub(super) line: Line,
    pub(super) tally: Tally,
}

/// Of what is not known, or was not run.
const NONE: &str = "-";

/// Both tables.
pub(super) fn render(ran: &[Ran]) -> String {
    format!("\nThe guests' time, in seconds:\n{}\nThe suites', by kernel:\n{}", guests(ran), suites(ran))
}

/// The slowest first. What QEMU did not run is waiting: for a CPU of the host, or in the guest for something to happen.
fn guests(ran: &[Ran]) -> String {
    let mut spent: Vec<(&str, Spent)> =
        ran.iter().filter_map(|ran| Some((ran.name.as_str(), ran.tally.spent?))).collect();
    spent.sort_by_key(|(_, spent)| std::cmp::Reverse(spent.wall));
    let all = spent.iter().map(|(_, spent)| *spent).reduce(std::ops::Add::add);
    let head = ["guest", "wall", "boot", "CPU", "waiting", "starts of iova", "their CPU"];
    let row = |(name, spent): (&str, Spent)| {
        [
            name.to_owned(),
            seconds(Some(spent.wall)),
            seconds(spent.boot),
            seconds(spent.cpu),
            seconds(spent.waiting()),
            spent.iova.map_or(NONE.into(), |iova| iova.started.to_string()),
            seconds(spent.iova.map(|iova| iova.cpu)),
        ]
    };
    let rows = spent.into_iter().chain(all.map(|all| ("in all", all))).map(row);
    table(std::iter::once(head.map(str::to_owned)).chain(rows).map(Vec::from).collect())
}

/// The slowest first, a column per kernel.
fn suites(ran: &[Ran]) -> String {
    let mut suites: BTreeMap<&str, BTreeMap<Line, Duration>> = BTreeMap::new();
    for Ran { line, tally, .. } in ran {
        for (suite, took) in &tally.suites {
            *suites.entry(suite).or_default().entry(*line).or_default() += *took;
        }
    }
    let lines: BTreeSet<Line> = suites.values().flat_map(|of| of.keys().copied()).collect();
    let mut rows: Vec<_> = suites
        .into_iter()
        .map(|(suite, of)| {
            let all: Duration = of.values().sum();
            let cells = lines.iter().map(|line| seconds(of.get(line).copied()));
            (all, std::iter::once(suite.to_owned()).chain(cells).chain([seconds(Some(all))]).collect())
        })
        .collect();
    rows.sort_by_key(|(all, _): &(_, Vec<String>)| std::cmp::Reverse(*all));
    let names = lines.iter().map(ToString::to_string);
    let head = std::iter::once("suite".to_owned()).chain(names).chain(["in all".to_owned()]).collect();
    table(std::iter::once(head).chain(rows.into_iter().map(|(_, row)| row)).collect())
}

fn seconds(time: Option<Duration>) -> String {
    time.map_or(NONE.into(), |time| format!("{:.1}", time.as_secs_f64()))
}

/// The first column to the left, the others to the right.
fn table(rows: Vec<Vec<String>>) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or_default())
        .collect();
    let line = |row: Vec<String>| {
        let cells = row.into_iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
            if column == 0 { format!("{cell:<width$}") } else { format!("  {cell:>width$}") }
        });
        cells.collect::<String>() + "\n"
    };
    rows.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use iova_guest::Processes;

    use super::*;

    fn second(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn ran(name: &str, line: Line, spent: Spent, suites: &[(&str, u64)]) -> Ran {
        let suites = suites.iter().map(|(suite, took)| ((*suite).to_owned(), second(*took))).collect();
        Ran { name: name.into(), line, tally: Tally { suites, spent: Some(spent), ..Tally::default() } }
    }

    #[test]
    fn the_slowest_come_first_and_the_unknown_is_no_zero() {
        let iova = Some(Processes { started: 12, cpu: second(5) });
        let plain = Spent { wall: second(90), boot: Some(second(9)), cpu: Some(second(60)), iova };
        let row = Spent { iova: None, wall: second(100), ..plain };
        let ran = [
            ran("6.1 intel", Line::V6_1, plain, &[("top", 20), ("counts", 40)]),
            ran("6.12 intel boot", Line::V6_12, row, &[("boot", 30), ("counts", 1)]),
        ];
        let expected = "
The guests' time, in seconds:
guest             wall  boot    CPU  waiting  starts of iova  their CPU
6.12 intel boot  100.0   9.0   60.0     40.0               -          -
6.1 intel         90.0   9.0   60.0     30.0              12        5.0
in all           190.0  18.0  120.0     70.0               -          -

The suites', by kernel:
suite    6.1  6.12  in all
counts  40.0   1.0    41.0
boot       -  30.0    30.0
top     20.0     -    20.0
";
        assert_eq!(render(&ran), expected);
    }

    #[test]
    fn a_run_without_a_guest_has_no_rows() {
        assert_eq!(guests(&[]).lines().count(), 1);
    }
}
