//! Ways to end, and what is left.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Result, ensure};

use super::{Exporter, SOCKET, TCP, UNIX};
use crate::Outcome;
use crate::robust::run::ask;

const FILE: &str = "/tmp/iova-export-test.prom";

pub(super) fn by_signals() -> Result<Outcome> {
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let exporter = Exporter::start(UNIX, &["--textfile", FILE])?;
        exporter.fresh()?;
        let mode = fs::metadata(SOCKET)?.permissions().mode() & 0o777;
        ensure!(mode == 0o660, "the socket's mode is {mode:o}");
        ensure!(fs::read_to_string(FILE)?.contains("iova_alloc_total{"), "nothing in the file");
        // Somebody who never says what he wants holds nobody up.
        let mut silent = UnixStream::connect(SOCKET)?;
        silent.write_all(b"GET /metr")?;
        exporter.running.signal(signal);
        exporter.running.end()?.code(0)?.quiet()?;
        for left in [SOCKET, FILE] {
            ensure!(!Path::new(left).exists(), "{left} is left behind by signal {signal}");
        }
    }
    Ok(Outcome::Passed)
}

/// What it could not clear away keeps no other one out.
pub(super) fn killed() -> Result<Outcome> {
    let exporter = Exporter::start(UNIX, &[])?;
    exporter.running.signal(libc::SIGKILL);
    exporter.running.end()?;
    ensure!(Path::new(SOCKET).exists(), "who cleared the socket away?");
    let next = Exporter::start(UNIX, &[])?;
    next.end()?;
    Ok(Outcome::Passed)
}

pub(super) fn refused() -> Result<Outcome> {
    let exporter = Exporter::start(TCP, &[])?;
    let refused = |args: &[&str], words: &[&str]| -> Result<()> {
        ask(args)?.code(2)?.sentence(words)?;
        Ok(())
    };
    refused(&["export"], &["--listen 127.0.0.1:9969", "choose another address"])?;
    refused(&["export", "--listen", "unix:/nowhere/x"], &["unix:/nowhere/x", "choose another path"])?;
    refused(&["export", "--textfile", "/nowhere/x.prom"], &["/nowhere/x.prom", "choose a directory"])?;
    refused(&["export", "--listen", "systemd"], &["--listen systemd", ".socket unit"])?;
    exporter.scrape()?;
    exporter.end()?;
    Ok(Outcome::Passed)
}
