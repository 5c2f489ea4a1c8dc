//! DuckDB, which reads the tables of recordings in the tests: a Python environment of its own in the cache, because Debian
//! has no package of it. Where it can't be had, its tests are skipped.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use crate::{cmd, paths, say};

const VERSION: &str = "2.0.1";

fn python() -> Result<PathBuf> {
    Ok(paths::cache()?.join(format!("duckdb-{VERSION}/bin/python")))
}

/// The Python that has it, if it is there.
pub(crate) fn found() -> Option<PathBuf> {
    python().ok().filter(|python| cmd::succeeds(cmd::command(python).args(["-c", "import duckdb"])))
}

/// Installs it, and says why not if that fails.
pub(crate) fn ensure() {
    if found().is_none()
        && let Err(error) = install()
    {
        say(format_args!("DuckDB can't be installed, so its tests are skipped: {error:#}"));
    }
}

fn install() -> Result<()> {
    let dir = paths::cache()?.join(format!("duckdb-{VERSION}"));
    if dir.exists() {
        fs::remove_dir_all(&dir)?;
    }
    say(format_args!("installing DuckDB {VERSION} in {}", dir.display()));
    cmd::run(cmd::command("python3").args(["-m", "venv"]).arg(&dir))?;
    let package = format!("duckdb=={VERSION}");
    cmd::run(cmd::command(python()?).args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--only-binary=:all:",
        &package,
    ]))
}
