//! `iova record`: what the allocator does, in a file.

mod anonymize;
mod copy;
mod info;
mod merge;
mod trigger;

use super::live::Live;
use crate::args::record::{RecordArgs, RecordCommand};
use crate::exit::{Exit, Stop};
use crate::output;
use crate::render::when;
use crate::session::{self, Pace, Source as _, Taped, Taping, Until, translates};
use crate::signals::Signals;
use crate::size;
use crate::term::Term;
use iova_core::record::Options;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use trigger::Trigger;

/// What looking at devices and space may take of a core, beside counters.
const LOOKING: f64 = 0.001;
/// What it may add to the file, bytes a second.
const LOOKING_BYTES: f64 = 100.0;
/// It is never more frequent than this, nor less.
const LOOKS: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(1800));
/// Memory for a ring, where no other size is given.
const RING_BYTES: u64 = 64_000_000;

pub(super) fn run(args: &RecordArgs, term: Term) -> Result<Exit, Stop> {
    match &args.with {
        None => record(args),
        Some(RecordCommand::Info { file, format }) => info::run(file, *format, term),
        Some(RecordCommand::Merge { files, output }) => merge::run(files, output),
        Some(RecordCommand::Anonymize { file, output }) => anonymize::run(file, output),
    }
}

/// What `live` says, in a file as well.
pub(super) fn tape<'a>(live: &'a mut Live, path: &Path) -> Result<Taping<'a>, Stop> {
    let taped = Taped {
        path: path.to_owned(),
        ring: None,
        interval: Duration::from_secs(1),
        options: Options::default(),
    };
    Taping::new(live, taped)
}

fn record(args: &RecordArgs) -> Result<Exit, Stop> {
    let signals =
        Signals::block_for_recording().map_err(|error| Stop::internal(format!("signals: {error}")))?;
    let path = args.output.clone().unwrap_or_else(|| PathBuf::from(format!("iova-{}.iova", now())));
    let options = Options { block: usize::from(args.block), ..Options::default() };
    let ring = args.ring.map(|length| (length, args.max_size.unwrap_or(RING_BYTES) as usize));
    let mut live = Live::new()?;
    live.want_calls(args.events);
    let inventory = live.inventory();
    if !translates(&inventory) {
        return Err(Stop::unusable(
            "no device's DMA goes through an IOMMU here, so there is nothing to record: see iova doctor",
        ));
    }
    let mut taping =
        Taping::new(&mut live, Taped { path: path.clone(), ring, interval: args.interval, options })?;
    taping.know(&inventory);
    taping.attach(args.profile, &inventory)?;
    let snapshot = taping.snapshot();
    let until = match (&args.command[..], args.duration) {
        ([], None) => Until::Over,
        ([], Some(length)) => Until::Time(length),
        (command, _) => Until::Command(command.to_vec()),
    };
    let first = taping.sample()?;
    let mut trigger = args
        .on_finding
        .map(|limit| Trigger::new(session::cursor(&taping, args.profile, inventory, snapshot, first), limit));
    announce(args, &path);
    let (mut looked, mut full) = (Looks::new(), None);
    let ending = session::pace(&until, args.interval, &signals, |pace| {
        if pace == Pace::Asked {
            dump(&mut taping, &path, "asked for by SIGUSR1")?;
            return Ok(ControlFlow::Continue(()));
        }
        looked.look(&mut taping)?;
        let sample = taping.sample()?;
        if let Some(why) = trigger.as_mut().and_then(|trigger| trigger.step(sample)) {
            dump(&mut taping, &path, &why)?;
        }
        full = args.max_size.filter(|&most| args.ring.is_none() && taping.bytes() >= most);
        Ok(if full.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    taping.sample()?;
    // What the end of the tape says.
    taping.inventory();
    taping.snapshot();
    let why = full.map(|most| format!("its size reached {}", size::render(most)));
    let (samples, bytes, calls) = (taping.samples, taping.bytes(), told(taping.calls));
    taping.finish(ending.interrupted, ending.command, why.clone())?;
    if args.ring.is_none() {
        let why = why.map(|why| format!(": {why}")).unwrap_or_default();
        output::complain(&format!(
            "{samples} samples{calls}, {} in {}{why}; see iova replay {} report",
            size::render(bytes),
            path.display(),
            path.display()
        ));
    }
    Ok(Exit::Done)
}

/// What came of --events.
fn told(calls: Option<(u64, u64)>) -> String {
    match calls {
        None => String::new(),
        Some((kept, 0)) => format!(", {kept} single allocations and frees"),
        Some((kept, lost)) => format!(
            ", {kept} single allocations and frees and {lost} that were lost (a shorter --interval or a rarer --events \
             loses less)"
        ),
    }
}

/// Devices and space are looked at as often as it costs next to nothing.
struct Looks {
    next: Instant,
    /// Bytes that looking may add now, and since when.
    saved: f64,
    since: Instant,
}

impl Looks {
    fn new() -> Self {
        Self { next: Instant::now() + LOOKS.0, saved: 0.0, since: Instant::now() }
    }

    fn look(&mut self, taping: &mut Taping<'_>) -> Result<(), Stop> {
        let start = Instant::now();
        self.saved += LOOKING_BYTES * start.duration_since(self.since).as_secs_f64();
        self.since = start;
        if start < self.next || self.saved < 0.0 {
            return Ok(());
        }
        let before = taping.bytes();
        drop(taping.look()?);
        self.saved -= taping.bytes().saturating_sub(before) as f64;
        self.next = Instant::now() + start.elapsed().div_f64(LOOKING).clamp(LOOKS.0, LOOKS.1);
        Ok(())
    }
}

/// Writes the ring to a file with the time in its name.
fn dump(taping: &mut Taping<'_>, path: &Path, why: &str) -> Result<(), Stop> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let path = path.with_file_name(format!("{name}-{}.iova", now()));
    let written = taping.dump(&path, why);
    match written {
        Ok(()) => output::complain(&format!("{} is written: {why}", path.display())),
        // The ring goes on: the next time may be better.
        Err(Stop { message, .. }) => output::complain(&message),
    }
    Ok(())
}

fn announce(args: &RecordArgs, path: &Path) {
    let length = match (args.duration, &args.command[..]) {
        (Some(length), _) => format!("for {length:?}"),
        (None, []) => "until Ctrl-C".to_owned(),
        (None, _) => "while the command runs".to_owned(),
    };
    output::complain(&match args.ring {
        Some(ring) => format!(
            "keeping the last {ring:?} in memory {length}; kill -USR1 {} writes them next to {}",
            std::process::id(),
            path.display()
        ),
        None => format!("recording into {} {length}", path.display()),
    });
}

/// "20261124-221500", in UTC.
fn now() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos() as u64);
    when::utc(now).replace(['-', ':'], "").replace(' ', "-")
}
