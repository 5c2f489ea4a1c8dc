//! Waiting for several descriptors at once.

use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::time::{Duration, Instant};

/// What a descriptor is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum For {
    /// Something can be read, or the other side has closed.
    Reading,
    /// A line can be written without waiting.
    Writing,
    /// Something urgent (POLLPRI) is there.
    Urgent,
}

/// Waits until one of `fds` is ready or `deadline` has come. One answer per descriptor: ready or not. A descriptor that
/// is broken counts as ready, so that whoever reads it finds out.
pub(crate) fn wait(fds: &[(BorrowedFd<'_>, For)], deadline: Instant) -> io::Result<Vec<bool>> {
    let entry = |&(fd, what): &(BorrowedFd<'_>, For)| libc::pollfd {
        fd: fd.as_raw_fd(),
        events: match what {
            For::Reading => libc::POLLIN,
            For::Writing => libc::POLLOUT,
            For::Urgent => libc::POLLPRI,
        },
        revents: 0,
    };
    let mut list: Vec<libc::pollfd> = fds.iter().map(entry).collect();
    loop {
        let left = millis(deadline.saturating_duration_since(Instant::now()));
        let count = libc::nfds_t::try_from(list.len()).unwrap_or(0);
        // SAFETY: `list` holds `count` entries.
        let result = unsafe { libc::poll(list.as_mut_ptr(), count, left) };
        if result >= 0 {
            return Ok(list.iter().map(|entry| entry.revents != 0).collect());
        }
        let error = io::Error::last_os_error();
        if error.kind() != ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Rounded up, so that nobody turns in circles before a deadline.
fn millis(left: Duration) -> i32 {
    i32::try_from(left.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn the_one_that_is_ready_is_named() {
        let (quiet, _keep) = UnixStream::pair().unwrap();
        let (busy, mut other) = UnixStream::pair().unwrap();
        other.write_all(b"x").unwrap();
        let fds = [(quiet.as_fd(), For::Reading), (busy.as_fd(), For::Reading), (busy.as_fd(), For::Urgent)];
        let ready = wait(&fds, Instant::now() + Duration::from_secs(30)).unwrap();
        assert_eq!(ready, [false, true, false]);
    }

    #[test]
    fn a_deadline_in_the_past_only_looks() {
        let (quiet, _keep) = UnixStream::pair().unwrap();
        assert_eq!(wait(&[(quiet.as_fd(), For::Reading)], Instant::now()).unwrap(), [false]);
    }

    #[test]
    fn a_closed_end_is_ready() {
        let (one, other) = UnixStream::pair().unwrap();
        drop(other);
        let ready = wait(&[(one.as_fd(), For::Reading)], Instant::now() + Duration::from_secs(30));
        assert_eq!(ready.unwrap(), [true]);
    }
}
