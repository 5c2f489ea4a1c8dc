//! Where `iova policy confirm` meets a running `try`: one socket per device under /run/iova, for root only.
//!
//! The process that tries holds the lease and is the only one that can keep the policy, so confirming means asking it.
//! If it is dead or stopped, nobody answers, and the kernel has taken the policy back or will.

use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::poll::{self, For};

/// Where the sockets are: gone after a reboot, as the policies are.
pub(super) const PLACE: &str = "/run/iova";
/// Longest message.
const MOST: usize = 4096;
/// A caller that says nothing must not keep the trial from seeing a fault.
const PATIENCE: Duration = Duration::from_millis(200);
/// The trial may be reading counters or draining caches.
const ANSWER: Duration = Duration::from_secs(10);

/// What the caller says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Question {
    /// Why it is kept, for the history.
    pub(super) reason: Option<String>,
}

/// What the trial answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) accepted: bool,
    pub(super) policy: String,
    /// One sentence.
    pub(super) text: String,
}

/// Who called, as the kernel says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) pid: i32,
    pub(super) uid: u32,
}

/// The trial's side.
pub(super) struct Door {
    listener: UnixListener,
    path: PathBuf,
}

/// A caller that waits for its answer.
pub(super) struct Visit {
    stream: UnixStream,
    pub(super) caller: Caller,
    pub(super) question: Question,
}

impl Door {
    /// Opens the door of the device's trial. To be called by the holder of its lease, of whom there is only one: a
    /// socket that is there already is a dead one's.
    pub(super) fn open(place: &Path, bdf: &str) -> io::Result<Self> {
        private_directory(place)?;
        let path = socket(place, bdf);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, path })
    }

    /// The caller at the door, if there is one who may call and speaks.
    pub(super) fn answer_call(&self) -> Option<Visit> {
        let (mut stream, _) = self.listener.accept().ok()?;
        let caller = caller(&stream).ok()?;
        // SAFETY: geteuid has no preconditions.
        let ours = unsafe { libc::geteuid() };
        if caller.uid != 0 && caller.uid != ours {
            return None;
        }
        let question = serde_json::from_slice(&line(&mut stream, PATIENCE).ok()?).ok()?;
        Some(Visit { stream, caller, question })
    }
}

impl AsFd for Door {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl Visit {
    /// Tells the caller; one who has gone needs no answer.
    pub(super) fn answer(mut self, answer: &Answer) {
        let _ = self.stream.set_nonblocking(false);
        let _ = self.stream.set_write_timeout(Some(PATIENCE));
        if let Ok(mut text) = serde_json::to_vec(answer) {
            text.push(b'\n');
            let _ = self.stream.write_all(&text);
        }
    }
}

/// Asks the device's trial to keep its policy; `None` if there is no trial.
pub(super) fn ask(place: &Path, bdf: &str, question: &Question) -> io::Result<Option<Answer>> {
    let mut stream = match UnixStream::connect(socket(place, bdf)) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        other => other?,
    };
    let mut text = serde_json::to_vec(question)?;
    text.push(b'\n');
    stream.write_all(&text)?;
    let answer = line(&mut stream, ANSWER)?;
    Ok(Some(serde_json::from_slice(&answer)?))
}

fn socket(place: &Path, bdf: &str) -> PathBuf {
    place.join(format!("try-{bdf}.sock"))
}

/// Ours alone; somebody else's directory of that name is an attempt to listen in.
fn private_directory(place: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(place) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let meta = fs::symlink_metadata(place)?;
    // SAFETY: geteuid has no preconditions.
    let ours = unsafe { libc::geteuid() };
    if !meta.is_dir() || meta.uid() != ours || meta.mode() & 0o022 != 0 {
        return Err(io::Error::other(format!(
            "{} is not a directory that only this user can write to",
            place.display()
        )));
    }
    Ok(())
}

fn caller(stream: &UnixStream) -> io::Result<Caller> {
    let mut credentials = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to `credentials`.
    let result = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut credentials).cast(),
            &raw mut length,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Caller { pid: credentials.pid, uid: credentials.uid })
}

/// Reads up to the end of the line, within `patience`.
fn line(stream: &mut UnixStream, patience: Duration) -> io::Result<Vec<u8>> {
    stream.set_nonblocking(true)?;
    let deadline = Instant::now() + patience;
    let mut text = Vec::new();
    let mut buffer = [0; 512];
    while text.len() < MOST {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                text.extend(buffer.iter().take(count));
                if text.contains(&b'\n') {
                    return Ok(text);
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if !poll::wait(&[(stream.as_fd(), For::Reading)], deadline)?.contains(&true) {
                    return Err(ErrorKind::TimedOut.into());
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::UnexpectedEof.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BDF: &str = "0000:00:04.0";

    fn place(name: &str) -> PathBuf {
        let place = std::env::temp_dir().join(format!("iova-door-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&place);
        place
    }

    #[test]
    fn a_question_gets_its_answer() {
        let place = place("answer");
        let door = Door::open(&place, BDF).unwrap();
        assert_eq!(fs::metadata(&place).unwrap().mode() & 0o777, 0o700);
        let there = place.clone();
        let caller = std::thread::spawn(move || {
            ask(&there, BDF, &Question { reason: Some("ticket 4711".into()) }).unwrap().unwrap()
        });
        let ready = poll::wait(&[(door.as_fd(), For::Reading)], Instant::now() + Duration::from_secs(60));
        assert_eq!(ready.unwrap(), [true]);
        let visit = door.answer_call().unwrap();
        assert_eq!(visit.question.reason.as_deref(), Some("ticket 4711"));
        assert_eq!(visit.caller.pid, i32::try_from(std::process::id()).unwrap());
        let answer = Answer { accepted: true, policy: "dac:40".into(), text: "kept".into() };
        visit.answer(&answer);
        assert_eq!(caller.join().unwrap(), answer);
        drop(door);
        assert_eq!(ask(&place, BDF, &Question::default()).unwrap(), None, "the trial is over");
        fs::remove_dir_all(&place).unwrap();
    }

    #[test]
    fn a_dead_trial_leaves_no_lock_and_silence_is_not_waited_for() {
        let place = place("dead");
        let dead = Door::open(&place, BDF).unwrap();
        std::mem::forget(dead);
        let door = Door::open(&place, BDF).unwrap();
        let _silent = UnixStream::connect(socket(&place, BDF)).unwrap();
        let start = Instant::now();
        assert!(door.answer_call().is_none());
        assert!(start.elapsed() < Duration::from_secs(30));
        fs::remove_dir_all(&place).unwrap();
    }

    #[test]
    fn a_directory_that_others_can_write_to_is_refused() {
        let place = place("open");
        fs::create_dir(&place).unwrap();
        fs::set_permissions(&place, Permissions::from_mode(0o777)).unwrap();
        assert!(Door::open(&place, BDF).is_err());
        fs::remove_dir_all(&place).unwrap();
    }
}
