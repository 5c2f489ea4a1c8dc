//! What goes back to the host after the command: files.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use iova_guest::channel::{Channel, send};
use iova_guest::wire::Kind;

/// Sends a file, or every regular file below a directory, as `INDEX/NAME…`: the index tells the host which of its
/// requests is answered.
pub(crate) fn tree(channel: &Channel, index: usize, path: &Path) -> Result<()> {
    let name =
        path.file_name().with_context(|| format!("{} has no name to send it under", path.display()))?;
    walk(channel, path, &Path::new(&index.to_string()).join(name))
}

fn walk(channel: &Channel, path: &Path, name: &Path) -> Result<()> {
    let kind = fs::symlink_metadata(path)?;
    if kind.is_dir() {
        let mut entries = fs::read_dir(path)?.collect::<std::io::Result<Vec<_>>>()?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            walk(channel, &entry.path(), &name.join(entry.file_name()))?;
        }
        return Ok(());
    }
    // A FIFO or a device would block or never end; a link is followed only when it was asked for by name.
    let asked_for = name.components().count() == 2;
    if kind.is_file() || (asked_for && path.is_file()) {
        file(channel, path, name)?;
    }
    Ok(())
}

fn file(channel: &Channel, path: &Path, name: &Path) -> Result<()> {
    let mut source = File::open(path)?;
    send(channel, Kind::File, name.as_os_str().as_encoded_bytes())?;
    let mut buffer = vec![0; 64 << 10];
    loop {
        // To the end of the file, not to its size: files of proc and sysfs have none.
        let length = source.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        send(channel, Kind::Data, &buffer[..length])?;
    }
}
