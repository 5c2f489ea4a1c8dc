//! What is to be done and what came of it: `boot-trial/plan.json` in the state directory.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Answer, parameter};
use crate::kernel::Root;
use crate::policy::history::{Identity, boot_id};
use crate::policy::state_dir::{self, StateDir, StateError};
use crate::policy::{Bdf, Evidence};

const PLACE: &str = "boot-trial";
const FILE: &str = "plan.json";
/// No plan of ours is longer: 500 devices and 20 rounds are 200 KiB.
const MAX_BYTES: u64 = 4 << 20;

/// A device that is tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspect {
    /// Where it is.
    pub bdf: Bdf,
    /// What it is.
    pub identity: Identity,
    /// Its driver.
    pub driver: String,
    /// The full range: bits that its driver and the IOMMU can do.
    pub width: u8,
}

/// A device that is not tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Where it is.
    pub bdf: String,
    /// One sentence.
    pub why: String,
}

/// How a device is known to have cared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// By an address that the IOMMU refused, which is a live one with other high bits.
    Fault,
    /// It was the only one with the full range, and the boot failed.
    Alone,
    /// With it the boot failed, without it it did not.
    Elimination,
}

/// A device that cared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Culprit {
    /// Where it is.
    pub bdf: Bdf,
    /// The fault, and its relation to what was mapped.
    pub evidence: Option<Evidence>,
    /// Truncated: at least so many bits came through.
    pub at_least: Option<u8>,
}

/// What a boot came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
pub enum RoundOutcome {
    /// Nothing was amiss.
    Quiet,
    /// Faults name these.
    Named {
        /// The devices.
        devices: Vec<Culprit>,
    },
    /// Something went wrong, and what is to blame is not shown by that.
    Failed {
        /// One sentence.
        why: String,
        /// Devices with faults that relate to nothing that was mapped: tried first.
        odd: Vec<Bdf>,
    },
    /// The machine did not come up, or went down before it was looked at.
    Lost,
}

/// One boot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// From 1.
    pub number: u32,
    /// The devices with the full range.
    pub chosen: Vec<Bdf>,
    /// Of them, those that did not get it after all, and why.
    #[serde(default)]
    pub missed: Vec<LeftOut>,
    /// What is said about it besides.
    #[serde(default)]
    pub remarks: Vec<String>,
    /// `boot_id` of the boot that prepared it.
    pub prepared_in: String,
    /// `boot_id` of the boot itself, once it has come up.
    pub boot: Option<String>,
    /// Seconds since 1970.
    pub prepared_s: u64,
    /// `None`: it is under way.
    pub outcome: Option<RoundOutcome>,
}

/// A trial of several boots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// 1.
    pub schema_version: u32,
    /// Tells it from others on the command line.
    pub id: String,
    /// `uname -r`.
    pub kernel: String,
    /// The kernel that is booted.
    pub image: PathBuf,
    /// Its initramfs.
    pub initrd: PathBuf,
    /// More for the command line, if all are tried at once: devices that no module can reach.
    pub more: Option<String>,
    /// The devices.
    pub suspects: Vec<Suspect>,
    /// All others.
    pub left_out: Vec<LeftOut>,
    /// Halves are tried too.
    pub bisect: bool,
    /// Boots follow each other without anybody.
    pub reboot: bool,
    /// How long each boot is looked at, ms.
    pub watch_ms: u64,
    /// What is run in each.
    pub command: Vec<String>,
    /// The boots so far.
    pub rounds: Vec<Round>,
    /// `None`: not yet.
    pub answer: Option<Answer>,
}

/// Where a plan stands, seen from the boot that is running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// No boot is under way.
    Between,
    /// One was prepared here, and has not begun.
    Ahead,
    /// This is it.
    Here,
    /// It is over, and nobody has looked at it.
    Missed,
}

impl Plan {
    /// Where it stands.
    pub fn place(&self, root: &Root) -> Place {
        let Some(round) = self.rounds.last().filter(|round| round.outcome.is_none()) else {
            return Place::Between;
        };
        let line = root.text("proc/cmdline").unwrap_or_default();
        let now = boot_id(root);
        let mine = parameter::read(&line) == Some((self.id.as_str(), round.number));
        match &round.boot {
            Some(boot) if *boot == now => Place::Here,
            Some(_) => Place::Missed,
            None if mine => Place::Here,
            None if round.prepared_in == now => Place::Ahead,
            None => Place::Missed,
        }
    }

