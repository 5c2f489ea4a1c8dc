//! One file per device.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::PersistError;
use crate::policy::history::Identity;
use crate::policy::state_dir::{self, StateDir, StateError};
use crate::policy::{Bdf, Policy};

const DIR: &str = "policies";
const HEAD: &str = "# Written by `iova policy persist`, applied at boot; `iova policy forget` removes it.\n";
/// No file of ours is longer.
const MAX_BYTES: u64 = 4096;

/// A policy that is applied at boot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saved {
    /// Where the device is.
    pub device: Bdf,
    /// What it is: another device in its place does not get the policy.
    pub identity: Identity,
    /// The policy.
    pub policy: Policy,
    /// When it was confirmed, seconds since 1970.
    pub confirmed_s: u64,
    /// Boots in which it was applied and that have not come up (yet).
    pub tried: u32,
    /// `boot_id` of the last of them.
    #[serde(default)]
    pub tried_boot: String,
}

impl Saved {
    /// On disk when this returns, or the former file is untouched.
    pub(super) fn write(&self, dir: &StateDir) -> Result<(), PersistError> {
        dir.prepare(Some(DIR))?;
        let path = path(dir, self.device);
        let damaged =
            |error: toml::ser::Error| PersistError::Damaged { path: path.clone(), why: error.to_string() };
        let text = format!("{HEAD}{}", toml::to_string(self).map_err(damaged)?);
        Ok(state_dir::replace(&path, text.as_bytes())?)
    }

    fn read(path: PathBuf) -> Result<Option<Self>, PersistError> {
        use std::io::Read as _;
        let Some(file) = state_dir::open_read(&path)? else { return Ok(None) };
        let mut text = String::new();
        let read = file.take(MAX_BYTES).read_to_string(&mut text);
        let damaged = |why: String| PersistError::Damaged { path: path.clone(), why };
        match read {
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => Err(damaged(error.to_string())),
            Err(error) => Err(StateError::new(&path, error).into()),
            Ok(_) => {
                let saved: Self =
                    toml::from_str(&text).map_err(|error| damaged(error.message().to_owned()))?;
                let named = path.file_stem().is_some_and(|stem| stem == saved.device.to_string().as_str());
                if named { Ok(Some(saved)) } else { Err(damaged("it names another device".to_owned())) }
            }
        }
    }
}

fn path(dir: &StateDir, device: Bdf) -> PathBuf {
    dir.file(DIR).join(format!("{device}.toml"))
}

/// Every file, by device; what can't be read is an error of its own. Empty if nothing was ever persisted.
pub fn list(dir: &StateDir) -> Vec<Result<Saved, PersistError>> {
    let Ok(entries) = std::fs::read_dir(dir.file(DIR)) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    paths.into_iter().filter_map(|path| Saved::read(path).transpose()).collect()
}

/// No policy at boot for `device` any more; false if there was none. Removes a damaged file too.
///
/// # Errors
/// If the file can't be removed.
pub fn forget(dir: &StateDir, device: Bdf) -> Result<bool, StateError> {
    state_dir::remove(&path(dir, device))
}
