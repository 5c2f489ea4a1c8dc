//! What goes back to the host after the command: files and the kernel's log.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use iova_guest::wire::Kind;

use crate::send;
use crate::uart::Channel;

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

/// Sends the kernel's log record by record, from the oldest that is still there.
pub(crate) fn kernel_log(channel: &Channel) -> Result<()> {
    let mut log = File::options().read(true).custom_flags(libc::O_NONBLOCK).open("/dev/kmsg")?;
    // The kernel refuses to cut a record, and none is longer than this.
    let mut record = [0; 16 << 10];
    loop {
        match log.read(&mut record) {
            Ok(0) => return Ok(()),
            Ok(length) => send(channel, Kind::Kmsg, &record[..length])?,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            // Records were overwritten while we read; the sequence numbers show the host how many.
            Err(error) if error.raw_os_error() == Some(libc::EPIPE) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
