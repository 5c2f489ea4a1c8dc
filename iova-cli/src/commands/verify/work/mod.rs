//! What the device does at each width.

mod block;
mod buffer;
mod scratch;

use crate::exit::Stop;
use crate::session::Child;
use block::Reference;
use iova_core::kernel::Root;
use iova_core::policy::verify::disk::{self, Partition};
use iova_core::policy::verify::{Facts, Work};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Streams at once: some devices fail only in parallel.
const STREAMS: usize = 8;
/// How long a disk may take to appear after its driver was bound.
const APPEARS: Duration = Duration::from_secs(60);

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    Command(Vec<String>),
    Read,
    Scratch(Partition),
}

/// The work of one verification, with what it remembers from step to step.
pub(super) struct Workload {
    plan: Plan,
    root: Root,
    bdf: String,
    reference: Arc<Reference>,
    /// How many disks the device has.
    disks: usize,
}

/// Work under way.
pub(super) enum Job {
    Command {
        argv: Vec<String>,
        child: Child,
        runs: u32,
        began: Instant,
        until: Instant,
        over: bool,
    },
    Streams {
        threads: Vec<JoinHandle<Result<(), String>>>,
        shared: Arc<Shared>,
        failure: Option<String>,
        began: Instant,
    },
}

/// What the streams and their watcher have in common.
#[derive(Debug)]
pub(super) struct Shared {
    stop: AtomicBool,
    until: Instant,
    bytes: AtomicU64,
    passes: AtomicU64,
}

impl Shared {
    /// Whether another pass is due; the first always is.
    fn goes_on(&self) -> bool {
        !self.stop.load(Relaxed) && Instant::now() < self.until
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Relaxed)
    }

    fn moved(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    fn passed(&self) {
        self.passes.fetch_add(1, Relaxed);
    }
}

impl Plan {
    /// What the user asked for, or what suits the device.
    pub(super) fn choose(
        root: &Root,
        facts: &Facts,
        command: &[String],
        scratch: Option<&str>,
    ) -> Result<Self, Stop> {
        if !command.is_empty() {
            return Ok(Self::Command(command.to_vec()));
        }
        if let Some(name) = scratch {
            return scratch_of(root, facts, name).map(Self::Scratch);
        }
        if facts.disks.is_empty() {
            return Err(Stop::unusable(format!(
                "{} is no disk, so it has to be told what to do: give a command after --, whose exit code says whether \
                 all data came through (for a network card: traffic with a peer)",
                facts.bdf
            )));
        }
        Ok(Self::Read)
    }

    /// From a journal.
    pub(super) fn again(command: &[String], scratch: Option<&Partition>) -> Self {
        match (command, scratch) {
            ([], None) => Self::Read,
            ([], Some(partition)) => Self::Scratch(partition.clone()),
            (command, _) => Self::Command(command.to_vec()),
        }
    }

    /// What may be written to.
    pub(super) fn scratch(&self) -> Option<&Partition> {
        match self {
            Self::Scratch(partition) => Some(partition),
            Self::Command(_) | Self::Read => None,
        }
    }

    /// For people.
    pub(super) fn sentence(&self) -> String {
        match self {
            Self::Command(command) => format!("the command `{}`", command.join(" ")),
            Self::Read => {
                "reading its disks past the cache and through it, in 8 streams each, read-only".to_owned()
            }
            Self::Scratch(partition) => format!(
                "writing stamped blocks to partition {} and reading them back, in 8 streams",
                partition.number
            ),
        }
    }
}

fn scratch_of(root: &Root, facts: &Facts, name: &str) -> Result<Partition, Stop> {
    let resolved =
        std::fs::canonicalize(root.path(name.trim_start_matches('/'))).unwrap_or_else(|_| name.into());
    let short = resolved.file_name().and_then(|name| name.to_str()).unwrap_or(name);
    disk::partition(root, &facts.bdf, short).ok_or_else(|| {
        Stop::unusable(format!(
            "--scratch {name}: that is no partition of a disk on {}; make one that holds nothing, and name it (a whole \
             disk is never overwritten)",
            facts.bdf
        ))
    })
}

impl Workload {
    pub(super) fn new(plan: Plan, root: &Root, bdf: &str, disks: usize) -> Self {
        Self { plan, root: root.clone(), bdf: bdf.to_owned(), reference: Arc::default(), disks }
    }

    /// For people.
    pub(super) fn sentence(&self) -> String {
        self.plan.sentence()
    }

