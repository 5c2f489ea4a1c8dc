//! The screens in docs/top.md are what the program shows: `UPDATE_DOCS=1 cargo test` writes them anew.

use super::super::keys::Key;
use super::super::pane::Pane;
use super::super::state::State;
use super::policy_tests;
use super::tests::{SIZES, UNICODE, press, recorded, screen};
use std::path::Path;

fn device(pane: Pane) -> State {
    let mut state = recorded("filling");
    press(&mut state, &"/nvme".chars().map(Key::Char).collect::<Vec<_>>());
    press(&mut state, &[Key::Enter, Key::Enter]);
    while state.pane != pane {
        press(&mut state, &[Key::Tab]);
    }
    state
}

fn findings() -> State {
    let mut state = recorded("filling");
    press(&mut state, &[Key::Char('f')]);
    state
}

#[test]
fn the_docs_show_these_screens() {
    let screens = [
        ("overview", recorded("filling")),
        ("device", device(Pane::ALL[0])),
        ("space", device(Pane::ALL[1])),
        ("calls", device(Pane::ALL[2])),
        ("events", device(Pane::ALL[3])),
        ("findings", findings()),
        ("plan", policy_tests::planned_as_usual()),
        ("trial", policy_tests::trying()),
    ];
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/top.md");
    let before = std::fs::read_to_string(&path).unwrap();
    let mut text = before.clone();
    for (name, state) in &screens {
        let marker = format!("<!-- screen: {name} -->\n```\n");
        let start = text.find(&marker).unwrap_or_else(|| panic!("no {marker:?}")) + marker.len();
        let end = start + text[start..].find("```").unwrap();
        text.replace_range(start..end, &format!("{}\n", screen(state, SIZES[1], UNICODE)));
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert!(text == std::fs::read_to_string(&path).unwrap(), "docs/top.md has old screens: UPDATE_DOCS=1");
}
