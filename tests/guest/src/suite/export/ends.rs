//! Ways to end, and what is left.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::process::{Process, adopt_orphans};
use super::{Exporter, SOCKET, TCP, UNIX};
use crate::Outcome;
use crate::robust::run::ask;

const FILE: &str = "/tmp/iova-export-test.prom";

pub(super) fn by_signals() -> Result<Outcome> {
    let to_reader: fn(&Exporter) -> Result<Process> = |exporter| Ok(exporter.reader());
    let to_server: fn(&Exporter) -> Result<Process> = |exporter| exporter.reader().child();
    for (signal, to) in [(libc::SIGTERM, to_reader), (libc::SIGINT, to_reader), (libc::SIGTERM, to_server)] {
        let exporter = Exporter::start(UNIX, &["--textfile", FILE])?;
        exporter.fresh()?;
        let mode = fs::metadata(SOCKET)?.permissions().mode() & 0o777;
        ensure!(mode == 0o660, "the socket's mode is {mode:o}");
        ensure!(fs::read_to_string(FILE)?.contains("iova_alloc_total{"), "nothing in the file");
        // Somebody who never says what he wants holds nobody up.
        let mut silent = UnixStream::connect(SOCKET)?;
        silent.write_all(b"GET /metr")?;
        to(&exporter)?.signal(signal);
        exporter.running.end()?.code(0)?.quiet()?;
        for left in [SOCKET, FILE] {
            ensure!(!Path::new(left).exists(), "{left} is left behind by signal {signal}");
        }
    }
    Ok(Outcome::Passed)
}

/// The server ends with its reader, and what that could not clear away keeps no other exporter out.
pub(super) fn killed() -> Result<Outcome> {
    adopt_orphans();
    let exporter = Exporter::start(UNIX, &[])?;
    let server = exporter.reader().child()?;
    exporter.running.signal(libc::SIGKILL);
    exporter.running.end()?.sentence(&["the process that measures", "it has died", "start it again"])?;
    let code = server.inherited_end()?;
    ensure!(code == 3, "the server ended with exit code {code}");
    ensure!(Path::new(SOCKET).exists(), "who cleared the socket away?");
    let next = Exporter::start(UNIX, &[])?;
    next.end()?;
    Ok(Outcome::Passed)
}

pub(super) fn server_killed() -> Result<Outcome> {
    let exporter = Exporter::start(UNIX, &[])?;
    exporter.reader().child()?.signal(libc::SIGKILL);
    let answer = exporter.running.end()?.code(3)?;
    answer.sentence(&["the process that answers", "signal 9", "start it again"])?;
    ensure!(!Path::new(SOCKET).exists(), "the socket is left behind");
    Ok(Outcome::Passed)
}

/// One that takes nothing any more is ended by force, and the exporter in good order.
pub(super) fn server_hangs() -> Result<Outcome> {
    let exporter = Exporter::start(UNIX, &[])?;
    exporter.reader().child()?.signal(libc::SIGSTOP);
    // Meanwhile the pipe fills up.
    std::thread::sleep(Duration::from_secs(5));
    exporter.running.signal(libc::SIGTERM);
    exporter.running.end()?.code(0)?.quiet()?;
    ensure!(!Path::new(SOCKET).exists(), "the socket is left behind");
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
