//! The last line: the keys of this screen, or what is being typed.

use super::super::keys;
use super::super::state::State;
use super::super::theme::Role;
use super::pen::Pen;

pub(super) fn draw(state: &State, pen: &mut Pen<'_>) {
    if state.typing {
        let x = pen.put(0, 0, Role::Strong, "show only: ");
        pen.put(x, 0, Role::Plain, &format!("{}_", state.filter));
        return;
    }
    let mut x = 0;
    for binding in keys::of(state.place()).filter(|binding| !binding.label.is_empty()) {
        let length = binding.shown.len() + binding.label.len() + 1;
        if usize::from(x) + length > usize::from(pen.width()) {
            break;
        }
        x = pen.put(x, 0, Role::Strong, binding.shown);
        x = pen.put(x + 1, 0, Role::Dim, binding.label) + 2;
    }
}
