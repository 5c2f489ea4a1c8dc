//! Choosing and sorting columns, and the mouse.

use super::*;
use crate::tui::columns;
use crate::tui::habits::usual_columns;
use crate::tui::keys::{Pointer, Touch};
use crate::tui::layout::Field;
use crate::tui::state::Screen;

/// As on a terminal of this size.
fn sized(report: &Report, size: (u16, u16)) -> State {
    let mut state = watched(report);
    state.resize(size);
    state
}

fn figure(title: &str) -> Field {
    Field::Figure(columns::find(title).unwrap())
}

/// A click on the first place where this text is seen.
fn click(state: &mut State, text: &str) {
    let shown = screen(state, state.size, UNICODE);
    let place = shown.lines().zip(0..).find_map(|(line, y)| {
        let x = line.find(text).map(|at| line[..at].chars().count() as u16)?;
        Some((x, y))
    });
    let (x, y) = place.unwrap_or_else(|| panic!("no {text} in\n{shown}"));
    state.point(Pointer { touch: Touch::Click, x, y });
}

#[test]
fn sorting_walks_over_what_can_be_seen() {
    let mut state = sized(&fixtures::cliff(), SIZES[1]);
    let mut walked = Vec::new();
    for _ in 0..7 {
        press(&mut state, &[Key::Char('s')]);
        walked.push(state.sort.by.title());
        let mark = if state.sort.descending { 'v' } else { '^' };
        let title = format!("{mark}{}", state.sort.by.title());
        assert!(screen(&state, SIZES[1], UNICODE).lines().nth(2).unwrap().contains(&title), "{title}");
    }
    assert_eq!(walked, ["p99", "slow", "32-bit", "policy", "device", "name", "allocs/s"]);
    press(&mut state, &[Key::Char('S')]);
    assert_eq!(state.sort.by, Field::Name);
    press(&mut state, &[Key::Char('4')]);
    assert!(state.sort.by == figure("p99") && state.sort.descending);
    press(&mut state, &[Key::Char('4')]);
    assert!(!state.sort.descending, "the same number once more turns it round");
    press(&mut state, &[Key::Char('9')]);
    assert_eq!(state.sort.by, figure("p99"), "there is no ninth");
}

#[test]
fn names_sort_from_a_on() {
    let mut state = sized(&fixtures::cliff(), SIZES[2]);
    press(&mut state, &[Key::Char('2')]);
    let names: Vec<_> = state.rows().iter().map(|row| row.who.name.clone()).collect();
    assert!(names.is_sorted(), "{names:?}");
}

#[test]
fn columns_are_chosen_from_a_list() {
    let mut state = sized(&fixtures::cliff(), SIZES[2]);
    press(&mut state, &[Key::Char('c')]);
    insta::assert_snapshot!("chooser_120x40", screen(&state, SIZES[2], UNICODE));
    // Down to "mean", the first that is not usual.
    let down = [Key::Down; columns::USUAL];
    press(&mut state, &down);
    press(&mut state, &[Key::Char(' '), Key::Escape]);
    assert_eq!(state.columns.last().copied(), columns::find("mean"));
    let headline = screen(&state, SIZES[2], UNICODE).lines().nth(2).unwrap().to_owned();
    assert!(headline.contains("mean policy"), "{headline}");
    let rows = state.rows();
    let past = state.history.back(29).and_then(|moment| moment.rows.first());
    let mean = columns::find("mean").unwrap();
    assert!(rows[0].value(mean).is_some() && past.and_then(|row| row.value(mean)).is_some());
    press(&mut state, &[Key::Char('c'), Key::Char('u'), Key::Char('q')]);
    assert_eq!(state.columns, usual_columns());
    assert!(!state.over, "q closes the list only");
}

#[test]
fn what_is_hidden_is_not_sorted_by_and_comes_back_to_its_place() {
    let mut state = sized(&fixtures::cliff(), SIZES[2]);
    press(&mut state, &[Key::Char('c'), Key::Char(' ')]);
    assert!(!state.columns.contains(&0) && state.sort.by == figure("p50"));
    press(&mut state, &[Key::Char(' ')]);
    assert_eq!(state.columns, usual_columns());
}

#[test]
fn the_list_fits_a_small_screen() {
    let mut state = sized(&fixtures::cliff(), SIZES[0]);
    press(&mut state, &[Key::Char('c'), Key::PageDown, Key::PageDown]);
    insta::assert_snapshot!("chooser_40x12", screen(&state, SIZES[0], UNICODE));
    press(&mut state, &[Key::End]);
    assert!(screen(&state, SIZES[0], UNICODE).contains("cohmask"));
}

#[test]
fn without_any_column_of_figures() {
    let mut state = State { columns: vec![], ..sized(&fixtures::cliff(), SIZES[1]) };
    press(&mut state, &[Key::Char('s'), Key::Char('1'), Key::Enter]);
    for size in SIZES {
        screen(&state, size, UNICODE);
    }
}

