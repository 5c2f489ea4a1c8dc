//! `iova export`: the figures for a monitoring system. The reader measures and renders; a second process, the server,
//! answers with what it was handed over. In the reader one thread measures, one hands over, this one waits for the end.
//!
//! ```text
//! reader: Source ──Step──> Board (adds up, renders once per interval) ──> textfile
//!                            └─Edition──> pipe                                        (publish, edition, frame)
//! server:                                 pipe ──> Latest ──> scrapes, OTLP           (serving, server, http, otlp)
//! ```

mod board;
mod calls;
mod edition;
mod frame;
mod freshness;
mod http;
mod latest;
mod listen;
#[cfg(feature = "otlp")]
mod otlp;
mod privileges;
mod process;
mod publish;
mod sandbox;
mod server;
mod serving;
mod textfile;

#[cfg(test)]
mod dist_tests;
#[cfg(test)]
mod load_tests;
#[cfg(test)]
mod prometheus_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub(crate) use listen::Address;
#[cfg(feature = "otlp")]
pub(crate) use otlp::Collector;

use crate::args::export::ExportArgs;
use crate::args::record::ReplayExportArgs;
use crate::exit::{Exit, Stop};
use crate::session::Piece;
use crate::signals::{Signals, Wake};
use crate::tui::source::{Goods, Order};
use crate::tui::{Feed, LiveFeed, Player};
use board::Board;
use iova_core::exposition::About;
use iova_core::model::Step;
use process::{Outside, Server};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// Between two readings, if somebody may ask at any time.
const LISTENING: Duration = Duration::from_secs(1);
/// Between two that are only written or pushed.
const PUSHING: Duration = Duration::from_secs(15);

/// Where intervals come from: the running kernel, or a recording.
pub(crate) trait Source: Send + 'static {
    /// Hands over a step after the other, until nobody wants more, an order to stop comes, or there are none left.
    fn run(self, orders: &Receiver<Order>, take: &mut dyn FnMut(Step) -> bool) -> Result<(), Stop>;
}

impl<F: Feed + 'static> Source for F {
    fn run(self, orders: &Receiver<Order>, take: &mut dyn FnMut(Step) -> bool) -> Result<(), Stop> {
        Feed::run(Box::new(self), orders, &mut |goods| match goods {
            Goods::Reading(reading) => take(reading.step),
            Goods::Report(_) | Goods::Recording(_) | Goods::End(_) => true,
        })
    }
}

/// What can end it.
enum News {
    Signal,
    /// The source has ended.
    Over(Result<(), Stop>),
    /// The server has ended, which means this.
    Unanswered(Result<Exit, Stop>),
}

/// Everything that gets what the source brings.
struct Outlets {
    /// Where anybody is to be answered or pushed to.
    server: Option<Server>,
    textfile: Option<textfile::Textfile>,
}

pub(super) fn run(args: &ExportArgs) -> Result<Exit, Stop> {
    // Before any thread is there, so that all of them hold the signals back.
    let signals = Signals::block().map_err(|error| Stop::internal(format!("signals: {error}")))?;
    // Before anything touches the kernel: what can't be answered need not be measured, and the server never has it open.
    let outlets = Outlets::open(args, &signals)?;
    let usual = if listens(args) { LISTENING } else { PUSHING };
    let interval = args.interval.unwrap_or(usual);
    let mut feed = LiveFeed::attach(interval, args.profile, &args.devices)?;
    feed.answers_others();
    let (about, first) = privileges::give_up(&mut feed, outlets.server.is_some())?;
    let server = outlets.server.as_ref().map(Server::pid);
    sandbox::confine_reader(&sandbox::Reader { writes: outlets.textfile.is_some(), server });
    let board = Arc::new(Board::new(usize::from(args.top), about, interval));
    board.absorb(first);
    serve(feed, &board, outlets, signals)
}

/// `iova replay FILE export`: the figures of a recording, at the pace that is wanted. At its end it goes on answering.
pub(super) fn replay(piece: &Piece, args: &ReplayExportArgs) -> Result<Exit, Stop> {
    let signals = Signals::block().map_err(|error| Stop::internal(format!("signals: {error}")))?;
    let outlets = Outlets::open(&args.export, &signals)?;
    let mut player = Player::open(piece, args.speed, &args.export.devices)?;
    let about = About { version: env!("CARGO_PKG_VERSION").to_owned(), ..About::default() };
    let board = Arc::new(Board::new(usize::from(args.export.top), about, player.interval()));
    if let Some((first, _)) = player.next_step()? {
        board.absorb(first);
    }
    serve(player, &board, outlets, signals)
}

/// True if it answers at an address; it does unless only other outlets are named.
fn listens(args: &ExportArgs) -> bool {
    #[cfg(feature = "otlp")]
    let pushes = args.otlp.is_some();
    #[cfg(not(feature = "otlp"))]
    let pushes = false;
    args.listen.is_some() || args.textfile.is_none() && !pushes
}

impl Outlets {
    fn open(args: &ExportArgs, signals: &Signals) -> Result<Self, Stop> {
        let address = listens(args).then(|| args.listen.clone().unwrap_or_default());
        let outside = Outside {
            listener: address.map(|address| address.bind()).transpose()?,
            #[cfg(feature = "otlp")]
            otlp: args.otlp.clone(),
        };
        let textfile = args.textfile.clone();
        Ok(Self {
            textfile: textfile.map(|path| textfile::Textfile::new(path, args.keep)).transpose()?,
            // A file alone needs nobody who talks to the network.
            server: outside.is_wanted().then(|| Server::start(outside, signals)).transpose()?,
        })
    }
}

/// Runs until a signal comes or the source ends.
fn serve(
    source: impl Source,
    board: &Arc<Board>,
    mut outlets: Outlets,
    signals: Signals,
) -> Result<Exit, Stop> {
    let (tell, news) = mpsc::channel();
    let (order, orders) = mpsc::channel();
    let (over, unanswered) = (tell.clone(), tell.clone());
    let measured = Arc::clone(board);
    let measuring = std::thread::spawn(move || {
        let result = source.run(&orders, &mut |step| {
            measured.absorb(step);
            true
        });
        let _ = over.send(News::Over(result));
    });
    std::thread::spawn(move || {
        while !matches!(signals.wait(Instant::now() + Duration::from_secs(3600)), Wake::Ended { .. }) {}
        let _ = tell.send(News::Signal);
    });
    if let Some(server) = &mut outlets.server {
        server.attend(board, move |end| drop(unanswered.send(News::Unanswered(end))));
    }
    let result = wait(&news, board, outlets.textfile);
    board.close();
    let _ = order.send(Order::Stop);
    // Detaches the probes; the server ends meanwhile.
    let _ = measuring.join();
    result
}

/// Writes the file whenever there is something new; returns at the end.
fn wait(
    news: &Receiver<News>,
    board: &Board,
    mut textfile: Option<textfile::Textfile>,
) -> Result<Exit, Stop> {
    let mut written = None;
    loop {
        let version = Some(board.version());
        if let Some(file) = &mut textfile
            && written != version
        {
            written = version;
            file.write(board)?;
        }
        match news.recv_timeout(board.interval().min(PUSHING)) {
            Ok(News::Over(Err(stop))) => return Err(stop),
            Ok(News::Unanswered(end)) => return end,
            Ok(News::Over(Ok(())) | News::Signal) | Err(RecvTimeoutError::Disconnected) => {
                return Ok(Exit::Done);
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}
