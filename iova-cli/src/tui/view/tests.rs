use super::super::desk::Answer;
use super::super::export::Kind;
use super::super::habits::Palette;
use super::super::history::History;
use super::super::keys::{Key, Place};
use super::super::pane::Pane;
use super::super::state::State;
use super::super::theme::Theme;
use super::draw;
use crate::render::fixtures;
use iova_core::model::{Device, Report, Step};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

mod habits;
mod style;

pub(super) const SIZES: [(u16, u16); 4] = [(40, 12), (80, 24), (120, 40), (200, 60)];
pub(super) const UNICODE: Theme = Theme { palette: Palette::Mono, unicode: true };
const DARK: Theme = Theme { palette: Palette::Dark, unicode: true };
pub(super) const ASCII: Theme = Theme { palette: Palette::Mono, unicode: false };

/// Thirty seconds that end with one report: it gets worse.
pub(super) fn watched(report: &Report) -> State {
    let mut state = State::default();
    for second in 1..=30_u64 {
        let ns = second * 1_000_000_000;
        let mut report = report.clone();
        for device in &mut report.devices {
            let share = |value: u64| value * (second + 10) / 40;
            device.alloc.latency_ns.p99 = device.alloc.latency_ns.p99.map(share);
            device.alloc.latency_ns.max =
                device.alloc.latency_ns.max.map(|value| value * (second % 7 + 1) / 3);
            device.low_space.pressure =
                device.low_space.pressure.map(|pressure| pressure * (second + 20) as f64 / 50.0);
        }
        let step = Step {
            ns,
            interval: report.clone(),
            lately: report.clone().into(),
            incidents: fixtures::incidents(ns),
        };
        state.push(step, Some(0.004));
    }
    state
}

/// A recording of the lab, to its end.
pub(super) fn recorded(name: &str) -> State {
    let mut state = State::default();
    fixtures::lab(name).into_iter().for_each(|step| state.push(step, Some(0.004)));
    state
}

pub(super) fn screen(state: &State, (width, height): (u16, u16), theme: Theme) -> String {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    draw(state, area, &mut buffer, theme);
    let line = |y: u16| -> String {
        let cells = (0..width).filter_map(|x| buffer.cell((x, y))).map(|cell| cell.symbol());
        cells.collect::<String>().trim_end().to_owned()
    };
    (0..height).map(line).collect::<Vec<_>>().join("\n")
}

pub(super) fn press(state: &mut State, keys: &[Key]) {
    keys.iter().for_each(|key| state.press(*key));
}

/// In every size: in monochrome, in ASCII, and its colours.
pub(super) fn in_every_size(what: &str, state: &State) {
    for size in SIZES {
        let name = format!("{what}_{}x{}", size.0, size.1);
        insta::assert_snapshot!(name.clone(), screen(state, size, UNICODE));
        insta::assert_snapshot!(format!("{name}_ascii"), screen(state, size, ASCII));
        insta::assert_snapshot!(format!("{name}_dark"), style::styles(state, size, DARK));
    }
}

#[test]
fn the_overview_in_every_size() {
    in_every_size("overview", &recorded("filling"));
}

#[test]
fn one_device_in_every_size() {
    let mut state = recorded("filling");
    press(&mut state, &"/nvme".chars().map(Key::Char).collect::<Vec<_>>());
    press(&mut state, &[Key::Enter, Key::Enter]);
    for pane in Pane::ALL {
        assert_eq!(state.pane, pane);
        in_every_size(pane.name(), &state);
        press(&mut state, &[Key::Tab]);
    }
    press(&mut state, &[Key::BackTab]);
    assert_eq!(state.pane, Pane::Events, "round and back");
}

#[test]
fn a_closer_look_at_the_space() {
    let mut state = watched(&fixtures::cliff());
    press(&mut state, &[Key::Down, Key::Enter, Key::Tab]);
    press(
        &mut state,
        &[Key::Char('+'), Key::Left, Key::Left, Key::Char('+'), Key::Char('+'), Key::Char('H')],
    );
    press(&mut state, &[Key::Char('+'); 4]);
    press(&mut state, &[Key::Right, Key::Char('L'), Key::Char('-')]);
    insta::assert_snapshot!("space_zoomed_80x24", screen(&state, SIZES[1], UNICODE));
}

/// Which lines are of the past, and which of now.
#[test]
fn the_past_of_a_device() {
    let mut state = watched(&fixtures::cliff());
    press(&mut state, &[Key::Down, Key::Enter]);
    press(&mut state, &[Key::Char('['); 12]);
    for pane in Pane::ALL {
        let name = format!("past_{}_80x24", pane.name());
        insta::assert_snapshot!(name, screen(&state, SIZES[1], UNICODE));
        press(&mut state, &[Key::Tab]);
    }
}