#[test]
fn a_click_selects_and_the_second_opens() {
    let mut state = sized(&fixtures::cliff(), SIZES[1]);
    click(&mut state, "nvme0n1");
    assert_eq!(state.selected.as_deref(), Some("0000:01:00.0"));
    assert_eq!(state.screen, Screen::Overview);
    click(&mut state, "nvme0n1");
    assert_eq!(state.screen, Screen::Device("0000:01:00.0".into()));
    click(&mut state, "driver");
    assert_eq!(state.screen, Screen::Device("0000:01:00.0".into()), "nothing to click there");
}

#[test]
fn a_click_on_a_title_sorts_and_once_more_turns_round() {
    for size in [SIZES[1], SIZES[2], SIZES[3]] {
        let mut state = sized(&fixtures::cliff(), size);
        click(&mut state, "p99");
        assert!(state.sort.by == figure("p99") && state.sort.descending);
        click(&mut state, "p99");
        assert!(state.sort.by == figure("p99") && !state.sort.descending);
        click(&mut state, "device");
        assert_eq!(state.sort.by, Field::Device);
        click(&mut state, "policy");
        assert_eq!(state.sort.by, Field::Policy);
    }
}

#[test]
fn a_click_in_the_list_of_columns() {
    let mut state = sized(&fixtures::cliff(), SIZES[1]);
    press(&mut state, &[Key::Char('c')]);
    click(&mut state, "alloc.latency_ns.p99");
    assert!(!state.columns.contains(&columns::find("p99").unwrap()));
    click(&mut state, "eth0");
    assert!(state.chooser.is_none(), "beside the list closes it");
}

#[test]
fn rows_stay_where_they_are_until_the_cursor_leaves() {
    let mut report = fixtures::cliff();
    let template = report.devices[0].clone();
    report.devices =
        (0..50).map(|number| Device { bdf: format!("0000:{number:02x}:00.0"), ..template.clone() }).collect();
    let mut state = sized(&report, SIZES[1]);
    press(&mut state, &[Key::Char('1'), Key::End]);
    assert_eq!(state.selected.as_deref(), Some("0000:31:00.0"));
    let before = screen(&state, SIZES[1], UNICODE);
    click(&mut state, "0000:2e:00.0");
    assert_eq!(screen(&state, SIZES[1], UNICODE), before, "no row has moved");
    click(&mut state, "0000:2e:00.0");
    assert_eq!(state.screen, Screen::Device("0000:2e:00.0".into()));
    press(&mut state, &[Key::Escape]);
    state.point(Pointer { touch: Touch::WheelUp, x: 0, y: 0 });
    assert_eq!(state.selected.as_deref(), Some("0000:2b:00.0"));
}

#[test]
fn help_can_be_read_to_its_end_on_a_small_screen() {
    let mut state = sized(&fixtures::cliff(), SIZES[0]);
    press(&mut state, &[Key::Char('?')]);
    assert!(screen(&state, SIZES[0], UNICODE).contains(": Down"));
    press(&mut state, &[Key::End]);
    assert!(screen(&state, SIZES[0], UNICODE).contains("ones)."), "the last column is explained");
    let area = Rect::new(0, 0, SIZES[0].0, SIZES[0].1);
    let lowest = draw(&state, area, &mut Buffer::empty(area), UNICODE);
    assert!(0 < lowest && lowest < state.scroll, "the end is known");
    press(&mut state, &[Key::Escape, Key::Char('?')]);
    assert!(screen(&state, SIZES[0], UNICODE).contains("show or hide this help"));
}

#[test]
fn read_only_is_shown() {
    let state = State { read_only: true, ..sized(&fixtures::healthy(), SIZES[1]) };
    assert!(screen(&state, SIZES[1], UNICODE).lines().next().unwrap().ends_with("LIVE read-only"));
}

#[test]
fn no_click_anywhere_panics() {
    for size in [(0, 0), (1, 1), (39, 11), SIZES[0], SIZES[1], (170, 20)] {
        for open in [' ', 'c', 'f', '?'] {
            let mut state = sized(&fixtures::cliff(), size);
            press(&mut state, &[Key::Char(open)]);
            for touch in [Touch::Click, Touch::WheelDown, Touch::WheelUp] {
                for x in (0..size.0 + 3).step_by(3) {
                    for y in 0..size.1 + 2 {
                        state.point(Pointer { touch, x, y });
                    }
                }
                screen(&state, size, UNICODE);
            }
        }
    }
}

#[test]
fn a_question_is_not_answered_with_a_click() {
    let mut state = sized(&fixtures::cliff(), SIZES[1]);
    state.desk.typed = Some(String::new());
    let before = (state.selected.clone(), state.sort, state.screen.clone());
    for y in 0..SIZES[1].1 {
        state.point(Pointer { touch: Touch::Click, x: 30, y });
    }
    assert_eq!((state.selected.clone(), state.sort, state.screen.clone()), before);
}
