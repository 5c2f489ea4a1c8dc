//! The configuration file of `iova top`: where it is, and how it is read and written.

mod parse;

use super::habits::Habits;
use crate::exit::Stop;
use iova_core::probe::Profile;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Nobody writes that many settings by hand.
const LIMIT: u64 = 64 << 10;
/// Inside the user's directory of configuration files.
const PLACE: &str = "iova/top.toml";

/// What the file says, and what is usual where it says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    pub(crate) interval: Duration,
    pub(crate) profile: Profile,
    pub(crate) ascii: bool,
    pub(crate) read_only: bool,
    pub(crate) habits: Habits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(1),
            profile: Profile::Default,
            ascii: false,
            read_only: false,
            habits: Habits::default(),
        }
    }
}

/// Reads the file that was named, or the usual one if it is there.
pub(crate) fn read(named: Option<&Path>) -> Result<Config, Stop> {
    let Some(path) = named.map(Path::to_owned).or_else(usual) else { return Ok(Config::default()) };
    match text(&path) {
        Ok(text) => parse::parse(&text).map_err(|fault| Stop::unusable(fault.of(&path))),
        Err(error) if named.is_none() && is_missing(&error) => Ok(Config::default()),
        Err(error) => Err(Stop::unusable(format!(
            "{} can't be used as configuration file ({error}): iova top --write-config writes one",
            path.display()
        ))),
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// `$XDG_CONFIG_HOME`, else `~/.config`; a relative path does not count (XDG Base Directory Specification).
fn usual() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let directory = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")));
    directory.map(|directory| directory.join(PLACE))
}

fn text(path: &Path) -> io::Result<String> {
    // Without O_NONBLOCK, a pipe without a writer would keep us waiting before we know what it is.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut text = String::new();
    let length = file.take(LIMIT + 1).read_to_string(&mut text)?;
    if length as u64 > LIMIT {
        return Err(io::Error::other("it is larger than 64 KiB"));
    }
    Ok(text)
}

/// Writes a file that says what is usual, and says where.
pub(crate) fn write(named: Option<&Path>) -> Result<PathBuf, Stop> {
    let path = named.map(Path::to_owned).or_else(usual).ok_or_else(|| {
        Stop::unusable("neither XDG_CONFIG_HOME nor HOME says where to write: name a file with --config FILE")
    })?;
    let failed = |error: io::Error| Stop::unusable(format!("{} can't be written: {error}", path.display()));
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(failed)?;
    }
    match create(&path) {
        Ok(()) => Ok(path),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(Stop::unusable(format!(
            "{} is there already and stays as it is: move it away first, or name another with --config FILE",
            path.display()
        ))),
        Err(error) => Err(failed(error)),
    }
}

fn create(path: &Path) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    // Half a file would be in the way of the next attempt.
    file.write_all(parse::usual().as_bytes()).inspect_err(|_| _ = fs::remove_file(path))
}

#[cfg(test)]
mod tests;
