//! Changing a policy from the screen: what is seen, and what keys do.

use super::super::desk::{Answer, Hazard, Plan, Wish};
use super::super::keys::Key;
use super::super::state::{Screen, State};
use super::tests::{SIZES, UNICODE, in_every_size, press, screen, watched};
use crate::commands::policy::{Figures, Summary, Told};
use crate::render::fixtures;

const BDF: &str = "0000:01:00.0";

fn summary() -> Box<Summary> {
    match serde_json::from_str(include_str!("../testdata/over.json")).unwrap() {
        Told::Over { report } => report,
        other => panic!("{other:?}"),
    }
}

fn plan() -> Plan {
    let hazard = |severity: &str, text: &str| Hazard { severity: severity.into(), text: text.into() };
    Plan {
        refused: None,
        changes: vec![
            "New addresses come from 0x8000000000 to 0xbf3fffffff at once, without the attempt below 4 GiB."
                .into(),
        ],
        lasting: vec!["What is mapped above 4 GiB stays there until the driver unmaps it.".into()],
        hazards: vec![hazard("warning", "The root file system is on this device: have a backup.")],
    }
}

fn choosing() -> State {
    let mut state = watched(&fixtures::cliff());
    state.selected = Some(BDF.into());
    press(&mut state, &[Key::Char('P')]);
    state
}

fn planned(plan: Plan) -> State {
    let mut state = choosing();
    press(&mut state, &[Key::Enter]);
    let wish = Wish::Explain { bdf: BDF.into(), policy: "dac:40".into() };
    assert_eq!(state.desk.wishes(), [wish]);
    state.hear(Answer::Explained { bdf: BDF.into(), policy: "dac:40".into(), plan: Ok(plan) });
    state
}

pub(super) fn planned_as_usual() -> State {
    planned(plan())
}

pub(super) fn trying() -> State {
    let mut state = planned(plan());
    press(&mut state, &[Key::Char('t'), Key::Char('y')]);
    assert_eq!(state.desk.wishes(), [Wish::Try { bdf: BDF.into(), policy: "dac:40".into() }]);
    let summary = summary();
    let text =
        "dac:40 is on trial for 0000:01:00.0; the kernel takes it back when this process ends".to_owned();
    state.hear(Answer::Trial(Told::Said { text }));
    state.hear(Answer::Trial(Told::Figures(Box::new(Figures {
        policy: "dac:40".into(),
        elapsed_s: 12,
        left_s: Some(588),
        flushes: Some(9),
        before: summary.before.clone(),
        since: summary.after.clone(),
        last: summary.after.clone(),
    }))));
    state
}

#[test]
fn the_choice_in_every_size() {
    in_every_size("policy_choice", &choosing());
}

#[test]
fn the_dry_run_in_every_size() {
    in_every_size("policy_plan", &planned(plan()));
}

#[test]
fn the_trial_in_every_size() {
    in_every_size("policy_trial", &trying());
}

#[test]
fn the_end_of_a_trial() {
    let mut state = trying();
    press(&mut state, &[Key::Char('R'), Key::Char('y')]);
    assert_eq!(state.desk.wishes(), [Wish::Answer(false)]);
    state.hear(Answer::Trial(Told::Over { report: summary() }));
    in_every_size("policy_over", &state);
}

#[test]
fn a_refusal_offers_no_trial() {
    let refused = "The kernel module iova_policy is not loaded: sudo modprobe iova_policy.";
    let mut state = planned(Plan { refused: Some(refused.into()), ..plan() });
    press(&mut state, &[Key::Char('t'), Key::Char('y')]);
    assert!(state.desk.wishes().is_empty());
    let text = screen(&state, SIZES[1], UNICODE);
    assert!(text.contains("not loaded") && !text.contains("y/n"), "{text}");
}

#[test]
fn no_single_key_changes_anything() {
    let every = (' '..='~').map(Key::Char).chain([Key::Enter, Key::Escape, Key::Backspace, Key::Interrupt]);
    for key in every {
        for mut state in [choosing(), planned(plan()), trying()] {
            press(&mut state, &[key]);
            let wishes = state.desk.wishes();
            let harmless = |wish: &Wish| matches!(wish, Wish::Explain { .. });
            assert!(wishes.iter().all(harmless), "{key:?}: {wishes:?}");
            assert!(state.desk.running().is_none() || !state.over, "{key:?} ends the trial");
        }
    }
}

#[test]
fn who_only_reads_gets_no_keys_for_it() {
    let mut state = watched(&fixtures::cliff());
    state.read_only = true;
    press(&mut state, &[Key::Char('P')]);
    assert_eq!(state.screen, Screen::Overview);
    press(&mut state, &[Key::Char('?')]);
    let text = screen(&state, SIZES[3], UNICODE);
    assert!(!text.contains("choose a policy"), "{text}");
}

#[test]
fn a_trial_is_seen_from_everywhere_and_quitting_asks() {
    let mut state = trying();
    press(&mut state, &[Key::Escape]);
    let text = screen(&state, SIZES[2], UNICODE);
    assert!(text.contains("dac:40 on trial, 9:48 left: P"), "{text}");
    press(&mut state, &[Key::Char('q')]);
    assert!(!state.over && screen(&state, SIZES[0], UNICODE).contains("take dac:40 back? y/n"));
    press(&mut state, &[Key::Char('n'), Key::Char('c'), Key::Interrupt]);
    assert!(!state.over && state.desk.sure.is_some(), "it asks from the list of columns too");
    press(&mut state, &[Key::Char('n'), Key::Escape, Key::Char('P')]);
    assert_eq!(state.screen, Screen::Policy);
    press(&mut state, &[Key::Interrupt, Key::Interrupt]);
    assert!(state.over, "Ctrl-C twice gets out");
}

#[test]
fn hostile_sentences_stay_in_their_place() {
    let mut state = trying();
    state.hear(Answer::Trial(Told::Said { text: "\x1b[2J\u{202e}\u{9b}31m\r\n".into() }));
    state.hear(Answer::NoTrial("\x1b]0;x\x07".into()));
    let text = screen(&state, SIZES[3], UNICODE);
    assert!(!text.contains(['\x1b', '\u{9b}', '\u{202e}', '\r', '\x07']), "{text:?}");
}

#[test]
fn no_size_panics() {
    for state in [choosing(), planned(plan()), trying()] {
        for width in [0, 1, 39, 40, 41, 63, 250] {
            for height in [0, 1, 11, 12, 13, 90] {
                screen(&state, (width, height), UNICODE);
            }
        }
    }
}
