//! Writing a recording anew, with other content.

use crate::exit::Stop;
use crate::session::create;
use iova_core::record::{Ending, Head, Moment, Options, RecordError, Writer};
use iova_core::sample::Calls;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Blocks end where they ended in the original: no detail gets lost that is there.
const OPTIONS: Options = Options { block: 64, key_every: Duration::from_secs(1200) };

pub(super) struct Copy {
    path: PathBuf,
    writer: Writer<BufWriter<File>>,
}

impl Copy {
    pub(super) fn begin(path: &Path, head: &Head) -> Result<Self, Stop> {
        let file = BufWriter::new(create(path)?);
        let writer = Writer::new(file, head, OPTIONS).map_err(|error| failed(path, &error))?;
        Ok(Self { path: path.to_owned(), writer })
    }

    pub(super) fn moment(&mut self, moment: &Moment) -> Result<(), Stop> {
        let look = moment.look.as_ref().map_or(Ok(()), |look| self.writer.look(look));
        look.and_then(|()| self.writer.sample(&moment.sample))
            .and_then(|()| if moment.exact { self.writer.flush() } else { Ok(()) })
            .map_err(|error| failed(&self.path, &error))
    }

    pub(super) fn calls(&mut self, calls: &Calls) -> Result<(), Stop> {
        self.writer.calls(calls).map_err(|error| failed(&self.path, &error))
    }

    pub(super) fn end(self, ending: &Ending) -> Result<(), Stop> {
        let Self { path, writer } = self;
        let ended = writer.finish(ending).and_then(|mut file| Ok(file.flush()?));
        ended.map_err(|error| failed(&path, &error))
    }
}

fn failed(path: &Path, error: &RecordError) -> Stop {
    Stop::unusable(format!("{}: {error}", path.display()))
}
