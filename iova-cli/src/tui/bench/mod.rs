//! What the screen costs on a host with 200 devices and 64 CPUs. Everything but the kernel is real: sums over CPUs, model,
//! history, views, the loop that keys go through.

mod figures;
mod host;
mod keys;

use super::habits::Palette;
use super::keys::Key;
use super::source::{LEAST_FOR_LOOKING, SHARE};
use super::state::State;
use super::theme::Theme;
use super::view;
use figures::{Pace, Times, memory, timed};
use host::SECOND;
use iova_core::model::Step;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};
use std::io::{self, Sink};
use std::process::ExitCode;
use std::sync::mpsc::{self, SyncSender};
use std::time::Duration;

/// More than the history keeps.
const INTERVALS: u64 = 620;
/// With the values of all CPUs.
const WHOLE: u64 = 160;
/// Samples in a block of a recording.
const BLOCK: u64 = 40;
/// Every so many intervals, devices and space are looked at again.
const LOOK: u64 = 20;

/// Limits: a frame, ms; a second's work, ms; memory, MiB; from key to frame, ms; a second's recording, ms.
const FRAME: f64 = 8.0;
const WORK: f64 = 20.0;
const MEMORY: f64 = 40.0;
const KEY: f64 = 50.0;
const RECORDING: f64 = 5.0;

/// How often the fixed job is done each time.
const PACES: usize = 40;

/// Where frames go: the bytes of a colourful terminal of 200 x 60, to nowhere.
struct Screen(Terminal<CrosstermBackend<Sink>>);

impl Screen {
    fn new() -> io::Result<Self> {
        let options = TerminalOptions { viewport: Viewport::Fixed(Rect::new(0, 0, 200, 60)) };
        Terminal::with_options(CrosstermBackend::new(io::sink()), options).map(Self)
    }

    fn draw(&mut self, state: &State) {
        let theme = Theme { palette: Palette::Dark, unicode: true };
        let drawn = self.0.draw(|frame| {
            view::draw(state, frame.area(), frame.buffer_mut(), theme);
        });
        // Nothing can go wrong with a sink.
        let _ = drawn.map(drop);
    }
}

/// A view, and the keys from the overview to it and back.
const VIEWS: [(&str, &[Key], &[Key]); 7] = [
    ("overview", &[], &[]),
    ("device", &[Key::Enter], &[Key::Escape]),
    ("its space", &[Key::Enter, Key::Tab], &[Key::Escape]),
    ("its calls", &[Key::Enter, Key::Tab, Key::Tab], &[Key::Escape]),
    ("its events", &[Key::Enter, Key::BackTab], &[Key::Escape]),
    ("findings", &[Key::Char('f')], &[Key::Char('f')]),
    ("help", &[Key::Char('?')], &[Key::Char('?')]),
];

#[derive(Default)]
struct Costs {
    read: Times,
    read_full: Times,
    write: Times,
    step: Times,
    learn: Times,
    push: Times,
    frames: [Times; VIEWS.len()],
    memory: f64,
    findings: usize,
}

/// Prints a table; with `--check`, fails if a limit is exceeded.
pub fn main() -> ExitCode {
    match measure() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) if !std::env::args().any(|argument| argument == "--check") => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the bench can't run: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> io::Result<bool> {
    // First, because later parts need memory that `iova top` does not.
    let mut costs = Costs::default();
    watch(&mut costs)?;
    // Before and after, because a machine's slow minutes come and go.
    let mut pace = Pace::new();
    (0..PACES).for_each(|_| pace.measure());
    read_whole(&mut costs.read, &mut costs.write, false)?;
    (0..PACES).for_each(|_| pace.measure());
    read_whole(&mut costs.read_full, &mut Times::default(), true)?;
    let keys = keys::measure()?;
    (0..PACES).for_each(|_| pace.measure());
    Ok(print(&costs, &keys, &pace))
}

/// Ten minutes of watching: one thread reads, the other draws.
fn watch(costs: &mut Costs) -> io::Result<()> {
    // Whoever is ready first waits, so that no intervals pile up.
    let (tell, steps) = mpsc::sync_channel(0);
    let source = std::thread::spawn(move || source(&tell));
    let mut state = State::default();
    let mut screen = Screen::new()?;
    for step in steps {
        timed(&mut costs.push, || state.push(step, Some(0.01)));
        for ((_, there, back), times) in VIEWS.iter().zip(&mut costs.frames) {
            there.iter().for_each(|key| state.press(*key));
            timed(times, || screen.draw(&state));
            back.iter().for_each(|key| state.press(*key));
        }
    }
    costs.memory = memory("VmHWM");
    costs.findings = state.moment().map_or(0, |moment| moment.findings.len());
    let source = source.join().map_err(|_| io::Error::other("the source has panicked"))?;
    let (steps, learns) = source?;
    (costs.step, costs.learn) = (steps.in_pairs(), learns);
    costs.push = std::mem::take(&mut costs.push).in_pairs();
    Ok(())
}

