//! Turns the guest's sockets and QEMU's stderr into one stream of events.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::UnixStream;
use std::process::ChildStderr;
use std::sync::mpsc::Sender;

use iova_guest::wire::{self, Kind};

/// How many [`Event::Ended`] follow when QEMU is gone.
pub(crate) const SOURCES: usize = 3;

/// Something that a guest, its QEMU or the user did.
pub(crate) enum Event {
    /// A frame from guest init.
    Frame(Kind, Vec<u8>),
    /// Console output.
    Console(Vec<u8>),
    /// A line of QEMU's own.
    Complaint(String),
    /// What should be a frame is none.
    Broken(std::io::Error),
    /// The user left an interactive guest by its escape keys.
    Escaped,
    /// One source has no more.
    Ended,
}

/// Starts to read. The threads end when QEMU does, or when nobody listens any more.
pub(crate) fn start(
    console: UnixStream,
    channel: UnixStream,
    complaints: ChildStderr,
    events: Sender<Event>,
) {
    let (frames, lines) = (events.clone(), events.clone());
    std::thread::spawn(move || read_console(console, &events));
    std::thread::spawn(move || read_frames(channel, &frames));
    std::thread::spawn(move || {
        for line in BufReader::new(complaints).lines().map_while(Result::ok) {
            let _ = lines.send(Event::Complaint(line));
        }
        let _ = lines.send(Event::Ended);
    });
}

fn read_console(mut console: UnixStream, events: &Sender<Event>) {
    let mut buffer = [0; 4096];
    while let Ok(length) = console.read(&mut buffer) {
        if length == 0 || events.send(Event::Console(buffer[..length].to_vec())).is_err() {
            break;
        }
    }
    let _ = events.send(Event::Ended);
}

fn read_frames(channel: UnixStream, events: &Sender<Event>) {
    let mut channel = BufReader::with_capacity(64 << 10, channel);
    loop {
        let event = match wire::read(&mut channel) {
            Ok(Some((kind, payload))) => Event::Frame(kind, payload),
            // A socket whose QEMU was killed ends with a reset as well as with an end of file.
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => Event::Broken(error),
            Ok(None) | Err(_) => Event::Ended,
        };
        let last = !matches!(event, Event::Frame(..));
        if events.send(event).is_err() || last {
            return;
        }
    }
}