    /// Adds a boot that tries `chosen`; gives the kernel's command line for it.
    pub fn add_round(&mut self, root: &Root, chosen: Vec<Bdf>) -> String {
        let number = u32::try_from(self.rounds.len()).unwrap_or(u32::MAX).saturating_add(1);
        let all = chosen.len() == self.suspects.len();
        let devices = chosen.iter().filter_map(|bdf| Some((*bdf, self.suspect(*bdf)?.width)));
        let trial = parameter::write(&self.id, number, devices);
        let more = self.more.as_deref();
        let now = root.text("proc/cmdline").unwrap_or_default();
        // What an earlier boot of this trial had more is taken out again.
        let kept: Vec<&str> = now.split_ascii_whitespace().filter(|word| Some(*word) != more).collect();
        let line = parameter::command_line(&kept.join(" "), &trial, more.filter(|_| all).as_slice());
        self.rounds.push(Round {
            number,
            chosen,
            missed: Vec::new(),
            remarks: Vec::new(),
            prepared_in: boot_id(root),
            boot: None,
            prepared_s: seconds(),
            outcome: None,
        });
        line
    }

    /// This boot is the one under way; on disk before it is looked at, because it may not last.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn is_up(&mut self, dir: &StateDir, root: &Root) -> Result<(), StateError> {
        if let Some(round) = self.open_round() {
            round.boot = Some(boot_id(root));
        }
        self.save(dir).map(drop)
    }

    /// The boot that is prepared or under way.
    pub fn open_round(&mut self) -> Option<&mut Round> {
        self.rounds.last_mut().filter(|round| round.outcome.is_none())
    }

    /// The suspect at an address.
    pub fn suspect(&self, bdf: Bdf) -> Option<&Suspect> {
        self.suspects.iter().find(|suspect| suspect.bdf == bdf)
    }

    /// On disk when this returns.
    ///
    /// # Errors
    /// If it can't be written: then nothing must happen.
    pub fn save(&self, dir: &StateDir) -> Result<PathBuf, StateError> {
        let path = dir.prepare(Some(PLACE))?.join(FILE);
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| StateError::new(&path, std::io::Error::other(error)))?;
        state_dir::replace(&path, &text)?;
        Ok(path)
    }

    /// Puts it aside, under its name; the next one begins anew.
    ///
    /// # Errors
    /// If the file can't be renamed.
    pub fn put_aside(&self, dir: &StateDir) -> Result<PathBuf, StateError> {
        let path = self.save(dir)?;
        let aside = path.with_file_name(format!("{}.done.json", self.id));
        let failed = |error| StateError::new(&path, error);
        std::fs::rename(&path, &aside).map_err(failed)?;
        state_dir::sync_parent(&path).map_err(failed)?;
        Ok(aside)
    }
}

/// Keeps others from the plan until the file is dropped; `None`: somebody else has it.
///
/// # Errors
/// If the state directory is not to be used.
pub fn hold(dir: &StateDir) -> Result<Option<File>, StateError> {
    let file = state_dir::open_append(&dir.prepare(Some(PLACE))?.join("lock"))?;
    // SAFETY: an open descriptor.
    let held = unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0;
    Ok(held.then_some(file))
}

/// The plan that is under way, if there is one.
///
/// # Errors
/// If it can't be read, or is no plan.
pub fn load(dir: &StateDir) -> Result<Option<Plan>, StateError> {
    use std::io::Read as _;
    let path = dir.file(PLACE).join(FILE);
    let Some(file) = state_dir::open_read(&path)? else { return Ok(None) };
    let mut text = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut text).map_err(|error| StateError::new(&path, error))?;
    serde_json::from_slice(&text).map(Some).map_err(|error| damaged(&path, &error))
}

/// Since 1970.
fn seconds() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap_or_default().as_secs()
}

fn damaged(path: &Path, error: &serde_json::Error) -> StateError {
    StateError::new(path, std::io::Error::other(format!("no plan of a boot trial ({error}); remove it")))
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
