//! `iova top`: source, state and view apart. The source is a thread that hands over intervals; the state knows no
//! terminal; the view only draws.

mod batch;
mod chooser;
mod columns;
pub(crate) mod config;
mod crew;
mod desk;
mod events;
mod export;
mod habits;
mod history;
mod keys;
mod layout;
mod packed;
mod pane;
mod past;
mod player;
mod pointer;
mod sort;
pub(crate) mod source;
mod state;
mod terminal;
mod theme;
mod view;
mod window;

#[cfg(feature = "bench")]
pub(crate) mod bench;

pub(crate) use batch::batch;
pub(crate) use habits::Palette;
pub(crate) use player::Player;
pub(crate) use source::{Feed, LiveFeed, Plan};
pub(crate) use state::Origin;

use crate::exit::{Exit, Stop};
use crate::output;
use crate::signals::{Signals, Wake};
use crate::term::Term;
use crew::Crew;
use iova_core::model::Report;
use ratatui::crossterm::event;
use source::{Goods, Reading};
use state::State;
use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};
use terminal::Taken;
use theme::Theme;

/// Nothing new for this many intervals is worth a word.
const STALLED: u32 = 3;
/// Readings that may wait for the screen. A terminal that takes nothing (Ctrl-S, a dead connection) holds the loop up, and a
/// reading of 200 devices is a megabyte; the source then waits as well, and its next interval is a longer one.
const WAITING: usize = 1;
/// For a trial to take its policy back when the screen is left.
const TAKING_BACK: Duration = Duration::from_secs(10);

/// Everything that can happen.
enum News {
    Reading(Box<Reading>),
    /// The source has ended.
    Over(Result<(), Stop>),
    Terminal(io::Result<event::Event>),
    Signal,
    /// What came of a wish.
    Answer(desk::Answer),
    /// The last minutes, to be written.
    Report(Box<Report>),
    Recording(past::Recording),
    /// A recording is over; with what is wrong with it.
    End(Option<String>),
}

/// Shows the screen until the user has seen enough.
pub(crate) fn run(
    plan: &Plan,
    term: Term,
    feed: impl FnOnce(&Plan) -> Result<Box<dyn Feed>, Stop>,
) -> Result<Exit, Stop> {
    // Before any thread is there, so that all of them hold the signals back.
    let signals = Signals::block_for_trial().map_err(|error| Stop::internal(format!("signals: {error}")))?;
    let feed = feed(plan)?;
    let (tell, news) = mpsc::channel();
    let (order, orders) = mpsc::channel();
    let (room, taken) = mpsc::sync_channel(WAITING);
    let mut screen = Taken::take(plan.habits.mouse)
        .map_err(|error| Stop::unusable(format!("the terminal can't be used ({error}): try --batch")))?;
    listen(&tell, signals);
    let mut crew = Crew::new(tell.clone(), order, term.unicode, &plan.devices);
    let source = std::thread::spawn(move || {
        let readings = tell.clone();
        let over = feed.run(&orders, &mut |goods| {
            let news = match goods {
                Goods::Reading(_) if room.send(()).is_err() => return false,
                Goods::Reading(reading) => News::Reading(reading),
                Goods::Report(report) => News::Report(report),
                Goods::Recording(recording) => News::Recording(recording),
                Goods::End(flaw) => News::End(flaw),
            };
            readings.send(news).is_ok()
        });
        let _ = tell.send(News::Over(over));
    });
    let mut state = State::new(plan.habits.clone(), plan.read_only);
    state.origin = plan.origin;
    let draw = |state: &mut State| draw(&mut screen, term.unicode, state);
    let result = show(draw, &Inbox { news: &news, taken: &taken }, plan.interval, &mut state, &mut crew);
    // Who waits for room need not wait any longer.
    drop(taken);
    drop(screen);
    end_trial(&mut state, &news, &mut crew);
    // Its orders end with it.
    drop(crew);
    // Detaches the probes.
    let _ = source.join();
    result
}

