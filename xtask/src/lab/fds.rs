//! What QEMU gets from us as open descriptors instead of names.
//!
//! Nothing of a guest has a path: two guests can't collide, and whatever kills us leaves nothing behind.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result};

/// A file in memory with this content.
pub(crate) fn in_memory(name: &str, content: &[u8]) -> Result<File> {
    let name = CString::new(name)?;
    // SAFETY: the name is NUL-terminated and outlives the call.
    let descriptor = unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error()).context("cannot create a file in memory");
    }
    // SAFETY: the descriptor was just made and has no other owner.
    let mut file = unsafe { File::from_raw_fd(descriptor) };
    file.write_all(content).context("cannot keep the initramfs in memory; free some and try again")?;
    Ok(file)
}

/// A sparse file without a name, for a guest's disk.
pub(crate) fn disk(bytes: u64) -> Result<File> {
    let directory = std::env::temp_dir();
    let open = || -> io::Result<File> {
        let mut options = File::options();
        options.read(true).write(true);
        match options.custom_flags(libc::O_TMPFILE).open(&directory) {
            Ok(file) => Ok(file),
            // Not every file system can (NFS, old overlayfs): then the name lives for a moment.
            Err(_) => {
                let path = directory.join(format!("iova-lab-disk-{}", std::process::id()));
                let file = File::options().read(true).write(true).create_new(true).open(&path)?;
                fs::remove_file(&path)?;
                Ok(file)
            }
        }
    };
    let file = open().with_context(|| {
        format!("cannot create a guest's disk in {}; set TMPDIR to a writable directory", directory.display())
    })?;
    file.set_len(bytes).context("cannot size a guest's disk")?;
    Ok(file)
}

/// Lets the command inherit the descriptors, and ties its life to ours.
pub(crate) fn inherit(command: &mut Command, descriptors: Vec<RawFd>) {
    let parent = std::process::id();
    // SAFETY: between fork and exec only async-signal-safe calls are made, and the descriptors stay open because
    // their owners outlive the spawn.
    unsafe {
        command.pre_exec(move || {
            // Cleared here and not in the parent: another guest that starts at this moment must not get them.
            for descriptor in &descriptors {
                libc::fcntl(*descriptor, libc::F_SETFD, 0);
            }
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            if libc::getppid() as u32 != parent {
                return Err(io::Error::other("the parent ended before its guest began"));
            }
            Ok(())
        });
    }
}

/// The path under which a process opens one of its own descriptors anew.
pub(crate) fn own_path(file: &impl AsRawFd) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}
