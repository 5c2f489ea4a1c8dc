//! `iova replay FILE events`: the single allocations and frees of a recording, a line each.

use crate::args::Format;
use crate::args::record::ReplayEventsArgs;
use crate::exit::{Exit, Stop};
use crate::output;
use crate::session::{Piece, Source as _};
use iova_core::inventory::Inventory;
use iova_core::metric::CALL;
use iova_core::sample::{Call, CallKind, Calls};
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::io::{self, BufWriter, ErrorKind, Write};

/// Characters of each column; the last one needs none.
const WIDTHS: [usize; 9] = [15, 6, 12, 3, 5, 7, 13, 13, 0];

pub(super) fn run(piece: &Piece, args: &ReplayEventsArgs) -> Result<Exit, Stop> {
    let (mut played, from_ns, until_ns) = piece.near()?;
    let inventory = played.inventory();
    let wanted = played.select(&inventory, &args.devices)?.into_iter().collect();
    let begun_ns = played.first_ns();
    let out = BufWriter::new(io::stdout().lock());
    let mut list = List { out, format: args.format, wanted, begun_ns, from_ns, until_ns, seen: false };
    let mut closed = false;
    while !closed {
        let mut hear = |inventory: &Inventory, calls: Calls| {
            if !closed {
                closed = list.calls(inventory, &calls).map_or_else(is_closed, |()| Ok(false))?;
            }
            Ok(())
        };
        if played.moment_and(&mut hear)?.is_none() {
            break;
        }
    }
    closed = list.out.flush().map_or_else(is_closed, |()| Ok(closed))?;
    if !closed {
        played.flaw().into_iter().for_each(|flaw| output::complain(&flaw));
    }
    if list.seen {
        return Ok(Exit::Done);
    }
    let name = piece.file.display();
    Err(Stop::unusable(format!("{name} has no single allocations and frees: record with --events")))
}

/// True if nobody reads on, which is no error.
fn is_closed(error: io::Error) -> Result<bool, Stop> {
    match error.kind() {
        ErrorKind::BrokenPipe => Ok(true),
        _ => Err(Stop::unusable(format!("standard output cannot be written: {error}"))),
    }
}

struct List<W> {
    out: W,
    format: Format,
    /// The devices that are wanted; all if there are none.
    wanted: HashSet<String>,
    /// When the recording began.
    begun_ns: u64,
    /// What is wanted of it.
    from_ns: u64,
    until_ns: u64,
    /// There were calls, or some were looked for.
    seen: bool,
}

/// One call as JSON: the names are those of the table of metrics.
#[derive(Debug, Serialize)]
struct Row<'a> {
    time_ns: u64,
    call: &'static str,
    device: Option<&'a str>,
    cpu: u32,
    order: u32,
    pages: u32,
    pfn: Option<u64>,
    limit_pfn: Option<u64>,
    latency_ns: Option<u32>,
}

/// What is missing behind the lines before.
#[derive(Debug, Serialize)]
struct Gap {
    lost: u64,
}

impl<W: Write> List<W> {
    fn begin(&mut self) -> io::Result<()> {
        match self.format {
            Format::Text => self.line(&CALL.map(|figure| figure.name)),
            Format::Json => Ok(()),
        }
    }

    fn calls(&mut self, inventory: &Inventory, calls: &Calls) -> io::Result<()> {
        if !std::mem::replace(&mut self.seen, true) {
            self.begin()?;
        }
        let by_address =
            inventory.devices.iter().filter_map(|device| Some((device.dev?, device.bdf.as_str())));
        let names: HashMap<u64, &str> = by_address.collect();
        let mut seen = calls.list.is_empty();
        for call in &calls.list {
            if !(self.from_ns..=self.until_ns).contains(&call.ns) {
                continue;
            }
            seen = true;
            let device = names.get(&call.dev).copied();
            if self.wanted.is_empty() || device.is_some_and(|device| self.wanted.contains(device)) {
                self.row(&row(call, device, self.begun_ns))?;
            }
        }
        // The ring keeps what comes first.
        if calls.lost > 0 && seen { self.gap(calls.lost) } else { Ok(()) }
    }

    fn gap(&mut self, lost: u64) -> io::Result<()> {
        match self.format {
            Format::Text => writeln!(self.out, "# about here {lost} calls were lost"),
            Format::Json => self.json(&Gap { lost }),
        }
    }

