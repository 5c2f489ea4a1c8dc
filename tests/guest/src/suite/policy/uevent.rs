//! The kernel's announcements of devices, as udev hears them.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::device::{Device, PATIENCE};

/// A socket that gets every uevent of the kernel from now on.
pub(super) struct Listener(OwnedFd);

impl Listener {
    pub(super) fn new() -> Result<Self> {
        let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
        // SAFETY: no pointers; the descriptor that it returns is ours alone.
        let socket = unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_KOBJECT_UEVENT) };
        if socket < 0 {
            return Err(io::Error::last_os_error()).context("a socket for uevents");
        }
        // SAFETY: just opened, and nobody else's.
        let socket = unsafe { OwnedFd::from_raw_fd(socket) };
        // SAFETY: zeroes are a valid address of this family.
        let mut address: libc::sockaddr_nl = unsafe { mem::zeroed() };
        address.nl_family = libc::AF_NETLINK as u16;
        address.nl_groups = 1;
        let length = size_of_val(&address) as u32;
        // SAFETY: the address outlives the call and is as long as said.
        let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
        if bound < 0 {
            return Err(io::Error::last_os_error()).context("listening to uevents");
        }
        let patience = libc::timeval { tv_sec: 1, tv_usec: 0 };
        let length = size_of_val(&patience) as u32;
        // SAFETY: the value outlives the call and is as long as said.
        unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_RCVTIMEO,
                (&raw const patience).cast(),
                length,
            )
        };
        Ok(Self(socket))
    }

    /// Makes its buffer as small as the kernel lets it be.
    pub(super) fn shrink(&self) -> Result<()> {
        let least: libc::c_int = 0;
        let length = size_of_val(&least) as u32;
        // SAFETY: the value outlives the call and is as long as said.
        let set = unsafe {
            libc::setsockopt(
                self.0.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_RCVBUF,
                (&raw const least).cast(),
                length,
            )
        };
        if set < 0 { Err(io::Error::last_os_error()).context("a small buffer for uevents") } else { Ok(()) }
    }

    /// Waits until a PCI device is announced; true if its policy files were there at once.
    pub(super) fn wait_for_add(&self, bdf: &'static str) -> Result<bool> {
        let wanted = format!("/{bdf}");
        self.wait(|head| head.starts_with("add@") && head.ends_with(&wanted))?;
        Ok(Device(bdf).has_group())
    }

    /// Waits for an announcement and returns its lines.
    pub(super) fn wait(&self, so: impl Fn(&str) -> bool) -> Result<Vec<String>> {
        let deadline = Instant::now() + PATIENCE.min(Duration::from_secs(20));
        let mut buffer = [0_u8; 8192];
        while Instant::now() < deadline {
            // SAFETY: the buffer is as long as said.
            let length =
                unsafe { libc::recv(self.0.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
            let Ok(length) = usize::try_from(length) else { continue };
            let text = String::from_utf8_lossy(&buffer[..length]);
            if so(text.split('\0').next().unwrap_or_default()) {
                return Ok(text.split('\0').map(str::to_owned).collect());
            }
        }
        bail!("the kernel did not announce it")
    }
}