/// Says how long the model took for intervals, and for new devices and spaces.
fn source(tell: &SyncSender<Step>) -> io::Result<(Times, Times)> {
    let mut reader = host::reader(1, false);
    let mut cursor = host::cursor(&mut reader)?;
    let (mut steps, mut learns) = (Times::default(), Times::default());
    for second in 1..=INTERVALS {
        reader.pass();
        if second % LOOK == 0 {
            let (inventory, snapshot) = (host::inventory(), host::snapshot(second));
            timed(&mut learns, || cursor.learn(inventory, Some(snapshot)));
        }
        let sample = reader.read(second * SECOND)?;
        let step = timed(&mut steps, || cursor.step(sample));
        if tell.send(step).is_err() {
            break;
        }
    }
    Ok((steps, learns))
}

/// Reading what 64 CPUs have counted, and recording it, a block at a time.
fn read_whole(times: &mut Times, writes: &mut Times, full: bool) -> io::Result<()> {
    let mut reader = host::reader(host::CPUS, full);
    let mut writer = host::writer().map_err(io::Error::other)?;
    for _ in 0..WHOLE / BLOCK {
        let mut block = Duration::ZERO;
        for _ in 0..BLOCK {
            reader.pass();
            let sample = {
                let ns = reader.seconds() * SECOND;
                timed(times, || reader.read(ns))?
            };
            let before = figures::cpu_time();
            writer.sample(&sample).map_err(io::Error::other)?;
            block += figures::cpu_time().saturating_sub(before);
        }
        writes.add(block / BLOCK as u32);
    }
    Ok(())
}

fn print(costs: &Costs, [stalled, behind]: &[Times; 2], pace: &Pace) -> bool {
    println!("{} devices, {} CPUs, {} findings, 200 x 60", host::DEVICES, host::CPUS, costs.findings);
    println!("{:44} {:>8} {:>8} {:>8} {:>8}", "CPU time", "quartile", "median", "p99", "max");
    println!("{}", costs.read.line("read and add up the counters of all CPUs"));
    println!("{}", costs.read_full.line("the same in profile full"));
    println!("{}", costs.write.line("write a recording, mean of a block"));
    println!("{}", costs.step.line("model"));
    println!("{}", costs.push.line("history"));
    println!("{}", costs.learn.line("devices and space, when looked at"));
    for ((name, _, _), times) in VIEWS.iter().zip(&costs.frames) {
        println!("{}", times.line(&format!("frame: {name}")));
    }
    println!("{}", stalled.line("key to frame, nothing comes (elapsed)"));
    println!("{}", behind.line("key to frame, behind an interval (elapsed)"));
    let frame = costs.frames.iter().map(Times::quartile).fold(0.0, f64::max);
    let counters = costs.read.quartile() + costs.step.quartile() + costs.push.quartile() + frame;
    // What looking may take is the source's choice.
    let looking = (1000.0 * SHARE - counters).max(1000.0 * LEAST_FOR_LOOKING);
    let whole = counters + looking + costs.learn.quartile() / LOOK as f64;
    println!("{:44} {counters:8.2} ms", "a second's counters, to the screen");
    let key = stalled.quartile().max(behind.quartile());
    let verdicts = [
        ("longest frame", frame, FRAME, "ms"),
        ("a second's work, looking included", whole, WORK, "ms"),
        ("memory after ten minutes (VmHWM)", costs.memory, MEMORY, "MiB"),
        ("key to frame", key, KEY, "ms"),
        (
            "a second's recording, reading included",
            costs.read.quartile() + costs.write.quartile(),
            RECORDING,
            "ms",
        ),
    ];
    let factor = pace.factor();
    println!("{}", pace.times().line("a fixed job that is not ours"));
    println!("{:44} {factor:8.2}: times below are divided by it", "so many times as long as usual");
    let mut good = true;
    for (name, value, limit, unit) in verdicts {
        let judged = if unit == "ms" { value / factor } else { value };
        let verdict = if judged <= limit { "ok" } else { "TOO MUCH" };
        println!("{name:44} {judged:8.2} of {limit:.0} {unit}: {verdict}");
        good &= judged <= limit;
    }
    good
}
