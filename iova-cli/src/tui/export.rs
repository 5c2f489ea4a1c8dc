//! The report of the last minutes, as a file in the current directory.

use crate::args::Format;
use crate::exit::Stop;
use crate::render::{renderer, when};
use crate::term::Term;
use iova_core::model::Report;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// What a text report is wrapped to: it is to be read elsewhere.
const WIDTH: usize = 80;

/// Writes it, and says in one sentence where, or why not.
pub(super) fn write(report: &Report, format: Format, unicode: bool) -> String {
    let seconds = report.duration_s.round();
    match into(Path::new("."), report, format, unicode) {
        Ok(path) => format!("the last {seconds} s are in {}", path.display()),
        Err(why) => format!("no report was written: {why}"),
    }
}

fn into(directory: &Path, report: &Report, format: Format, unicode: bool) -> Result<PathBuf, String> {
    let term = Term { width: WIDTH, color: false, unicode };
    let text = renderer(format, term).report(report).map_err(|Stop { message, .. }| message)?;
    let extension = match format {
        Format::Text => "txt",
        Format::Json => "json",
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos() as u64);
    let name = when::utc(now).replace([' ', ':'], "-");
    let path = directory.join(format!("iova-report-{name}.{extension}"));
    save(&path, &text).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}

/// Nobody else's file, and for nobody else: it has the names of devices, and addresses.
fn save(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixtures;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_report_is_written_once_and_for_its_owner() {
        let place = std::env::temp_dir().join(format!("iova-export-{}", std::process::id()));
        fs::create_dir_all(&place).unwrap();
        let report = fixtures::cliff();
        let text = into(&place, &report, Format::Text, true).unwrap();
        let json = into(&place, &report, Format::Json, true).unwrap();
        assert!(fs::read_to_string(&text).unwrap().contains("FINDINGS"));
        let read: serde_json::Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
        assert_eq!(read["schema"], "iova.report");
        assert_eq!(fs::metadata(&json).unwrap().permissions().mode() & 0o777, 0o600);
        let why = save(&json, "").unwrap_err();
        assert_eq!(why.kind(), io::ErrorKind::AlreadyExists);
        fs::remove_dir_all(&place).unwrap();
        assert!(into(&place, &report, Format::Text, true).unwrap_err().contains("iova-report"));
    }
}
