//! `iova top --batch`: a plain table or a line of JSON per interval, for scripts.

use super::columns::{COLUMNS, Column};
use super::history::Identity;
use super::source::{Feed, Goods, Order, Plan, Reading};
use crate::args::Format;
use crate::exit::{Exit, Stop};
use crate::output;
use crate::render::clean;
use crate::signals::{Signals, Wake};
use crate::term::Term;
use iova_core::model::{Device, Report};
use std::fmt::Write as _;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Prints `count` intervals, or until a signal comes.
pub(crate) fn batch(
    plan: &Plan,
    count: Option<u64>,
    format: Format,
    term: Term,
    feed: impl FnOnce(&Plan) -> Result<Box<dyn Feed>, Stop>,
) -> Result<Exit, Stop> {
    let signals = Signals::block().map_err(|error| Stop::internal(format!("signals: {error}")))?;
    let feed = feed(plan)?;
    let (stop, stopped) = mpsc::channel();
    std::thread::spawn(move || {
        while !matches!(signals.wait(Instant::now() + Duration::from_secs(3600)), Wake::Ended { .. }) {}
        let _ = stop.send(Order::Stop);
    });
    let columns: Vec<&Column> =
        plan.habits.columns.iter().filter_map(|&column| COLUMNS.get(column)).collect();
    let mut left = count;
    let mut failed = None;
    feed.run(&stopped, &mut |goods| {
        let reading = match goods {
            Goods::Reading(reading) => reading,
            Goods::Report(_) | Goods::Recording(_) => return true,
            Goods::End(flaw) => {
                flaw.into_iter().for_each(|flaw| output::complain(&flaw));
                return false;
            }
        };
        let printed = text(&reading, &columns, format, term).and_then(|text| output::print(&text));
        failed = printed.err();
        left = left.map(|left| left.saturating_sub(1));
        failed.is_none() && left != Some(0)
    })?;
    failed.map_or(Ok(Exit::Done), Err)
}

fn text(reading: &Reading, columns: &[&Column], format: Format, term: Term) -> Result<String, Stop> {
    let mut report = reading.step.interval.clone();
    // One interval alone is too short for a verdict.
    report.findings.clone_from(&reading.step.lately.findings);
    match format {
        Format::Text => Ok(table(&report, columns, term)),
        Format::Json => serde_json::to_string(&report)
            .map(|line| line + "\n")
            .map_err(|error| Stop::internal(format!("JSON: {error}"))),
    }
}

fn table(report: &Report, columns: &[&Column], term: Term) -> String {
    let mut text = format!("{:12} {:16}", "device", "name");
    for column in columns {
        let _ = write!(text, " {:>width$}", column.title, width = usize::from(column.width));
    }
    text.push_str(" policy\n");
    let mut active = report.devices.iter().filter(|device| device.active()).peekable();
    if active.peek().is_none() {
        let _ = writeln!(text, "(all {} devices were idle)", report.devices.len());
    }
    active.for_each(|device| line(&mut text, device, columns, report.duration_s, term));
    text.push('\n');
    text
}

fn line(text: &mut String, device: &Device, columns: &[&Column], seconds: f64, term: Term) {
    let who = Identity::of(device);
    let name: String = clean(&who.name, term.unicode).chars().take(16).collect();
    let _ = write!(text, "{:12} {name:16}", clean(&who.bdf, term.unicode));
    for column in columns {
        let value = clean(&column.render(column.value(device, seconds)), term.unicode);
        let _ = write!(text, " {value:>width$}", width = usize::from(column.width));
    }
    let _ = writeln!(text, " {}", clean(&who.policy, term.unicode));
}
