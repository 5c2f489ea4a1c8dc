//! An exporter of a recording, for tests.

use super::board::Board;
use super::edition::Edition;
use super::latest::Latest;
use super::listen::Bound;
use super::publish::publish;
use super::{server, serving};
use crate::render::fixtures::lab;
use iova_core::exposition::{About, Privileges};
use iova_core::model::Step;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// Stepping through a recording takes seconds in a debug build: once for all tests.
pub(super) fn steps(name: &str) -> &'static [Step] {
    static FILLING: LazyLock<Vec<Step>> = LazyLock::new(|| lab("filling"));
    static HEALTHY: LazyLock<Vec<Step>> = LazyLock::new(|| lab("healthy"));
    if name == "filling" { &FILLING } else { &HEALTHY }
}

pub(super) fn empty_board(interval: Duration) -> Board {
    let of = |process| Privileges { process, capabilities: "none".to_owned(), reason: String::new() };
    let privileges = vec![of("reader"), of("server")];
    let unknown = vec![("quality.added_ns_per_alloc".into(), "measured only at the start".into())];
    Board::new(32, About { version: "0.0.0".into(), privileges, unknown }, interval)
}

/// All of a recording.
pub(super) fn board(name: &str) -> Board {
    let board = empty_board(Duration::from_secs(1));
    steps(name).iter().for_each(|step| board.absorb(step.clone()));
    board
}

/// What the server has of it, after the way through the pipe.
pub(super) fn latest(board: &Board) -> Arc<Latest> {
    let mut pipe = Vec::new();
    board.render().send(&mut pipe).unwrap();
    Arc::new(Latest::new(Edition::receive(&mut pipe.as_slice()).unwrap().unwrap()))
}

/// A server for it on loopback, which hears of what comes later as well.
pub(super) fn serve(board: &Arc<Board>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let (mut receive, mut send) = std::io::pipe().unwrap();
    let latest = latest(board);
    server::start(Bound::Tcp(listener), Arc::clone(&latest)).unwrap();
    let board = Arc::clone(board);
    std::thread::spawn(move || publish(&board, &mut send, None));
    std::thread::spawn(move || serving::take_over(&mut receive, &latest));
    address
}

/// A host with 203 devices, all as busy as those of the recording.
pub(super) fn large(step: &Step) -> Step {
    let mut step = step.clone();
    let devices = std::mem::take(&mut step.interval.devices);
    let copy = |number: u32| {
        devices.iter().map(move |device| {
            let mut device = device.clone();
            device.bdf = device.bdf.replacen("0000:00", &format!("0000:{number:02x}"), 1);
            device
        })
    };
    step.interval.devices = (0..29).flat_map(copy).collect();
    step
}
