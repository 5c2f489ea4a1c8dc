//! From the state to cells on a screen. Nothing here reads or changes anything else.

mod device;
mod findings;
mod foot;
mod head;
mod heat;
mod help;
mod lines;
mod overview;
mod pen;
mod spark;
mod strip;

use super::state::{Screen, State};
use super::theme::{Role, Theme};
use pen::Pen;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Less than this shows nothing of use.
const LEAST: (u16, u16) = (40, 12);
const HEAD: u16 = 2;

/// The whole screen; says how far down it can be scrolled, as far as it knows.
pub(crate) fn draw(state: &State, area: Rect, buffer: &mut Buffer, theme: Theme) -> usize {
    let mut pen = Pen::new(buffer, area, theme);
    let (width, height) = (pen.width(), pen.height());
    if width < LEAST.0 || height < LEAST.1 {
        pen.wrap(0, 0, Role::Plain, &format!("iova top needs {} x {}", LEAST.0, LEAST.1));
        return state.scroll;
    }
    head::draw(state, &mut pen.part(0, 0, width, HEAD));
    foot::draw(state, &mut pen.part(0, height - 1, width, 1));
    let body = &mut pen.part(0, HEAD, width, height - HEAD - 1);
    if state.help {
        help::draw(state, body);
        return state.scroll;
    }
    match &state.screen {
        Screen::Device(bdf) => return device::draw(state, bdf, body),
        Screen::Overview => overview::draw(state, body),
        Screen::Findings => findings::draw(state, body),
    }
    state.scroll
}

#[cfg(test)]
mod tests;
