//! From the state to cells on a screen. Nothing here reads or changes anything else.

mod chooser;
mod device;
mod findings;
mod foot;
mod head;
mod heat;
mod help;
mod lines;
mod overview;
mod pen;
mod policy;
mod spark;
mod strip;

use super::layout;
use super::state::{Screen, State};
use super::theme::{Role, Theme};
use pen::Pen;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Less than this shows nothing of use.
const LEAST: (u16, u16) = (40, 12);

/// The whole screen; says how far down it can be scrolled, as far as it knows.
pub(crate) fn draw(state: &State, area: Rect, buffer: &mut Buffer, theme: Theme) -> usize {
    let mut pen = Pen::new(buffer, area, theme);
    let (width, height) = (pen.width(), pen.height());
    if width < LEAST.0 || height < LEAST.1 {
        pen.wrap(0, 0, Role::Plain, &format!("iova top needs {} x {}", LEAST.0, LEAST.1));
        return state.scroll;
    }
    head::draw(state, &mut pen.part(0, 0, width, layout::HEAD));
    foot::draw(state, &mut pen.part(0, height - layout::FOOT, width, layout::FOOT));
    let body = &mut pen.area(layout::body((width, height)));
    if state.help {
        return help::draw(state, body);
    }
    match &state.screen {
        Screen::Device(bdf) => return device::draw(state, bdf, body),
        Screen::Findings => return findings::draw(state, body),
        Screen::Policy => return policy::draw(state, body),
        Screen::Overview => overview::draw(state, body),
    }
    if let Some(chooser) = state.chooser {
        chooser::draw(state, chooser, body);
    }
    state.scroll
}

#[cfg(test)]
mod docs_tests;
#[cfg(test)]
mod policy_tests;
#[cfg(test)]
mod tests;
