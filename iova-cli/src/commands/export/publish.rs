//! The reader's end of the pipe: an edition after each reading, in a thread of its own. Measuring waits for nobody.

use super::board::Board;
use super::frame::{self, Kind};
use std::io::{self, Write};

/// Requests for a collector, as part of every so many editions.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "otlp"), expect(dead_code, reason = "there is no collector"))]
pub(super) struct Pushes {
    #[cfg(feature = "otlp")]
    pub(super) host: String,
}

/// Hands over what `board` has, until it is closed or nobody takes it.
pub(super) fn publish(board: &Board, pipe: &mut impl Write, pushes: Option<&Pushes>) -> io::Result<()> {
    let (mut seen, mut pushed) = (None, None);
    while let Some(number) = board.next(seen) {
        seen = Some(number);
        let mut edition = board.render();
        if let Some(pushes) = pushes
            && pushed.is_none_or(|last| number >= last + pushes.readings(board))
        {
            edition.push = Some(pushes.render(board));
            pushed = Some(number);
        }
        edition.send(pipe)?;
    }
    frame::write(pipe, Kind::End, &[])
}

#[cfg(feature = "otlp")]
impl Pushes {
    /// Readings from one push to the next.
    fn readings(&self, board: &Board) -> u64 {
        let interval = board.interval();
        (super::otlp::period(interval).as_secs_f64() / interval.as_secs_f64()).round() as u64
    }

    fn render(&self, board: &Board) -> Vec<u8> {
        board.otlp(&self.host).to_string().into_bytes()
    }
}

#[cfg(not(feature = "otlp"))]
impl Pushes {
    fn readings(&self, _: &Board) -> u64 {
        u64::MAX
    }

    fn render(&self, _: &Board) -> Vec<u8> {
        Vec::new()
    }
}
