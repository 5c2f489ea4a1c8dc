//! An exporter of a recording, for tests.

use super::board::Board;
use super::listen::Bound;
use super::server::{self, Place};
use crate::render::fixtures::lab;
use iova_core::exposition::About;
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
    let privileges = Some(("none".to_owned(), String::new()));
    let unknown = vec![("quality.added_ns_per_alloc".into(), "measured only at the start".into())];
    Board::new(32, About { version: "0.0.0".into(), privileges, unknown }, interval)
}

/// All of a recording.
pub(super) fn board(name: &str) -> Board {
    let board = empty_board(Duration::from_secs(1));
    steps(name).iter().for_each(|step| board.absorb(step.clone()));
    board
}

/// A server for it on loopback.
pub(super) fn serve(board: &Arc<Board>) -> (SocketAddr, Place) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    (address, server::start(Bound::Tcp(listener), Arc::clone(board)).unwrap())
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