/// A trial that still runs is taken back, and that is said where it can be read.
fn end_trial(state: &mut State, news: &Receiver<News>, crew: &mut Crew) {
    crew.dismiss();
    let end = Instant::now() + TAKING_BACK;
    while state.desk.running().is_some() && Instant::now() < end {
        if let Ok(News::Answer(answer)) = news.recv_timeout(end.saturating_duration_since(Instant::now())) {
            state.hear(answer);
        }
    }
    let Some(trial) = &state.desk.trial else { return };
    output::complain(&match &trial.over {
        Some(Ok(summary)) => {
            format!("{} for {}: {}: {}", trial.policy, trial.bdf, summary.outcome.word(), summary.why)
        }
        Some(Err(why)) => format!("{} for {}: {why}", trial.policy, trial.bdf),
        None => format!(
            "{} for {}: the process that tries it does not end; see iova policy show",
            trial.policy, trial.bdf
        ),
    });
}

/// Threads that only wait; they end with the process.
fn listen(tell: &Sender<News>, signals: Signals) {
    let keys = tell.clone();
    std::thread::spawn(move || {
        loop {
            let event = event::read();
            let broken = event.is_err();
            if keys.send(News::Terminal(event)).is_err() || broken {
                return;
            }
        }
    });
    let tell = tell.clone();
    std::thread::spawn(move || {
        loop {
            if let Wake::Ended { .. } = signals.wait(Instant::now() + Duration::from_secs(3600))
                && tell.send(News::Signal).is_err()
            {
                return;
            }
        }
    });
}

/// Puts the state on the terminal.
fn draw(screen: &mut Taken, unicode: bool, state: &mut State) -> Result<(), Stop> {
    let gone = |error: io::Error| Stop::unusable(format!("the terminal is gone: {error}"));
    let size = screen.0.size().map_err(gone)?;
    state.resize((size.width, size.height));
    let theme = Theme { palette: state.palette, unicode };
    let mut lowest = 0;
    let frame = |frame: &mut ratatui::Frame<'_>| {
        lowest = view::draw(state, frame.area(), frame.buffer_mut(), theme);
    };
    screen.0.draw(frame).map_err(gone)?;
    state.scroll = state.scroll.min(lowest);
    Ok(())
}

/// What happens, and room for more of it.
struct Inbox<'a> {
    news: &'a Receiver<News>,
    taken: &'a Receiver<()>,
}

impl Inbox<'_> {
    fn next(&self, patience: Duration) -> Result<News, RecvTimeoutError> {
        let news = self.news.recv_timeout(patience)?;
        if let News::Reading(_) = news {
            let _ = self.taken.try_recv();
        }
        Ok(news)
    }
}

/// Draws, waits for what happens, and draws again.
fn show(
    mut draw: impl FnMut(&mut State) -> Result<(), Stop>,
    inbox: &Inbox<'_>,
    interval: Duration,
    state: &mut State,
    crew: &mut Crew,
) -> Result<Exit, Stop> {
    let patience = interval * STALLED;
    let mut last = Instant::now();
    loop {
        draw(state)?;
        match inbox.next(interval) {
            Ok(News::Reading(reading)) => {
                last = Instant::now();
                state.push(reading.step, reading.own_cpu);
            }
            Ok(News::Terminal(Ok(event))) => {
                terminal::key(&event).into_iter().for_each(|key| state.press(key));
                terminal::pointer(&event).into_iter().for_each(|pointer| state.point(pointer));
            }
            Ok(News::Terminal(Err(error))) => {
                return Err(Stop::unusable(format!("the keyboard is gone: {error}")));
            }
            Ok(News::Answer(answer)) => state.hear(answer),
            Ok(News::Report(report)) => crew.write_report(report),
            Ok(News::Recording(recording)) => crew.write_recording(recording),
            Ok(News::End(flaw)) => {
                state.origin = Origin::Ended;
                state.notice = flaw;
            }
            Ok(News::Over(Err(stop))) => return Err(stop),
            Ok(News::Over(Ok(())) | News::Signal) | Err(RecvTimeoutError::Disconnected) => {
                return Ok(Exit::Done);
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        if last.elapsed() > patience && state.origin == Origin::Live {
            let seconds = last.elapsed().as_secs();
            state.trouble = Some(format!("nothing new for {seconds} s: the probes are not read"));
        }
        state.desk.wishes().into_iter().for_each(|wish| crew.carry_out(wish));
        state.wanted.take().into_iter().for_each(|kind| crew.want(kind));
        if state.over {
            return Ok(Exit::Done);
        }
    }
}

#[cfg(test)]
mod loop_tests;
