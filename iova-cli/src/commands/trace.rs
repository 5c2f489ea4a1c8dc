//! `iova replay FILE trace`: intervals and events of a recording as a trace for ui.perfetto.dev or chrome://tracing.
//!
//! The format is Chrome's trace event format: a process per device, counters per interval, rare events as instants, and slow
//! calls as slices on the CPU that they ran on.

use crate::args::record::ReplayTraceArgs;
use crate::exit::{Exit, Stop};
use crate::render::items;
use crate::session::Piece;
use crate::tui::Player;
use iova_core::metric::{self, Scope};
use iova_core::model::{Device, Incident, Step};
use iova_core::sample::{Event, What};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, BufWriter, ErrorKind, Write};

/// The metrics that become counters.
const COUNTERS: [&str; 8] = [
    "alloc.per_second",
    "alloc.latency_ns.p50",
    "alloc.latency_ns.p99",
    "alloc.latency_ns.max",
    "alloc.slow",
    "alloc.sac_failed",
    "alloc.high",
    "low_space.pressure",
];

pub(super) fn run(piece: &Piece, args: &ReplayTraceArgs) -> Result<Exit, Stop> {
    let mut player = Player::open(piece, 0.0, &args.devices)?;
    let mut trace = Trace::begin(BufWriter::new(io::stdout().lock())).map_err(failed)?;
    let mut written = Ok(());
    while let (true, Some((step, events))) = (written.is_ok(), player.next_step()?) {
        written = trace.step(&step, &events);
    }
    match written.and_then(|()| trace.end()) {
        // Who has seen enough is no error.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(failed(error)),
        _ => Ok(Exit::Done),
    }
}

fn failed(error: io::Error) -> Stop {
    Stop::unusable(format!("standard output cannot be written: {error}"))
}

struct Trace<W> {
    out: W,
    /// Process numbers of devices, by address.
    processes: BTreeMap<String, u64>,
    begun: bool,
}

impl<W: Write> Trace<W> {
    fn begin(mut out: W) -> io::Result<Self> {
        out.write_all(b"{\"displayTimeUnit\":\"ns\",\"traceEvents\":[")?;
        Ok(Self { out, processes: BTreeMap::new(), begun: false })
    }

    fn end(mut self) -> io::Result<()> {
        self.out.write_all(b"\n]}\n")?;
        self.out.flush()
    }

    fn event(&mut self, event: &Value) -> io::Result<()> {
        let comma: &[u8] = if self.begun { b",\n" } else { b"\n" };
        self.begun = true;
        self.out.write_all(comma)?;
        serde_json::to_writer(&mut self.out, event).map_err(io::Error::from)
    }

    fn step(&mut self, step: &Step, events: &[Event]) -> io::Result<()> {
        let begin = step.ns.saturating_sub((step.interval.duration_s * 1e9) as u64);
        for device in step.interval.devices.iter().filter(|device| device.active()) {
            let process = self.process(&device.bdf, device.short_name())?;
            for name in COUNTERS {
                if let Some(value) =
                    metric::find(Scope::Device, name).and_then(|metric| metric.of_device(device))
                {
                    let event = json!({ "ph": "C", "pid": process, "ts": micros(begin), "name": name, "args": { "value": value } });
                    self.event(&event)?;
                }
            }
        }
        step.incidents.iter().try_for_each(|incident| self.incident(incident))?;
        events.iter().try_for_each(|event| self.slow_call(event, &step.interval.devices))
    }

    fn incident(&mut self, incident: &Incident) -> io::Result<()> {
        let process = self.process(&incident.device, "")?;
        let name = items::incident(&incident.last, incident.sizes);
        let event = json!({
            "ph": "i", "s": "p", "pid": process, "ts": micros(incident.ns), "name": name,
            "args": { "told": incident.count },
        });
        self.event(&event)
    }

    fn slow_call(&mut self, event: &Event, devices: &[Device]) -> io::Result<()> {
        let What::SlowCall { duration_ns, size, stack } = &event.what else { return Ok(()) };
        let Some(device) = devices.iter().find(|device| device.dev == Some(event.dev)) else { return Ok(()) };
        let process = self.process(&device.bdf, device.short_name())?;
        let slice = json!({
            "ph": "X", "pid": process, "tid": event.cpu, "name": "slow allocation",
            "ts": micros(event.ns.saturating_sub(*duration_ns)), "dur": micros(*duration_ns),
            "args": { "size_bytes": size, "stack": stack },
        });
        self.event(&slice)
    }

    /// The process of a device; a new one is named first.
    fn process(&mut self, bdf: &str, name: &str) -> io::Result<u64> {
        if let Some(&known) = self.processes.get(bdf) {
            return Ok(known);
        }
        let number = self.processes.len() as u64 + 1;
        self.processes.insert(bdf.to_owned(), number);
        let name = format!("{bdf} {name}");
        let event =
            json!({ "ph": "M", "pid": number, "name": "process_name", "args": { "name": name.trim_end() } });
        self.event(&event)?;
        Ok(number)
    }
}

/// The unit of time of the format.
fn micros(ns: u64) -> f64 {
    ns as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixtures;

    #[test]
    fn every_counter_is_a_metric() {
        for name in COUNTERS {
            assert!(metric::find(Scope::Device, name).is_some(), "{name}");
        }
    }

    #[test]
    fn a_trace_has_counters_events_and_slow_calls() {
        let path = std::env::temp_dir().join(format!("iova-trace-{}.iova", std::process::id()));
        std::fs::write(&path, fixtures::recording("filling", Default::default())).unwrap();
        let mut player = Player::open(&path, 0.0, &[]).unwrap();
        std::fs::remove_file(&path).unwrap();
        let mut bytes = Vec::new();
        let mut trace = Trace::begin(&mut bytes).unwrap();
        while let Some((step, events)) = player.next_step().unwrap() {
            trace.step(&step, &events).unwrap();
        }
        trace.end().unwrap();
        let trace: Value = serde_json::from_slice(&bytes).unwrap();
        let events = trace["traceEvents"].as_array().unwrap();
        let count = |phase: &str| events.iter().filter(|event| event["ph"] == phase).count();
        assert!(count("M") >= 2 && count("C") > 100 && count("i") > 10 && count("X") > 10, "{bytes:?}");
        let named = events.iter().any(|event| event["args"]["name"] == "0000:00:04.0 nvme0n1");
        assert!(named);
        let ends = |event: &Value| event["ts"].as_f64().unwrap() >= 0.0;
        assert!(events.iter().filter(|event| event["ph"] != "M").all(ends));
    }
}
