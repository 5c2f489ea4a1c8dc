//! The last minutes, as a recording in memory: what is written from the screen with pictures over time is made of it.

use iova_core::model::Unknown;
use iova_core::record::{Ending, Head, Look, Options, RecordError, Ring};
use iova_core::sample::Sample;
use std::time::Duration;

/// As long as the screen can be scrolled back.
const LENGTH: Duration = Duration::from_secs(600);
/// Bytes for it; where ten minutes take more, they are fewer.
const MOST_BYTES: usize = 4 << 20;
/// Of more devices nothing is kept: samples that wait to be packed would take more memory than the screen.
const MOST_DEVICES: usize = 64;
/// Samples that wait at most.
const BLOCK: usize = 8;

/// A recording and how long it is; or why there is none.
pub(crate) type Recording = Result<(Vec<u8>, Duration), String>;

/// What is kept, or why nothing is.
pub(crate) struct Past(Result<Ring, RecordError>);

impl Past {
    pub(crate) fn begin(head: Head) -> Self {
        let devices = head.inventory.devices.len();
        if devices > MOST_DEVICES {
            return Self(Err(RecordError::TooLarge(format!(
                "the last minutes are kept of up to {MOST_DEVICES} devices, and here are {devices}; see iova record --ring"
            ))));
        }
        let options = Options { block: BLOCK, ..Options::default() };
        Self(Ok(Ring::new(LENGTH, MOST_BYTES, head, options)))
    }

    pub(crate) fn push(&mut self, sample: &Sample) {
        // Who watches goes on watching; who wants it written is told.
        if let Ok(ring) = &mut self.0
            && let Err(error) = ring.sample(sample)
        {
            self.0 = Err(error);
        }
    }

    pub(crate) fn know(&mut self, look: Look) {
        if let Ok(ring) = &mut self.0 {
            ring.know(look);
        }
    }

    fn recording(&mut self, unknown: Vec<Unknown>) -> Recording {
        let ring = self.0.as_mut().map_err(|error| error.to_string())?;
        let ending = Ending { unknown, ..Ending::default() };
        let bytes = ring.write(Vec::new(), &ending).map_err(|error| error.to_string())?;
        Ok((bytes, ring.span()))
    }
}

/// What is kept, as a recording.
pub(super) fn recording(past: &mut Option<Past>, unknown: Vec<Unknown>) -> Recording {
    past.as_mut().map_or_else(|| Err("nothing is kept here".to_owned()), |past| past.recording(unknown))
}
