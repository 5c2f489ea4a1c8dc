//! From a key to the frame that shows what it did, through the real loop.

use super::super::crew::Crew;
use super::super::source::Reading;
use super::super::state::State;
use super::super::{Inbox, News, show};
use super::Screen;
use super::figures::Times;
use super::host;
use ratatui::crossterm::event::{Event, KeyCode};
use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

/// Short, so that the source soon counts as stalled.
const INTERVAL: Duration = Duration::from_millis(40);
const ROUNDS: usize = 60;
const KEYS: [KeyCode; 9] = [
    KeyCode::Down,
    KeyCode::Char('s'),
    KeyCode::Enter,
    KeyCode::Char('['),
    KeyCode::Esc,
    KeyCode::Char('f'),
    KeyCode::Down,
    KeyCode::Char('f'),
    KeyCode::End,
];

/// While the source says nothing, and right behind what it says.
pub(super) fn measure() -> io::Result<[Times; 2]> {
    let (tell, news) = mpsc::channel();
    let (shown, frames) = mpsc::channel();
    let screen = std::thread::spawn(move || {
        let mut screen = Screen::new()?;
        let draw = |state: &mut State| {
            screen.draw(state);
            let _ = shown.send(Instant::now());
            Ok(())
        };
        let mut crew = Crew::new(mpsc::channel().0, mpsc::channel().0, true, &[]);
        let taken = mpsc::channel().1;
        let inbox = Inbox { news: &news, taken: &taken };
        let _ = show(draw, &inbox, INTERVAL, &mut State::default(), &mut crew);
        io::Result::Ok(())
    });
    let mut steps = host::steps(2 * ROUNDS as u64)?.into_iter();
    let mut say = |tell: &Sender<News>| {
        let reading = steps.next().map(|step| News::Reading(Box::new(Reading { step, own_cpu: Some(0.01) })));
        reading.is_some_and(|reading| tell.send(reading).is_ok())
    };
    for _ in 0..ROUNDS {
        say(&tell);
    }
    let (mut stalled, mut behind) = (Times::default(), Times::default());
    settle(&frames, Duration::from_secs(1));
    for key in KEYS.into_iter().cycle().take(ROUNDS * 4) {
        press(&tell, key, &frames, 1, &mut stalled);
    }
    for key in KEYS.into_iter().cycle().take(ROUNDS) {
        settle(&frames, INTERVAL / 4);
        say(&tell);
        press(&tell, key, &frames, 2, &mut behind);
    }
    drop(tell);
    screen.join().map_err(|_| io::Error::other("the screen has panicked"))??;
    Ok([stalled, behind])
}

/// Waits until nothing is drawn any more.
fn settle(frames: &Receiver<Instant>, rest: Duration) {
    while frames.recv_timeout(rest.min(INTERVAL / 2)).is_ok() {}
}

/// The key is shown at the latest by the frame that answers the last of so many news.
fn press(tell: &Sender<News>, key: KeyCode, frames: &Receiver<Instant>, news: usize, times: &mut Times) {
    let start = Instant::now();
    let _ = tell.send(News::Terminal(Ok(Event::Key(key.into()))));
    let mut later = frames.iter().filter(|frame| *frame > start);
    if let Some(frame) = later.nth(news - 1) {
        times.add(frame - start);
    }
}
