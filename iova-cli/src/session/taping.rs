//! Whatever a source says, on tape.

use super::{Source, readable};
use crate::exit::Stop;
use iova_core::inventory::Inventory;
use iova_core::model::{Command, SacControl, Unknown};
use iova_core::probe::Profile;
use iova_core::record::{Ending, Head, Look, Options, RecordError, Ring, Writer};
use iova_core::sample::{Calls, Sample};
use iova_core::snapshot::Snapshot;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where it goes.
enum Tape {
    /// Not begun.
    Blank,
    File(Writer<BufWriter<File>>),
    Ring(Box<Ring>),
}

/// What to do with the tape.
#[derive(Clone, Debug)]
pub(crate) struct Taped {
    pub(crate) path: PathBuf,
    /// Only the last so long, and bytes of memory for it at most.
    pub(crate) ring: Option<(Duration, usize)>,
    pub(crate) interval: Duration,
    pub(crate) options: Options,
}

/// A source, and the tape of what it says.
pub(crate) struct Taping<'a> {
    source: &'a mut dyn Source,
    plan: Taped,
    tape: Tape,
    file: Option<File>,
    profile: Profile,
    inventory: Inventory,
    snapshot: Option<Snapshot>,
    /// Samples taken.
    pub(crate) samples: u64,
    /// Single calls taken, and lost; `None` if nobody wants any.
    pub(crate) calls: Option<(u64, u64)>,
}

impl<'a> Taping<'a> {
    /// Makes the file at once, so that a wrong path is told before anything is measured.
    pub(crate) fn new(source: &'a mut dyn Source, plan: Taped) -> Result<Self, Stop> {
        let file = if plan.ring.is_none() { Some(create(&plan.path)?) } else { None };
        let (profile, inventory) = (Profile::Default, Inventory::default());
        Ok(Self {
            source,
            plan,
            tape: Tape::Blank,
            file,
            profile,
            inventory,
            snapshot: None,
            samples: 0,
            calls: None,
        })
    }

    /// Takes an inventory that was made already.
    pub(crate) fn know(&mut self, inventory: &Inventory) {
        self.inventory.clone_from(inventory);
    }

    /// Bytes that are written.
    pub(crate) fn bytes(&self) -> u64 {
        match &self.tape {
            Tape::Blank => 0,
            Tape::File(writer) => writer.bytes(),
            Tape::Ring(ring) => ring.bytes() as u64,
        }
    }

    /// Writes what is in the ring to a file of its own.
    pub(crate) fn dump(&mut self, path: &Path, why: &str) -> Result<(), Stop> {
        let ending = Ending { why: Some(why.to_owned()), ..self.ending() };
        let Tape::Ring(ring) = &mut self.tape else { return Ok(()) };
        let file = BufWriter::new(create(path)?);
        let written = ring.write(file, &ending).map_err(|error| failed(path, &error))?;
        let file = written.into_inner().map_err(|error| failed(path, &error.into_error().into()))?;
        file.sync_all().map_err(|error| failed(path, &error.into()))
    }

    /// Ends the tape.
    pub(crate) fn finish(
        &mut self,
        interrupted: bool,
        command: Option<Command>,
        why: Option<String>,
    ) -> Result<(), Stop> {
        let ending = Ending { interrupted, command, why, ..self.ending() };
        let failed = |error: RecordError| failed(&self.plan.path, &error);
        if let Tape::File(writer) = std::mem::replace(&mut self.tape, Tape::Blank) {
            writer.finish(&ending).and_then(|mut file| Ok(file.flush()?)).map_err(failed)?;
        }
        Ok(())
    }

    fn ending(&self) -> Ending {
        let look = Look { inventory: Some(self.inventory.clone()), snapshot: self.snapshot.clone() };
        Ending { look, unknown: self.source.unmeasured(), ..Ending::default() }
    }

    /// Takes the single calls since the last sample; at the first one, all before it is no part of the tape.
    fn tape_calls(&mut self) -> Result<(), Stop> {
        let Some(calls) = self.source.calls()? else { return Ok(()) };
        let calls = match &mut self.calls {
            Some((kept, lost)) => {
                *kept += calls.list.len() as u64;
                *lost += calls.lost;
                calls
            }
            none => {
                *none = Some((0, 0));
                Calls { sampling: calls.sampling, ..Calls::default() }
            }
        };
        let result = match &mut self.tape {
            Tape::Blank => Ok(()),
            Tape::File(writer) => writer.calls(&calls),
            Tape::Ring(ring) => ring.calls(&calls),
        };
        result.map_err(|error| failed(&self.plan.path, &error))
    }

