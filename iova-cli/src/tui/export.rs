//! The last minutes as a file in the current directory.
//!
//! A page is made by another process, which plays the recording: it takes more memory than the screen, and gives it back
//! this way.

use super::crew::{complaint, program};
use super::past::Recording;
use super::source::Order;
use crate::args::Format;
use crate::exit::Stop;
use crate::render::{renderer, when};
use crate::session;
use crate::term::Term;
use iova_core::model::Report;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{SystemTime, UNIX_EPOCH};

/// What a text report is wrapped to: it is to be read elsewhere.
const WIDTH: usize = 80;

/// What to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Json,
    /// A page with pictures over time.
    Html,
    Recording,
}

impl Kind {
    /// What it is made of.
    pub(super) fn order(self) -> Order {
        match self {
            Self::Text | Self::Json => Order::Report,
            Self::Html | Self::Recording => Order::Recording,
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Self::Text => "txt",
            Self::Json => "json",
            Self::Html => "html",
            Self::Recording => "iova",
        }
    }
}

/// Writes it, and says in one sentence where, or why not.
pub(super) fn report(report: &Report, kind: Kind, unicode: bool) -> String {
    let format = if kind == Kind::Json { Format::Json } else { Format::Text };
    let term = Term { width: WIDTH, color: false, unicode };
    let text = renderer(format, term).report(report).map_err(|Stop { message, .. }| message);
    let written = text.and_then(|text| {
        into(Path::new("."), kind, |mut file| {
            file.write_all(text.as_bytes()).map_err(|error| error.to_string())
        })
    });
    told(written, report.duration_s)
}

/// The same.
pub(super) fn recording(recording: &Recording, kind: Kind, devices: &[String]) -> String {
    let (bytes, span) = match recording {
        Ok(recording) => recording,
        Err(why) => return told(Err(why.clone()), 0.0),
    };
    let written = into(Path::new("."), kind, |mut file| match kind {
        Kind::Html => page(file, bytes, devices),
        _ => file.write_all(bytes).map_err(|error| error.to_string()),
    });
    told(written, span.as_secs_f64())
}

fn told(written: Result<PathBuf, String>, seconds: f64) -> String {
    match written {
        Ok(path) => format!("the last {} s are in {}", seconds.round(), path.display()),
        Err(why) => format!("nothing was written: {why}"),
    }
}

fn into(
    directory: &Path,
    kind: Kind,
    fill: impl FnOnce(File) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos() as u64);
    let name = when::utc(now).replace([' ', ':'], "-");
    let path = directory.join(format!("iova-report-{name}.{}", kind.extension()));
    let file = session::create(&path).map_err(|stop| stop.message)?;
    fill(file).map_err(|why| {
        // It is ours, and worth nothing.
        let _ = std::fs::remove_file(&path);
        format!("{}: {why}", path.display())
    })?;
    Ok(path)
}

fn page(file: File, recording: &[u8], devices: &[String]) -> Result<(), String> {
    let said = |error: io::Error| error.to_string();
    let mut command = program(&["replay", "/dev/stdin", "report", "--format", "html"]);
    devices.iter().for_each(|device| _ = command.args(["--device", device]));
    let mut child = command.stdin(Stdio::piped()).stdout(file).spawn().map_err(said)?;
    // It reads all before it writes; if it goes before that, it says why.
    let _ = child.stdin.take().map(|mut input| input.write_all(recording));
    let output = child.wait_with_output().map_err(said)?;
    if output.status.success() { Ok(()) } else { Err(complaint(&output.stderr)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_file_is_written_once_and_for_its_owner() {
        let place = std::env::temp_dir().join(format!("iova-export-{}", std::process::id()));
        fs::create_dir_all(&place).unwrap();
        let path =
            into(&place, Kind::Json, |mut file| file.write_all(b"{}").map_err(|_| String::new())).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"{}");
        assert_eq!(path.extension().unwrap(), "json");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let why = into(&place, Kind::Html, |_| Err("no pictures".to_owned())).unwrap_err();
        assert!(why.ends_with(".html: no pictures"), "{why}");
        assert_eq!(fs::read_dir(&place).unwrap().count(), 1, "nothing half made is left");
        fs::remove_dir_all(&place).unwrap();
        assert!(into(&place, Kind::Text, |_| Ok(())).unwrap_err().contains("iova-report"));
    }
}
