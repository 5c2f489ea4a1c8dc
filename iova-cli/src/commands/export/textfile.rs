//! A file for the textfile collector of node_exporter: replaced as a whole, never half written.

use super::board::Board;
use crate::exit::Stop;
use crate::output;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// node_exporter reads as another user.
const MODE: u32 = 0o644;

/// The file; gone when this is dropped, unless it is to be kept.
#[derive(Debug)]
pub(super) struct Textfile {
    path: PathBuf,
    keep: bool,
    written: bool,
    /// The last attempt failed, and that was said.
    failed: bool,
}

impl Textfile {
    /// Finds out whether it can be written.
    pub(super) fn new(path: PathBuf, keep: bool) -> Result<Self, Stop> {
        if path.extension().is_none_or(|extension| extension != "prom") {
            return Err(Stop::unusable(format!(
                "--textfile {}: node_exporter reads only files called *.prom: choose such a name",
                path.display()
            )));
        }
        let attempt = draft(&path).and_then(|(_, draft)| fs::remove_file(draft));
        attempt.map_err(|error| cannot(&path, &error))?;
        Ok(Self { path, keep, written: false, failed: false })
    }

    /// Replaces it. A disk that is full at the moment is told once and tried again, but the first time has to succeed.
    pub(super) fn write(&mut self, board: &Board) -> Result<(), Stop> {
        match replace(&self.path, &board.text()) {
            Ok(()) => (self.written, self.failed) = (true, false),
            Err(error) if !self.written => return Err(cannot(&self.path, &error)),
            Err(error) if !self.failed => {
                self.failed = true;
                output::complain(&cannot(&self.path, &error).message);
            }
            Err(_) => {}
        }
        Ok(())
    }
}

impl Drop for Textfile {
    fn drop(&mut self) {
        // Figures that nobody renews would stay for ever.
        if self.written && !self.keep {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn cannot(path: &Path, error: &io::Error) -> Stop {
    Stop::unusable(format!(
        "--textfile {} can't be written ({error}): choose a directory that is there and writable",
        path.display()
    ))
}

/// An empty file beside the real one, whose name no collector reads.
fn draft(path: &Path) -> io::Result<(File, PathBuf)> {
    let draft = path.with_extension("prom.new");
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(MODE).custom_flags(libc::O_NOFOLLOW);
    let file = file.open(&draft)?;
    // Whatever the umask is.
    file.set_permissions(Permissions::from_mode(MODE))?;
    Ok((file, draft))
}

fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let (mut file, draft) = draft(path)?;
    let written = file.write_all(content).and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::super::testing::board;
    use super::*;

    #[test]
    fn the_file_is_whole_readable_and_gone_at_the_end() {
        let dir = std::env::temp_dir().join(format!("iova-textfile-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join("iova.prom");
        let board = board("healthy");
        for keep in [true, false] {
            let mut file = Textfile::new(path.clone(), keep).unwrap();
            assert!(!dir.join("iova.prom.new").exists());
            file.write(&board).unwrap();
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o644);
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains("\niova_alloc_total{device=") && text.ends_with('\n'));
            // The collector refuses samples with a time of their own.
            let sample = text.lines().find(|line| line.starts_with("iova_build_info")).unwrap();
            assert!(sample.ends_with("} 1"), "{sample}");
            assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "nothing is left beside it");
            drop(file);
            assert_eq!(path.exists(), keep);
        }
        fs::remove_dir_all(&dir).unwrap();
        let gone = Textfile::new(path, false).unwrap_err();
        assert!(gone.message.contains("choose a directory"), "{}", gone.message);
        let name = Textfile::new("/tmp/iova.txt".into(), false).unwrap_err();
        assert!(name.message.contains("*.prom"), "{}", name.message);
    }
}