    fn begin(&mut self) -> Result<(), Stop> {
        let (inventory, snapshot) = (self.inventory.clone(), self.snapshot.clone());
        let head = head(self.source, self.plan.interval, self.profile, inventory, snapshot);
        self.tape = match (self.plan.ring, self.file.take()) {
            (Some((length, bytes)), _) => {
                Tape::Ring(Box::new(Ring::new(length, bytes, head, self.plan.options)))
            }
            (None, Some(file)) => {
                let writer = Writer::new(BufWriter::new(file), &head, self.plan.options);
                Tape::File(writer.map_err(|error| failed(&self.plan.path, &error))?)
            }
            (None, None) => Tape::Blank,
        };
        Ok(())
    }
}

impl Source for Taping<'_> {
    fn inventory(&mut self) -> Inventory {
        self.inventory = self.source.inventory();
        self.inventory.clone()
    }

    fn select(&self, inventory: &Inventory, words: &[String]) -> Result<Vec<String>, Stop> {
        self.source.select(inventory, words)
    }

    fn sac_control(&self, inventory: &Inventory) -> SacControl {
        self.source.sac_control(inventory)
    }

    fn attach(&mut self, profile: Profile, inventory: &Inventory) -> Result<(), Stop> {
        self.profile = profile;
        self.source.attach(profile, inventory)
    }

    fn snapshot(&mut self) -> Snapshot {
        let snapshot = self.source.snapshot();
        self.snapshot = Some(snapshot.clone());
        snapshot
    }

    fn sample(&mut self) -> Result<Sample, Stop> {
        let sample = self.source.sample()?;
        if matches!(self.tape, Tape::Blank) {
            self.begin()?;
        }
        self.samples += 1;
        let result = match &mut self.tape {
            Tape::Blank => Ok(()),
            Tape::File(writer) => writer.sample(&sample),
            Tape::Ring(ring) => ring.sample(&sample),
        };
        result.map_err(|error| failed(&self.plan.path, &error))?;
        self.tape_calls()?;
        Ok(sample)
    }

    fn calls(&mut self) -> Result<Option<Calls>, Stop> {
        // They are on the tape already.
        Ok(None)
    }

    fn look(&mut self) -> Result<(Inventory, Snapshot), Stop> {
        let (inventory, snapshot) = self.source.look()?;
        let news = (inventory != self.inventory).then(|| inventory.clone());
        self.inventory.clone_from(&inventory);
        self.snapshot = Some(snapshot.clone());
        let look = Look { inventory: news, snapshot: readable(snapshot.clone()) };
        let result = match &mut self.tape {
            Tape::Blank => Ok(()),
            Tape::File(writer) => writer.look(&look),
            Tape::Ring(ring) => ring.look(look),
        };
        result.map_err(|error| failed(&self.plan.path, &error))?;
        Ok((inventory, snapshot))
    }

    fn unmeasured(&self) -> Vec<Unknown> {
        self.source.unmeasured()
    }
}

/// What a recording of `source` begins with.
pub(crate) fn head(
    source: &dyn Source,
    interval: Duration,
    profile: Profile,
    inventory: Inventory,
    snapshot: Option<Snapshot>,
) -> Head {
    Head {
        written_by: env!("CARGO_PKG_VERSION").to_owned(),
        started_unix_s: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs()),
        interval_ms: interval.as_millis() as u64,
        profile: profile.to_string(),
        sac_control: source.sac_control(&inventory),
        unknown: source.unmeasured(),
        inventory,
        snapshot,
    }
}

/// Nobody else's file, and for nobody else: it has the names of devices, and addresses.
pub(crate) fn create(path: &Path) -> Result<File, Stop> {
    let options = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    options.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Stop::unusable(format!("{} is there already: name another file, or remove it", path.display()))
        }
        _ => Stop::unusable(format!("{} can't be written: {error}", path.display())),
    })
}

fn failed(path: &Path, error: &RecordError) -> Stop {
    Stop::unusable(format!("{}: {error}", path.display()))
}
