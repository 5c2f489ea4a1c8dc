//! HTML reports in a real browser: their script runs to its end, nobody complains, and they are there within a second.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, Result, bail};

use crate::build::cargo;
use crate::setup::is_root;
use crate::{cmd, fsx, paths, say};

/// A page has opened in this many milliseconds, in the best of [`TRIES`].
const LIMIT: f64 = 1000.0;
const TRIES: usize = 3;

/// Opens the pages that the unit tests make.
pub(crate) fn check() -> Result<()> {
    let place = paths::target().join("pages");
    if place.exists() {
        fs::remove_dir_all(&place)?;
    }
    fs::create_dir_all(&place)?;
    let mut tests = cargo();
    tests.current_dir(paths::root()).args(["test", "-p", "iova-cli", "--lib", "html::tests"]);
    cmd::run(tests.arg("--target-dir").arg(paths::target()).env("IOVA_HTML_DIR", &place))?;
    let pages: Vec<PathBuf> = fsx::files_below(&place)?
        .into_iter()
        .filter(|file| file.extension().is_some_and(|it| it == "html"))
        .collect();
    if pages.is_empty() {
        bail!("the tests made no page in {}", place.display());
    }
    pages.iter().try_for_each(|page| opens(page, &place))
}

fn opens(page: &Path, place: &Path) -> Result<()> {
    let name = page.file_name().unwrap_or_default().to_string_lossy();
    let document = browse(page, place)?;
    // The script's last act.
    if !document.contains("class=\"js\"") {
        bail!("{name}: the script did not run to its end");
    }
    let mut best = f64::MAX;
    for _ in 0..TRIES {
        best = best.min(time(&name, place)?);
    }
    say(format_args!("{name}: {} KiB, there after {best:.0} ms", fs::metadata(page)?.len() / 1024));
    if best > LIMIT {
        bail!("{name} takes {best:.0} ms to open, which is more than {LIMIT:.0}");
    }
    Ok(())
}

/// From outside: how long a frame takes until it is loaded.
fn time(name: &str, place: &Path) -> Result<f64> {
    let frame = format!(
        "<!doctype html><meta charset=utf-8><script>const start = performance.now()</script>\
         <iframe src=\"../{name}\" width=1280 height=900 \
         onload=\"document.body.dataset.ms = performance.now() - start\"></iframe>"
    );
    fs::create_dir_all(place.join("frame"))?;
    let file = place.join("frame/frame.htm");
    fs::write(&file, frame)?;
    let document = browse(&file, place)?;
    let ms = document.split("data-ms=\"").nth(1).and_then(|rest| rest.split('"').next());
    ms.and_then(|ms| ms.parse().ok()).with_context(|| format!("{name} was not loaded in a frame"))
}

/// The document as it is when it is loaded. Whatever goes to the console is an error.
fn browse(page: &Path, place: &Path) -> Result<String> {
    let mut browser = Command::new("timeout");
    browser.args(["60", "chromium", "--headless", "--disable-gpu", "--enable-logging=stderr", "--dump-dom"]);
    if is_root() {
        browser.arg("--no-sandbox");
    }
    browser.arg(format!("--user-data-dir={}", place.join("profile").display()));
    browser.arg(format!("file://{}", page.display()));
    let Output { status, stdout, stderr } = browser.output().context("cannot start chromium")?;
    if !status.success() {
        bail!("{status} from: {}", cmd::line(&browser));
    }
    let told = String::from_utf8_lossy(&stderr);
    if let Some(line) = told.lines().find(|line| line.contains("CONSOLE")) {
        bail!("{}: {line}", page.display());
    }
    Ok(String::from_utf8_lossy(&stdout).into_owned())
}