    fn row(&mut self, row: &Row<'_>) -> io::Result<()> {
        if self.format == Format::Json {
            return self.json(row);
        }
        let hex =
            |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| format!("{number:#x}"));
        let latency = row.latency_ns.map_or_else(|| "-".to_owned(), |ns| ns.to_string());
        let [time, cpu, order, pages] = [row.time_ns, row.cpu.into(), row.order.into(), row.pages.into()]
            .map(|number: u64| number.to_string());
        let (device, pfn, limit) = (row.device.unwrap_or("-"), hex(row.pfn), hex(row.limit_pfn));
        self.line(&[&time, row.call, device, &cpu, &order, &pages, &pfn, &limit, &latency])
    }

    fn line(&mut self, cells: &[&str]) -> io::Result<()> {
        for (index, (cell, width)) in cells.iter().zip(WIDTHS).enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(self.out, "{space}{cell:width$}")?;
        }
        self.out.write_all(b"\n")
    }

    fn json(&mut self, what: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, what).map_err(io::Error::from)?;
        self.out.write_all(b"\n")
    }
}

fn row<'a>(call: &Call, device: Option<&'a str>, begun_ns: u64) -> Row<'a> {
    Row {
        time_ns: call.ns.saturating_sub(begun_ns),
        call: match call.kind {
            CallKind::Alloc => "alloc",
            CallKind::Failed => "failed",
            CallKind::Free => "free",
        },
        device,
        cpu: call.cpu,
        order: call.order(),
        pages: call.pages,
        pfn: call.pfn,
        limit_pfn: call.limit_pfn,
        latency_ns: call.latency_ns,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixtures;

    const BOTH: [Call; 2] = [
        Call {
            ns: 1_000_000_500,
            kind: CallKind::Alloc,
            cpu: 3,
            dev: 77,
            pfn: Some(0xf_fff0),
            pages: 3,
            limit_pfn: Some((1 << 52) - 1),
            latency_ns: Some(812),
        },
        Call {
            ns: 1_000_002_000,
            kind: CallKind::Free,
            cpu: 0,
            dev: 99,
            pfn: Some(0xf_fff0),
            pages: 3,
            limit_pfn: None,
            latency_ns: None,
        },
    ];

    fn listed(format: Format, wanted: &[&str]) -> String {
        let mut inventory = fixtures::inventory();
        inventory.devices[0].dev = Some(77);
        inventory.devices[0].bdf = "0000:00:04.0".to_owned();
        let wanted = wanted.iter().map(|&bdf| bdf.to_owned()).collect();
        let mut list = List {
            out: Vec::new(),
            format,
            wanted,
            begun_ns: 1_000_000_000,
            from_ns: 0,
            until_ns: u64::MAX,
            seen: false,
        };
        list.calls(&inventory, &Calls { sampling: 2, lost: 7, passed: 9, list: BOTH.to_vec() }).unwrap();
        String::from_utf8(list.out).unwrap()
    }

    #[test]
    fn a_line_has_what_the_table_of_metrics_names() {
        let text = listed(Format::Json, &[]);
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[2], serde_json::json!({ "lost": 7 }));
        for line in &lines[..2] {
            let names: HashSet<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(names, CALL.iter().map(|figure| figure.name).collect());
        }
        assert_eq!((&lines[0]["time_ns"], &lines[0]["order"]), (&500.into(), &2.into()));
        assert_eq!(lines[0]["device"], "0000:00:04.0");
        assert!(["device", "limit_pfn", "latency_ns"].iter().all(|&name| lines[1][name].is_null()));
    }

    #[test]
    fn what_is_unknown_is_a_dash_and_what_is_not_wanted_is_left_out() {
        let text = listed(Format::Text, &[]);
        let words = |line: usize| text.lines().nth(line).unwrap().split_whitespace().collect::<Vec<_>>();
        assert_eq!(words(0), CALL.map(|figure| figure.name));
        assert_eq!(text.lines().nth(3), Some("# about here 7 calls were lost"));
        let alloc = ["500", "alloc", "0000:00:04.0", "3", "2", "3", "0xffff0", "0xfffffffffffff", "812"];
        assert_eq!(words(1), alloc);
        assert_eq!(words(2), ["2000", "free", "-", "0", "2", "3", "0xffff0", "-", "-"]);
        assert_eq!(listed(Format::Text, &["0000:00:04.0"]).lines().count(), 3);
    }
}
