//! The server's process. It was never able to read the kernel: it was forked before anything of that was open, and has its
//! listener, its connections and the pipe from the reader.

use super::edition::Edition;
use super::latest::Latest;
use super::process::Outside;
use super::{privileges, sandbox, server};
use crate::exit::{Exit, Stop};
use crate::output;
use crate::signals::{Signals, Wake};
use std::io::{self, PipeReader, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Answers until the reader ends or a signal comes.
pub(super) fn run(outside: Outside, pipe: PipeReader, signals: Signals) -> Exit {
    serve(outside, pipe, signals).map_or_else(
        |stop| {
            output::complain(&stop.message);
            stop.exit
        },
        |()| Exit::Done,
    )
}

fn serve(outside: Outside, mut pipe: PipeReader, signals: Signals) -> Result<(), Stop> {
    // All of this is per thread in Linux, so it happens before any other thread is started.
    privileges::give_up_all()?;
    sandbox::confine_server(outside.reaches_out());
    std::thread::spawn(move || {
        while !matches!(signals.wait(Instant::now() + Duration::from_secs(3600)), Wake::Ended { .. }) {}
        std::process::exit(Exit::Done as i32);
    });
    // Who asks earlier waits: nothing is accepted before there is something to say.
    let Some(first) = Edition::receive(&mut pipe).map_err(lost)? else { return Ok(()) };
    let latest = Arc::new(Latest::new(first));
    if let Some(bound) = outside.listener {
        server::start(bound, Arc::clone(&latest))?;
    }
    #[cfg(feature = "otlp")]
    if let Some(collector) = outside.otlp {
        super::otlp::start(collector, Arc::clone(&latest))?;
    }
    take_over(&mut pipe, &latest).map_err(lost)
}

/// Takes over one edition after the other, until the reader ends in good order.
pub(super) fn take_over(pipe: &mut impl Read, latest: &Latest) -> io::Result<()> {
    while let Some(edition) = Edition::receive(pipe)? {
        latest.replace(edition);
    }
    Ok(())
}

fn lost(error: io::Error) -> Stop {
    let why = match error.kind() {
        io::ErrorKind::UnexpectedEof => "it has died".to_owned(),
        _ => format!("it hands over what can't be read: {error}"),
    };
    Stop::internal(format!(
        "the process that measures is lost ({why}), so nothing is exported any more: start it again"
    ))
}
