//! The user's terminal, lent to a guest.

use std::io::{Read, Write};
use std::mem::zeroed;
use std::os::unix::net::UnixStream;

use anyhow::{Result, bail};
use iova_guest::Terminal;

/// Ctrl-A x leaves the guest, as in QEMU; Ctrl-A twice sends one Ctrl-A.
const ESCAPE: u8 = 0x01;

/// The terminal in raw mode; back in its old mode when this is dropped.
pub(crate) struct RawMode {
    before: libc::termios,
}

impl RawMode {
    /// Switches the terminal on stdin to raw mode.
    pub(crate) fn enter() -> Result<Self> {
        // SAFETY: an all-zero termios is a valid value; tcgetattr fills it, and both calls get a live pointer.
        unsafe {
            let mut before: libc::termios = zeroed();
            if libc::tcgetattr(0, &mut before) != 0 {
                bail!("--shell needs a terminal on stdin; without one, give the command after `--`");
            }
            let mut raw = before;
            libc::cfmakeraw(&mut raw);
            libc::tcsetattr(0, libc::TCSANOW, &raw);
            Ok(Self { before })
        }
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // SAFETY: the saved settings are a live value.
        unsafe { libc::tcsetattr(0, libc::TCSADRAIN, &self.before) };
    }
}

/// What a program in the guest would have done at its end, had it come to that: the other screen is left, the cursor is
/// seen, the mouse is the terminal's own.
pub(crate) fn clear_up() {
    let _ = std::io::stdout().write_all(b"\x1b[?1006l\x1b[?1000l\x1b[?1049l\x1b[?25h\x1b[0m\r\n");
    let _ = std::io::stdout().flush();
}

/// Size and kind of the user's terminal.
pub(crate) fn describe() -> Terminal {
    // SAFETY: an all-zero winsize is a valid value, and the pointer is live.
    let size = unsafe {
        let mut size: libc::winsize = zeroed();
        libc::ioctl(1, libc::TIOCGWINSZ, &mut size);
        size
    };
    let or = |value, default| if value == 0 { default } else { value };
    let term = std::env::var("TERM").unwrap_or_else(|_| "vt100".into());
    Terminal { term, rows: or(size.ws_row, 24), cols: or(size.ws_col, 80) }
}

/// What programs want to know about the terminal beside its kind: whether it can do UTF-8, and what of colour.
pub(crate) fn environment() -> Vec<(String, String)> {
    ["LC_ALL", "LC_CTYPE", "LANG", "COLORTERM", "NO_COLOR"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)))
        .collect()
}

/// Sends keys to the guest until the user escapes or the guest is gone; calls `escaped` in the first case.
pub(crate) fn send_keys(mut console: UnixStream, escaped: impl FnOnce() + Send + 'static) {
    std::thread::spawn(move || {
        let mut keys = [0; 256];
        let mut pending = false;
        while let Ok(length) = std::io::stdin().lock().read(&mut keys) {
            let Some(bytes) = filter(&keys[..length], &mut pending) else { return escaped() };
            if length == 0 || console.write_all(&bytes).is_err() {
                return;
            }
        }
    });
}

/// What the guest gets of these keys; `None` once the user has escaped.
fn filter(keys: &[u8], pending: &mut bool) -> Option<Vec<u8>> {
    let mut passed = Vec::with_capacity(keys.len());
    for key in keys {
        match (std::mem::take(pending), *key) {
            (true, b'x') => return None,
            (false, ESCAPE) => *pending = true,
            (_, key) => passed.push(key),
        }
    }
    Some(passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_keys() {
        let mut pending = false;
        assert_eq!(filter(b"ls\x03", &mut pending), Some(b"ls\x03".to_vec()));
        assert_eq!(filter(b"\x01\x01x", &mut pending), Some(b"\x01x".to_vec()));
        assert_eq!(filter(b"a\x01", &mut pending), Some(b"a".to_vec()));
        assert_eq!(filter(b"x", &mut pending), None);
    }
}
