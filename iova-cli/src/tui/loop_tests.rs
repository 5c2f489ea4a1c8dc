//! The loop between source, keys and screen, when something goes wrong.

use super::crew::Crew;
use super::keys::Key;
use super::source::Reading;
use super::state::State;
use super::{Inbox, News, show};
use crate::exit::{Exit, Stop};
use crate::render::fixtures;
use iova_core::model::Step;
use ratatui::crossterm::event::{Event, KeyCode};
use std::io;
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

const INTERVAL: Duration = Duration::from_millis(20);

/// Lets it run on what is sent, and on what each frame makes one send.
fn run(first: Vec<News>, mut at_frame: impl FnMut(&State, &Sender<News>)) -> (Result<Exit, Stop>, State) {
    let (tell, news) = mpsc::channel();
    first.into_iter().for_each(|news| tell.send(news).unwrap());
    let mut state = State::default();
    let mut crew = Crew::new(mpsc::channel().0, mpsc::channel().0, true, &[]);
    let draw = |state: &mut State| {
        at_frame(state, &tell);
        Ok(())
    };
    let taken = mpsc::channel().1;
    let result = show(draw, &Inbox { news: &news, taken: &taken }, INTERVAL, &mut state, &mut crew);
    (result, state)
}

fn reading() -> News {
    let report = fixtures::cliff();
    let step = Step { ns: 1, interval: report.clone(), lately: report.into(), incidents: Vec::new() };
    News::Reading(Box::new(Reading { step, own_cpu: None }))
}

fn quit() -> News {
    News::Terminal(Ok(Event::Key(KeyCode::Char('q').into())))
}

#[test]
fn a_source_that_dies_says_why() {
    let why = Stop::unusable("the probes are gone");
    let (result, _) = run(vec![reading(), News::Over(Err(why.clone()))], |_, _| {});
    assert_eq!(result, Err(why));
}

#[test]
fn a_source_that_stalls_is_told_and_keys_go_on() {
    let mut pressed = false;
    let (result, state) = run(vec![reading()], |state, tell| {
        // Only when it has been told, somebody presses a key.
        if state.trouble.is_some() && !pressed {
            pressed = true;
            tell.send(quit()).unwrap();
        }
    });
    assert_eq!(result, Ok(Exit::Done));
    assert!(state.trouble.unwrap().contains("nothing new"));
}

#[test]
fn a_keyboard_that_goes_ends_it() {
    let broken = News::Terminal(Err(io::Error::other("hung up")));
    let (result, _) = run(vec![reading(), broken], |_, _| {});
    assert!(result.unwrap_err().message.contains("the keyboard is gone: hung up"));
}

#[test]
fn a_signal_ends_it_also_with_a_question_open() {
    let (result, state) = run(vec![reading(), News::Signal], |_, _| {});
    assert_eq!((result, state.over), (Ok(Exit::Done), false));
    let mut asked = State::default();
    asked.press(Key::Interrupt);
    assert!(asked.over, "nothing runs, so nothing is asked");
}