    /// Begins; the driver has just been bound. `seed` makes the stamps of this step.
    pub(super) fn start(&self, length: Duration, seed: u64) -> Result<Job, String> {
        let until = Instant::now() + length;
        match &self.plan {
            Plan::Command(argv) => {
                let child = Child::spawn(argv).map_err(|stop| stop.message)?;
                Ok(Job::Command {
                    argv: argv.clone(),
                    child,
                    runs: 0,
                    began: Instant::now(),
                    until,
                    over: false,
                })
            }
            Plan::Read => {
                let all =
                    || Some(disk::disks(&self.root, &self.bdf)).filter(|disks| disks.len() >= self.disks);
                let disks = self.wait_for("its disks", all)?;
                // Of several, names may have changed places: then each is only compared with itself.
                let reference = Some(&self.reference).filter(|_| disks.len() == 1);
                Ok(self.streams(until, |shared| {
                    disks
                        .iter()
                        .flat_map(|disk| block::streams(&self.root, disk, reference, shared))
                        .collect()
                }))
            }
            Plan::Scratch(partition) => {
                let what = format!(
                    "partition {}, {} sectors from {} on, of the disk that was named,",
                    partition.number, partition.sectors, partition.start
                );
                let name = self.wait_for(&what, || disk::find(&self.root, &self.bdf, partition))?;
                if !disk::users(&self.root, &self.bdf).is_empty() {
                    return Err(format!("somebody has begun to use the disk of {name}"));
                }
                Ok(self.streams(until, |shared| {
                    scratch::streams(&self.root, &name, partition.sectors, seed, shared)
                }))
            }
        }
    }

    fn streams(
        &self,
        until: Instant,
        spawn: impl FnOnce(&Arc<Shared>) -> Vec<JoinHandle<Result<(), String>>>,
    ) -> Job {
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            until,
            bytes: AtomicU64::new(0),
            passes: AtomicU64::new(0),
        });
        Job::Streams { threads: spawn(&shared), shared, failure: None, began: Instant::now() }
    }

    fn wait_for<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> Result<T, String> {
        let start = Instant::now();
        loop {
            if let Some(found) = look() {
                return Ok(found);
            }
            if start.elapsed() > APPEARS {
                return Err(format!("{what} did not appear within a minute after its driver was bound"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Job {
    /// True once all is done, or has failed.
    pub(super) fn ended(&mut self) -> bool {
        match self {
            Self::Command { argv, child, runs, until, over, .. } => {
                if *over || !child.ended() {
                    return *over;
                }
                *runs += 1;
                *over = !child.succeeded() || Instant::now() >= *until;
                if !*over {
                    match Child::spawn(argv) {
                        Ok(next) => *child = next,
                        Err(_) => *over = true,
                    }
                }
                *over
            }
            Self::Streams { threads, shared, failure, .. } => {
                for thread in threads.extract_if(.., |thread| thread.is_finished()) {
                    let result = thread.join().unwrap_or_else(|_| Err("a stream panicked".to_owned()));
                    if let Err(why) = result {
                        shared.stop.store(true, Relaxed);
                        failure.get_or_insert(why);
                    }
                }
                threads.is_empty()
            }
        }
    }

    /// Ends it soon: `hard` does not ask.
    pub(super) fn stop(&mut self, hard: bool) {
        match self {
            Self::Command { child, until, .. } => {
                *until = Instant::now();
                child.signal(if hard { libc::SIGKILL } else { libc::SIGTERM });
            }
            Self::Streams { shared, .. } => shared.stop.store(true, Relaxed),
        }
    }

    /// What it came to. `cut`: it was stopped before its end, which is no failure of its own.
    pub(super) fn result(self, cut: bool) -> Work {
        match self {
            Self::Command { child, runs, began, .. } => {
                let failed = !cut && !child.succeeded();
                let command = child.into_command();
                let how = match (command.exit_code, command.signal) {
                    (Some(code), _) => format!("exit code {code}"),
                    (None, Some(signal)) => format!("signal {signal}"),
                    (None, None) => "no status".to_owned(),
                };
                Work {
                    runs,
                    bytes: 0,
                    ms: ms(began),
                    failure: failed.then(|| format!("the command failed ({how})")),
                }
            }
            Self::Streams { shared, failure, began, .. } => Work {
                ms: ms(began),
                runs: u32::try_from(shared.passes.load(Relaxed)).unwrap_or(u32::MAX),
                bytes: shared.bytes.load(Relaxed),
                failure,
            },
        }
    }
}

fn ms(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