#[test]
fn a_space_that_cannot_be_read_leaves_what_is_counted() {
    let mut report = fixtures::cliff();
    report.domains.iter_mut().for_each(|domain| domain.space.granule = 0);
    let mut state = watched(&report);
    press(&mut state, &[Key::Down, Key::Enter, Key::Tab]);
    let shown = screen(&state, SIZES[2], UNICODE);
    for text in ["can't be read", "hit rate 51%", "903 timer runs"] {
        assert!(shown.contains(text), "{shown}");
    }
}

#[test]
fn the_end_of_a_list_is_the_end() {
    let mut state = watched(&fixtures::cliff());
    press(&mut state, &[Key::Down, Key::Enter, Key::BackTab, Key::End]);
    let area = Rect::new(0, 0, 80, 24);
    let lowest = draw(&state, area, &mut Buffer::empty(area), UNICODE);
    assert!(0 < lowest && lowest < state.scroll);
    state.scroll = lowest;
    let end = screen(&state, SIZES[1], UNICODE);
    press(&mut state, &[Key::Up]);
    assert_ne!(screen(&state, SIZES[1], UNICODE), end, "the first key upwards moves it");
    press(&mut state, &[Key::Tab]);
    assert_eq!(state.scroll, 0, "another pane begins at its top");
}

#[test]
fn a_lesser_profile_says_what_it_lacks() {
    let mut state = watched(&fixtures::healthy());
    press(&mut state, &[Key::Enter, Key::Tab, Key::Tab]);
    insta::assert_snapshot!("calls_default_80x24", screen(&state, SIZES[1], UNICODE));
}

#[test]
fn findings_in_every_size() {
    let mut state = recorded("filling");
    press(&mut state, &[Key::Char('f')]);
    in_every_size("findings", &state);
}

#[test]
fn help_in_every_size() {
    let mut state = watched(&fixtures::cliff());
    press(&mut state, &[Key::Char('?')]);
    in_every_size("help", &state);
}

#[test]
fn nothing_is_wrong() {
    insta::assert_snapshot!("healthy_80x24", screen(&recorded("healthy"), SIZES[1], UNICODE));
}

#[test]
fn what_an_allocation_takes_longer_is_shown_until_it_is_measured_again() {
    let mut weighed = fixtures::healthy();
    weighed.quality.added_ns_per_alloc = Some(412.0);
    let mut state = State::default();
    for (ns, report) in [(1, weighed), (2, fixtures::healthy())] {
        state.push(
            Step { ns, interval: report.clone(), lately: report.into(), incidents: Vec::new() },
            Some(0.004),
        );
    }
    let shown = screen(&state, SIZES[1], UNICODE);
    assert!(shown.contains("iova: 0.4% CPU, +412ns per allocation, "), "{shown}");
}

#[test]
fn before_the_first_interval() {
    let state = State { history: History::default(), ..State::default() };
    let shown = screen(&state, SIZES[1], UNICODE);
    assert!(shown.contains("waiting for the first interval"), "{shown}");
}

#[test]
fn no_size_and_no_report_panics() {
    let reports = [fixtures::cliff(), fixtures::healthy(), fixtures::hostile(), fixtures::passthrough()];
    for report in reports {
        let mut state = watched(&report);
        let keys = ['s', 'f', '?', '?', 'f', 'p', '[', '[', ']', 'i', 'r', 'T', '3', 'c', 'c'].map(Key::Char);
        let panes = [Key::Tab, Key::Char('+'), Key::Left, Key::Right, Key::Char('-'), Key::Down, Key::End];
        let keys = keys.into_iter().chain(panes).chain(panes).chain(panes).chain(panes).chain([Key::BackTab]);
        for key in keys {
            press(&mut state, &[key, Key::Enter]);
            for width in [0, 1, 2, 39, 40, 41, 63, 100, 250] {
                for height in [0, 1, 2, 11, 12, 13, 30, 90] {
                    screen(&state, (width, height), UNICODE);
                }
            }
        }
    }
}

#[test]
fn hostile_names_stay_in_their_place() {
    let state = watched(&fixtures::hostile());
    for theme in [UNICODE, ASCII] {
        let shown = screen(&state, SIZES[3], theme);
        assert!(!shown.contains(['\x1b', '\u{9b}', '\u{202e}', '\r', '\x07']), "{shown:?}");
    }
    assert!(screen(&state, SIZES[1], ASCII).is_ascii());
}

