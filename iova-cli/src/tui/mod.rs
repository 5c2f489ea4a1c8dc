//! `iova top`: source, state and view apart. The source is a thread that hands over intervals; the state knows no
//! terminal; the view only draws.

mod batch;
mod columns;
mod history;
mod keys;
mod source;
mod state;
mod terminal;
mod theme;
mod view;

#[cfg(feature = "bench")]
pub(crate) mod bench;

pub(crate) use batch::batch;
pub(crate) use source::Plan;

use crate::exit::{Exit, Stop};
use crate::signals::{Signals, Wake};
use crate::term::Term;
use ratatui::crossterm::event;
use source::{Feed, Reading};
use state::State;
use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};
use terminal::Taken;
use theme::Theme;

/// Nothing new for this many intervals is worth a word.
const STALLED: u32 = 3;

/// Everything that can happen.
enum News {
    Reading(Box<Reading>),
    /// The source has ended.
    Over(Result<(), Stop>),
    Terminal(io::Result<event::Event>),
    Signal,
}

/// Shows the screen until the user has seen enough.
pub(crate) fn run(plan: &Plan, term: Term) -> Result<Exit, Stop> {
    // Before any thread is there, so that all of them hold the signals back.
    let signals = Signals::block_for_trial().map_err(|error| Stop::internal(format!("signals: {error}")))?;
    let feed = Feed::start(plan)?;
    let (tell, news) = mpsc::channel();
    let (stop, stopped) = mpsc::channel();
    let mut screen = Taken::take()
        .map_err(|error| Stop::unusable(format!("the terminal can't be used ({error}): try --batch")))?;
    listen(&tell, signals);
    let source = std::thread::spawn(move || {
        let readings = tell.clone();
        let over = feed.run(&stopped, |reading| readings.send(News::Reading(Box::new(reading))).is_ok());
        let _ = tell.send(News::Over(over));
    });
    let theme = Theme::of(term);
    let draw = |state: &State| {
        let drawn = screen.0.draw(|frame| view::draw(state, frame.area(), frame.buffer_mut(), theme));
        drawn.map(drop).map_err(|error| Stop::unusable(format!("the terminal is gone: {error}")))
    };
    let result = show(draw, &news, plan.interval);
    drop(screen);
    drop(stop);
    // Detaches the probes.
    let _ = source.join();
    result
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

/// Draws, waits for what happens, and draws again.
fn show(
    mut draw: impl FnMut(&State) -> Result<(), Stop>,
    news: &Receiver<News>,
    interval: Duration,
) -> Result<Exit, Stop> {
    let mut state = State::default();
    let patience = interval * STALLED;
    let mut last = Instant::now();
    loop {
        draw(&state)?;
        match news.recv_timeout(interval) {
            Ok(News::Reading(reading)) => {
                last = Instant::now();
                state.push(reading.step, reading.own_cpu);
            }
            Ok(News::Terminal(Ok(event))) => {
                terminal::key(&event).into_iter().for_each(|key| state.press(key))
            }
            Ok(News::Terminal(Err(error))) => {
                return Err(Stop::unusable(format!("the keyboard is gone: {error}")));
            }
            Ok(News::Over(Err(stop))) => return Err(stop),
            Ok(News::Over(Ok(())) | News::Signal) | Err(RecvTimeoutError::Disconnected) => {
                return Ok(Exit::Done);
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        if last.elapsed() > patience {
            let seconds = last.elapsed().as_secs();
            state.trouble = Some(format!("nothing new for {seconds} s: the probes are not read"));
        }
        if state.over {
            return Ok(Exit::Done);
        }
    }
}
