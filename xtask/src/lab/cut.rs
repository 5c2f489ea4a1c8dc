//! When a guest's power is cut: QEMU is killed, without a word to the guest.
//!
//! Disks are files behind the host's page cache (QEMU's default, cache=writeback). What a guest's disk has taken is in
//! that cache, and stays when QEMU is gone: all that was flushed is kept, and of what was not, whatever had left the
//! guest. What the guest's own page cache held is lost, as on a real machine. That a real disk's cache may lose more is
//! [`super::Forgetful`]'s part.

use std::time::{Duration, Instant};

use super::spec::GuestResult;
use super::spent::Spent;

/// The moment of a cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// When the guest's command has printed one of these,
    pub(crate) marks: Vec<String>,
    /// and so much time has passed since.
    pub(crate) after: Duration,
}

/// What is known of a guest that was cut.
#[derive(Debug)]
pub(crate) struct Severed {
    /// What its command had printed.
    pub(crate) stdout: Vec<u8>,
    /// What it took until the cut.
    pub(crate) spent: Spent,
}

/// What became of a guest that was to be cut.
#[derive(Debug)]
pub(crate) enum Fate {
    /// It was.
    Cut(Severed),
    /// It ended by itself before.
    Ended(GuestResult),
}

/// A cut that waits for its moment.
pub(super) struct Fuse<'a> {
    cut: &'a Cut,
    at: Option<Instant>,
}

impl Cut {
    pub(super) fn fuse(&self) -> Fuse<'_> {
        Fuse { cut: self, at: None }
    }
}

impl Fuse<'_> {
    /// Looks for a mark in what was printed so far.
    pub(super) fn see(&mut self, printed: &[u8]) {
        let has = |mark: &String| printed.windows(mark.len()).any(|window| window == mark.as_bytes());
        if self.at.is_none() && self.cut.marks.iter().any(has) {
            self.at = Some(Instant::now() + self.cut.after);
        }
    }

    /// Time until the cut, once it is lit.
    pub(super) fn left(&self, now: Instant) -> Option<Duration> {
        self.at.map(|at| at.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_mark_lights_it_once() {
        let cut = Cut { marks: vec!["b".into(), "end".into()], after: Duration::from_secs(9) };
        let mut fuse = cut.fuse();
        fuse.see(b"a");
        assert_eq!(fuse.left(Instant::now()), None);
        fuse.see(b"ab");
        let lit = fuse.at;
        fuse.see(b"ab end");
        assert!(lit.is_some() && fuse.at == lit, "a later mark does not put it off");
        assert_eq!(fuse.left(Instant::now() + Duration::from_secs(10)), Some(Duration::ZERO));
    }
}