/// Policy, driver and the symbols of a module come from outside too.
#[test]
fn hostile_text_in_the_panes_stays_in_its_place() {
    const EVIL: &str = "\x1b]0;owned\x07\u{9b}2J\u{202e}x\r\n";
    let mut report = fixtures::cliff();
    let mut state = watched(&report);
    for device in &mut report.devices {
        (device.driver, device.policy.set) = (Some(EVIL.into()), Some(EVIL.into()));
        device.policy.state = Some("active");
        device.slow_calls.iter_mut().for_each(|call| call.stack = vec![EVIL.into(); 3]);
    }
    let step =
        Step { ns: 31_000_000_000, interval: report.clone(), lately: report.into(), incidents: Vec::new() };
    state.push(step, None);
    press(&mut state, &[Key::Down, Key::Enter]);
    for _ in Pane::ALL {
        for size in SIZES {
            let shown = screen(&state, size, UNICODE);
            assert!(!shown.contains(['\x1b', '\u{9b}', '\u{202e}', '\r', '\x07']), "{shown:?}");
            assert!(screen(&state, size, ASCII).is_ascii());
        }
        press(&mut state, &[Key::Tab]);
    }
    press(&mut state, &[Key::BackTab]);
    let events = screen(&state, SIZES[1], ASCII);
    assert!(events.contains("policy sac-first -> ?]0;owned"), "{events}");
}

#[test]
fn sorting_filtering_and_the_cursor() {
    let mut state = watched(&fixtures::cliff());
    let order = |state: &State| state.rows().iter().map(|row| row.who.name.clone()).collect::<Vec<_>>();
    assert_eq!(order(&state)[0], "eth0", "most allocations first");
    press(&mut state, &[Key::Char('s'), Key::Char('s')]);
    assert_eq!(order(&state)[0], "nvme0n1", "largest p99 first");
    press(&mut state, &[Key::Char('/'), Key::Char('E'), Key::Char('T'), Key::Char('H'), Key::Enter]);
    assert_eq!(order(&state), ["eth0"]);
    assert_eq!(state.selected.as_deref(), Some("0000:00:03.0"), "the cursor is on what can be seen");
    press(&mut state, &[Key::Escape, Key::Char('i')]);
    assert_eq!(order(&state).len(), 2, "idle ones are hidden");
}

#[test]
fn what_is_paused_stays_while_new_intervals_come() {
    let report = fixtures::cliff();
    let mut state = watched(&report);
    press(&mut state, &[Key::Char('[')]);
    let shown = state.moment().map(|moment| moment.ns);
    assert_eq!(shown, Some(29_000_000_000));
    let step =
        Step { ns: 31_000_000_000, interval: report.clone(), lately: report.into(), incidents: Vec::new() };
    state.push(step, None);
    assert_eq!(state.moment().map(|moment| moment.ns), shown);
    press(&mut state, &[Key::Char('p')]);
    assert_eq!(state.moment().map(|moment| moment.ns), Some(31_000_000_000));
}

#[test]
fn a_report_is_asked_for_and_said_where_it_is() {
    let mut state = watched(&fixtures::cliff());
    press(&mut state, &[Key::Char('e')]);
    assert!(screen(&state, SIZES[0], UNICODE).ends_with("as: t text  j JSON  h HTML  r recording"));
    // What means something elsewhere means no here.
    press(&mut state, &[Key::Char('f')]);
    assert_eq!((state.wanted, state.wrong() > 0, state.place()), (None, true, Place::Overview));
    press(&mut state, &[Key::Char('e'), Key::Char('h')]);
    assert_eq!(state.wanted, Some(Kind::Html));
    assert!(screen(&state, SIZES[0], UNICODE).ends_with("writing the last minutes"));
    state.hear(Answer::Written("the last 300 s are in ./x.json".into()));
    assert!(screen(&state, SIZES[0], UNICODE).ends_with("the last 300 s are in ./x.json"));
    press(&mut state, &[Key::Down]);
    assert!(screen(&state, SIZES[0], UNICODE).contains("? help"));
}

#[test]
fn a_host_without_devices_says_so() {
    let mut report = fixtures::healthy();
    (report.devices, report.domains, report.findings) = (Vec::new(), Vec::new(), Vec::new());
    let mut state = watched(&report);
    assert!(screen(&state, SIZES[1], UNICODE).contains("no device is behind an IOMMU: see iova doctor"));
    for key in [Key::Enter, Key::Char('P'), Key::Enter, Key::Char('t'), Key::Char('f'), Key::Down, Key::Tab] {
        press(&mut state, &[key]);
        SIZES.iter().for_each(|size| drop(screen(&state, *size, UNICODE)));
    }
    assert!(state.desk.wishes().is_empty());
}
