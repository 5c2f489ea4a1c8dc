//! The addresses that the map of the space shows: all below 4 GiB, or a part of them.

use crate::render::low_map::LOW_END;
use std::ops::Range;

/// The closest look: at 80 columns a cell is a few pages.
const CLOSEST: u64 = 1 << 20;
/// A step to the side is this part of what is seen.
const STEPS: u64 = 4;

/// A power of two of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    from: u64,
    span: u64,
}

impl Default for Window {
    fn default() -> Self {
        Self { from: 0, span: LOW_END }
    }
}

impl Window {
    /// Addresses, the last one not included.
    pub(crate) fn range(self) -> Range<u64> {
        self.from..self.from + self.span
    }

    /// Half as much around the same middle, or twice as much.
    pub(crate) fn zoom(self, closer: bool) -> Self {
        let span = if closer { self.span / 2 } else { self.span * 2 }.clamp(CLOSEST, LOW_END);
        let middle = self.from + self.span / 2;
        Self { from: middle.saturating_sub(span / 2).min(LOW_END - span), span }
    }

    /// To higher addresses, or to lower ones.
    pub(crate) fn pan(self, up: bool) -> Self {
        let step = self.span / STEPS;
        let from = if up { self.from + step } else { self.from.saturating_sub(step) };
        Self { from: from.min(LOW_END - self.span), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_leaves_the_space() {
        let mut window = Window::default();
        let moves: [fn(Window) -> Window; 4] =
            [|it| it.zoom(true), |it| it.pan(true), |it| it.zoom(false), |it| it.pan(false)];
        for turn in 0..4000_usize {
            window = moves[(turn * turn / 7) % 4](window);
            let Range { start, end } = window.range();
            assert!(start < end && end <= LOW_END && end - start >= CLOSEST, "{window:?}");
        }
    }

    #[test]
    fn closer_and_back_is_the_whole_again() {
        let close = Window::default().zoom(true).pan(true);
        assert_eq!(close.range(), 0x6000_0000..0xe000_0000);
        assert_eq!(close.pan(true).pan(true).range(), 0x8000_0000..LOW_END);
        assert_eq!(close.zoom(false), Window::default());
        let closest = (0..40).fold(close, |window, _| window.zoom(true));
        assert_eq!(closest.range().end - closest.range().start, CLOSEST);
    }
}
