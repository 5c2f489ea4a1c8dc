//! Standard output and standard error.

use crate::exit::Stop;
use crate::render::clean;
use std::io::{self, ErrorKind, Write};

/// Writes to standard output. A reader that has seen enough (`iova report | head`) is no error.
pub(crate) fn print(text: &str) -> Result<(), Stop> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Stop::unusable(format!("standard output cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// Writes one sentence to standard error; nobody can be told if that fails.
pub(crate) fn complain(message: &str) {
    // One write, so that the lines of several processes do not mix.
    let line = format!("iova: {}\n", clean(message, true));
    let _ = io::stderr().lock().write_all(line.as_bytes());
}
