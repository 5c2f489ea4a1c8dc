//! `iova record info`.

use crate::args::Format;
use crate::exit::{Exit, Stop};
use crate::output;
use crate::render::{clean, when};
use crate::session::{Played, Source as _};
use crate::size;
use crate::term::Term;
use iova_core::sample::Calls;
use serde::Serialize;
use std::fmt::Write as _;
use std::path::Path;

/// The JSON document.
#[derive(Debug, Serialize)]
struct Info {
    schema: &'static str,
    schema_version: u32,
    format_version: u16,
    written_by: String,
    host: String,
    kernel: String,
    profile: String,
    /// "2026-11-24 21:40:00", in UTC.
    started: String,
    duration_s: f64,
    interval_ms: u64,
    samples: u64,
    /// Samples whose latency distributions are exact.
    exact: u64,
    /// Pictures of devices and space, beside those at the start and the end.
    looks: u64,
    devices: usize,
    events: u64,
    /// Single allocations and frees; nothing without --events.
    calls: Option<CallsInfo>,
    bytes: u64,
    /// How it ended: "interrupted" and the like.
    end: Option<String>,
    /// What is wrong with the file.
    flaw: Option<String>,
}

/// Kept, lost and passed over are together as many as allocations and frees were counted.
#[derive(Debug, Serialize)]
struct CallsInfo {
    /// One in so many was drawn; unknown where recordings with different shares were merged.
    sampling: Option<u32>,
    /// They are in the file.
    kept: u64,
    /// Drawn, and lost.
    lost: u64,
    /// Not drawn.
    passed: u64,
}

impl CallsInfo {
    fn count(info: &mut Option<Self>, calls: &Calls) {
        let sampling = Some(calls.sampling);
        let info = info.get_or_insert(Self { sampling, kept: 0, lost: 0, passed: 0 });
        info.sampling = info.sampling.filter(|_| info.sampling == sampling);
        info.kept += calls.list.len() as u64;
        info.lost = info.lost.saturating_add(calls.lost);
        info.passed = info.passed.saturating_add(calls.passed);
    }
}

pub(super) fn run(file: &Path, format: Format, term: Term) -> Result<Exit, Stop> {
    let info = read(file)?;
    let text = match format {
        Format::Text => text(&info, term),
        Format::Json => {
            serde_json::to_string_pretty(&info).map_err(|error| Stop::internal(format!("JSON: {error}")))?
                + "\n"
        }
    };
    output::print(&text)?;
    Ok(Exit::Done)
}

fn read(file: &Path) -> Result<Info, Stop> {
    let mut played = Played::open(file)?;
    let (mut samples, mut exact, mut looks, mut events, mut span) = (0, 0, 0, 0, None::<(u64, u64)>);
    let mut calls = None;
    while let Some(moment) = played.moment_and(&mut |_, more| {
        CallsInfo::count(&mut calls, &more);
        Ok(())
    })? {
        samples += 1;
        exact += u64::from(moment.exact);
        looks += u64::from(moment.look.is_some());
        events += moment.sample.events.len() as u64;
        span = Some((span.map_or(moment.sample.ns, |(first, _)| first), moment.sample.ns));
    }
    let inventory = played.inventory();
    let head = played.reader().head();
    let ending = played.reader().ending();
    let end = ending.map(|ending| match (&ending.why, &ending.command, ending.interrupted) {
        (Some(why), ..) => why.clone(),
        (None, Some(command), _) => format!("{} ended", command.argv.join(" ")),
        (None, None, true) => "interrupted".to_owned(),
        (None, None, false) => "its time was over".to_owned(),
    });
    Ok(Info {
        schema: "iova.record-info",
        schema_version: 1,
        format_version: iova_core::record::VERSION,
        written_by: head.written_by.clone(),
        host: head.inventory.host.name.clone(),
        kernel: head.inventory.host.kernel.clone(),
        profile: head.profile.clone(),
        started: when::utc(head.started_unix_s.saturating_mul(1_000_000_000)),
        duration_s: span.map_or(0.0, |(first, last)| last.saturating_sub(first) as f64 / 1e9),
        interval_ms: head.interval_ms,
        samples,
        exact,
        looks,
        devices: inventory.devices.len(),
        events,
        calls,
        bytes: std::fs::metadata(file).map_or(0, |meta| meta.len()),
        end,
        flaw: played.flaw(),
    })
}

fn text(info: &Info, term: Term) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:9} {}", clean(&value, term.unicode));
    };
    line("host", format!("{}, Linux {}", info.host, info.kernel));
    line("started", format!("{} UTC", info.started));
    line(
        "length",
        format!("{:.1} s, a sample every {} ms, profile {}", info.duration_s, info.interval_ms, info.profile),
    );
    line("samples", format!("{}, {} of them with exact latencies", info.samples, info.exact));
    line("devices", format!("{}, looked at {} times meanwhile", info.devices, info.looks));
    line("events", info.events.to_string());
    if let Some(CallsInfo { sampling, kept, lost, passed }) = &info.calls {
        let all = kept.saturating_add(*lost).saturating_add(*passed);
        let share = sampling.map_or_else(|| "various shares".to_owned(), |n| format!("1/{n}"));
        line("calls", format!("{kept} of {all} allocations and frees, {share} drawn, {lost} lost"));
    }
    line("size", size::render(info.bytes));
    line("format", format!("version {}, written by iova {}", info.format_version, info.written_by));
    line("end", info.end.clone().unwrap_or_else(|| "unknown".to_owned()));
    if let Some(flaw) = &info.flaw {
        line("flaw", flaw.clone());
    }
    text
}
