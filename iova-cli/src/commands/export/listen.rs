//! Where to listen: a TCP address, a unix socket, or what systemd listens at for us.

use crate::exit::Stop;
use std::fs;
use std::io::{self, ErrorKind};
use std::net::{TcpListener, ToSocketAddrs as _};
use std::os::fd::{AsRawFd, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// An address of `--listen`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// HOST:PORT.
    Tcp(String),
    /// unix:/PATH.
    Unix(PathBuf),
    /// "systemd": the socket that an iova-export.socket unit hands over, so that the service itself needs no network.
    Systemd,
}

/// The first descriptor that systemd hands over (sd_listen_fds(3), SD_LISTEN_FDS_START).
const FIRST_FD: i32 = 3;

impl Default for Address {
    /// 9969 is not taken in Prometheus' list of default ports.
    fn default() -> Self {
        Self::Tcp("127.0.0.1:9969".to_owned())
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "systemd" {
            return Ok(Self::Systemd);
        }
        if let Some(path) = text.strip_prefix("unix:") {
            let path = PathBuf::from(path);
            return if path.is_absolute() {
                Ok(Self::Unix(path))
            } else {
                Err("give an absolute path, as in unix:/run/iova/metrics".to_owned())
            };
        }
        let port = text.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>()));
        match port {
            Some((host, Ok(_))) if !host.is_empty() => Ok(Self::Tcp(text.to_owned())),
            _ => Err("give HOST:PORT or unix:/PATH, as in 127.0.0.1:9969".to_owned()),
        }
    }
}

/// A socket that listens.
pub(super) enum Bound {
    Tcp(TcpListener),
    /// And the file to take away at the end.
    Unix(UnixListener, Option<PathBuf>),
}

/// The file of a unix socket; gone when this is dropped.
pub(super) struct Place(PathBuf);

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl AsRawFd for Bound {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::Tcp(listener) => listener.as_raw_fd(),
            Self::Unix(listener, _) => listener.as_raw_fd(),
        }
    }
}

impl Bound {
    /// What has to be cleared away at the end.
    pub(super) fn place(&self) -> Option<Place> {
        match self {
            Self::Unix(_, Some(path)) => Some(Place(path.clone())),
            Self::Unix(_, None) | Self::Tcp(_) => None,
        }
    }
}

impl Address {
    pub(super) fn bind(&self) -> Result<Bound, Stop> {
        match self {
            Self::Tcp(text) => tcp(text).map_err(|error| {
                Stop::unusable(format!("--listen {text} can't be had ({error}): choose another address"))
            }),
            Self::Unix(path) => unix(path).map_err(|error| {
                Stop::unusable(format!(
                    "--listen unix:{} can't be had ({error}): choose another path",
                    path.display()
                ))
            }),
            Self::Systemd => handed_over(|name| std::env::var(name).ok()).map_err(|error| {
                Stop::unusable(format!(
                    "--listen systemd: {error}; it works in a service that a .socket unit belongs to, as iova-export.socket"
                ))
            }),
        }
    }
}

fn handed_over(variable: impl Fn(&str) -> Option<String>) -> io::Result<Bound> {
    let is = |name: &str, value: &str| variable(name).is_some_and(|it| it == value);
    // The variables may be meant for a process that started this one.
    if !is("LISTEN_PID", &std::process::id().to_string()) || !is("LISTEN_FDS", "1") {
        return Err(io::Error::other("systemd did not hand over exactly one socket"));
    }
    // SAFETY: systemd opened this descriptor for us, and nobody else here knows it.
    let fd = unsafe { OwnedFd::from_raw_fd(FIRST_FD) };
    let tcp = TcpListener::from(fd.try_clone()?);
    // Only an internet socket has such an address.
    if tcp.local_addr().is_ok() {
        tcp.set_nonblocking(true)?;
        return Ok(Bound::Tcp(tcp));
    }
    let unix = UnixListener::from(fd);
    unix.local_addr()?;
    unix.set_nonblocking(true)?;
    Ok(Bound::Unix(unix, None))
}

fn tcp(text: &str) -> io::Result<Bound> {
    let addresses: Vec<_> = text.to_socket_addrs()?.collect();
    let listener = TcpListener::bind(addresses.as_slice())?;
    listener.set_nonblocking(true)?;
    Ok(Bound::Tcp(listener))
}

fn unix(path: &Path) -> io::Result<Bound> {
    // One that nobody listens at any more is left over from an exporter that was killed.
    if fs::symlink_metadata(path).is_ok_and(|there| there.file_type().is_socket()) {
        match UnixStream::connect(path) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path)?,
            _ => return Err(io::Error::new(ErrorKind::AddrInUse, "somebody listens there")),
        }
    }
    let listener = UnixListener::bind(path)?;
    // Who may scrape is decided by the group of the directory it is in.
    fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
    listener.set_nonblocking(true)?;
    Ok(Bound::Unix(listener, Some(path.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        assert_eq!("[::1]:80".parse(), Ok(Address::Tcp("[::1]:80".into())));
        assert_eq!("unix:/run/x".parse(), Ok(Address::Unix("/run/x".into())));
        assert_eq!("systemd".parse(), Ok(Address::Systemd));
        for bad in ["", "9969", ":9969", "localhost", "localhost:http", "unix:x", "unix:", "a:70000"] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_was_meant_for_another_process_is_left_alone() {
        let given = |pid: u32| {
            move |name: &str| Some(if name == "LISTEN_PID" { pid.to_string() } else { "1".into() })
        };
        assert!(handed_over(given(1)).is_err());
        assert!(handed_over(|_| None).is_err());
    }

    #[test]
    fn a_socket_left_over_is_replaced_and_a_live_one_is_not() {
        let path = std::env::temp_dir().join(format!("iova-export-{}.sock", std::process::id()));
        drop(UnixListener::bind(&path).unwrap());
        let bound = Address::Unix(path.clone()).bind().unwrap_or_else(|stop| panic!("{}", stop.message));
        let second = Address::Unix(path.clone()).bind();
        assert!(second.is_err_and(|stop| stop.message.contains("somebody listens there")));
        drop(bound);
        fs::remove_file(&path).unwrap();
        fs::write(&path, "a file").unwrap();
        assert!(Address::Unix(path.clone()).bind().is_err(), "a file that is no socket stays");
        fs::remove_file(&path).unwrap();
    }
}
