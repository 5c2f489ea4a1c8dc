use super::super::history::History;
use super::super::keys::Key;
use super::super::state::State;
use super::super::theme::Theme;
use super::draw;
use crate::render::fixtures;
use iova_core::model::{Report, Step};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const SIZES: [(u16, u16); 4] = [(40, 12), (80, 24), (120, 40), (200, 60)];
const UNICODE: Theme = Theme { color: false, unicode: true };
const ASCII: Theme = Theme { color: false, unicode: false };

/// Thirty seconds of one report.
fn watched(report: &Report) -> State {
    let mut state = State::default();
    for second in 1..=30 {
        let ns = second * 1_000_000_000;
        let step = Step { ns, interval: report.clone(), lately: report.clone() };
        state.push(step, Some(0.004));
    }
    state
}

fn screen(state: &State, (width, height): (u16, u16), theme: Theme) -> String {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    draw(state, area, &mut buffer, theme);
    let line = |y: u16| -> String {
        let cells = (0..width).filter_map(|x| buffer.cell((x, y))).map(|cell| cell.symbol());
        cells.collect::<String>().trim_end().to_owned()
    };
    (0..height).map(line).collect::<Vec<_>>().join("\n")
}

fn press(state: &mut State, keys: &[Key]) {
    keys.iter().for_each(|key| state.press(*key));
}

#[test]
fn the_overview_in_every_size() {
    let state = watched(&fixtures::cliff());
    for size in SIZES {
        insta::assert_snapshot!(format!("overview_{}x{}", size.0, size.1), screen(&state, size, UNICODE));
    }
    insta::assert_snapshot!("overview_ascii", screen(&state, SIZES[1], ASCII));
}

#[test]
fn one_device_in_every_size() {
    let mut state = watched(&fixtures::cliff());
    press(&mut state, &[Key::Down, Key::Enter]);
    for size in SIZES {
        insta::assert_snapshot!(format!("device_{}x{}", size.0, size.1), screen(&state, size, UNICODE));
    }
    insta::assert_snapshot!("device_ascii", screen(&state, SIZES[1], ASCII));
}

#[test]
fn findings_and_help() {
    let mut state = watched(&fixtures::cliff());
    press(&mut state, &[Key::Char('f')]);
    for size in [SIZES[1], SIZES[2]] {
        insta::assert_snapshot!(format!("findings_{}x{}", size.0, size.1), screen(&state, size, UNICODE));
    }
    press(&mut state, &[Key::Char('f'), Key::Char('?')]);
    insta::assert_snapshot!("help_120x40", screen(&state, SIZES[2], UNICODE));
}

#[test]
fn nothing_is_wrong() {
    insta::assert_snapshot!("healthy_80x24", screen(&watched(&fixtures::healthy()), SIZES[1], UNICODE));
}

#[test]
fn what_an_allocation_takes_longer_is_shown_until_it_is_measured_again() {
    let mut weighed = fixtures::healthy();
    weighed.quality.added_ns_per_alloc = Some(412.0);
    let mut state = State::default();
    for (ns, report) in [(1, weighed), (2, fixtures::healthy())] {
        state.push(Step { ns, interval: report.clone(), lately: report }, Some(0.004));
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
        for key in ['s', 'f', '?', '?', 'f', 'p', '[', '[', ']', 'i', 'r'] {
            press(&mut state, &[Key::Char(key), Key::Enter]);
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
    let step = Step { ns: 31_000_000_000, interval: report.clone(), lately: report };
    state.push(step, None);
    assert_eq!(state.moment().map(|moment| moment.ns), shown);
    press(&mut state, &[Key::Char('p')]);
    assert_eq!(state.moment().map(|moment| moment.ns), Some(31_000_000_000));
}
