//! The last line: the keys of this screen, or what is being typed.

use super::super::desk::Sure;
use super::super::keys;
use super::super::state::State;
use super::super::theme::Role;
use super::pen::Pen;

pub(super) fn draw(state: &State, pen: &mut Pen<'_>) {
    if let Some(typed) = &state.desk.typed {
        let x = pen.put(0, 0, Role::Strong, "policy (dac:N, cap:N, stock): ");
        pen.put(x, 0, Role::Plain, &format!("{typed}_"));
        return;
    }
    if state.typing {
        let x = pen.put(0, 0, Role::Strong, "show only: ");
        pen.put(x, 0, Role::Plain, &format!("{}_", state.filter));
        return;
    }
    if let Some(question) = question(state) {
        let x = pen.put(0, 0, Role::Warning, &question);
        pen.put(x + 1, 0, Role::Strong, "y/n");
        return;
    }
    if let Some(notice) = &state.notice {
        pen.put(0, 0, Role::Strong, notice);
        return;
    }
    let mut x = if state.writing { pen.put(0, 0, Role::Strong, "as: ") } else { 0 };
    for binding in keys::of(state.place(), state.read_only).filter(|binding| !binding.label.is_empty()) {
        let length = binding.shown.len() + binding.label.len() + 1;
        if usize::from(x) + length > usize::from(pen.width()) {
            break;
        }
        x = pen.put(x, 0, Role::Strong, binding.shown);
        x = pen.put(x + 1, 0, Role::Dim, binding.label) + 2;
    }
}

/// What only `y` answers with yes. Short: at 40 columns the answer has to be seen too.
fn question(state: &State) -> Option<String> {
    let desk = &state.desk;
    let running = desk.running().map_or("", |trial| trial.policy.as_str());
    Some(match desk.sure? {
        Sure::Try => format!("Try {} on {}?", desk.policy(), desk.bdf),
        Sure::Keep => format!("Keep {running}?"),
        Sure::TakeBack => format!("Take {running} back?"),
        Sure::Revert => format!("{} back to stock?", desk.bdf),
        Sure::Quit => format!("Quit, and take {running} back?"),
    })
}
