//! The exporter as a whole, without a kernel: a source that plays a recording.

use super::edition::Format;
use super::latest::Latest;
use super::testing::{empty_board, large, latest, steps};
use super::*;
use std::sync::mpsc::Receiver;

struct Recorded {
    steps: Vec<Step>,
    /// What it says when it has none left; `None`: it waits to be stopped.
    end: Option<Result<(), Stop>>,
}

impl Source for Recorded {
    fn run(self, orders: &Receiver<Order>, take: &mut dyn FnMut(Step) -> bool) -> Result<(), Stop> {
        for step in self.steps {
            if !take(step) {
                return Ok(());
            }
        }
        match self.end {
            Some(end) => end,
            None => {
                let _ = orders.recv();
                Ok(())
            }
        }
    }
}

fn nowhere() -> Outlets {
    Outlets { server: None, textfile: None }
}

/// What a scrape of `format` gets.
fn scrape(latest: &Latest, format: Format) -> String {
    let mut text = latest.body(format).to_vec();
    text.extend(latest.tail(format, Vec::new()));
    String::from_utf8(text).unwrap()
}

#[test]
fn a_source_that_dies_ends_the_exporter_with_its_reason() {
    let board = Arc::new(empty_board(LISTENING));
    let why = Stop::unusable("the probes are gone");
    let source = Recorded { steps: steps("healthy")[..2].to_vec(), end: Some(Err(why.clone())) };
    let signals = Signals::block().unwrap();
    assert_eq!(serve(source, &board, nowhere(), signals), Err(why));
    assert_eq!(board.version(), (2, false));
}

#[test]
fn a_stalled_source_is_told_and_its_figures_are_withdrawn() {
    // Ten milliseconds: it has stalled after the least time, five seconds.
    let board = empty_board(Duration::from_millis(10));
    let text = |latest: &Latest| scrape(latest, Format::OpenMetrics);
    assert!(text(&latest(&board)).contains("iova_exporter_stalled 0\n"), "not yet");
    board.absorb(steps("healthy")[0].clone());
    let latest = latest(&board);
    let fresh = text(&latest);
    assert!(fresh.contains("iova_alloc_total{") && fresh.ends_with("# EOF\n"), "{fresh}");
    assert!(board.text().windows(11).any(|name| name == b"iova_alloc_"));
    std::thread::sleep(Duration::from_millis(5100));
    // The server needs nothing of the reader to find that out.
    let stale = text(&latest);
    assert!(stale.contains("iova_exporter_stalled 1\n") && !stale.contains("iova_alloc"), "{stale}");
    let age = stale.lines().find_map(|line| line.strip_prefix("iova_exporter_last_sample_age_seconds "));
    assert!(age.unwrap().parse::<f64>().unwrap() > 5.0);
    assert!(!board.text().windows(11).any(|name| name == b"iova_alloc_"), "nor does a file have them");
}

#[test]
fn a_text_is_made_once_per_reading() {
    let board = empty_board(LISTENING);
    board.absorb(steps("healthy")[0].clone());
    let latest = latest(&board);
    let first = latest.body(Format::Text);
    assert!(Arc::ptr_eq(&first, &latest.body(Format::Text)));
    board.absorb(steps("healthy")[1].clone());
    latest.replace(board.render());
    assert!(!Arc::ptr_eq(&first, &latest.body(Format::Text)));
}

/// A reader and a server with a pipe between them.
#[test]
fn what_is_measured_arrives_and_the_end_as_well() {
    let board = Arc::new(empty_board(LISTENING));
    board.absorb(steps("healthy")[0].clone());
    let (mut receive, mut send) = std::io::pipe().unwrap();
    let (read, server) = (Arc::clone(&board), latest(&board));
    let reading = std::thread::spawn(move || publish::publish(&read, &mut send, None));
    let before = scrape(&server, Format::Text);
    let arriving = {
        let server = Arc::clone(&server);
        std::thread::spawn(move || serving::take_over(&mut receive, &server))
    };
    board.absorb(steps("healthy")[1].clone());
    let end = Instant::now() + Duration::from_secs(20);
    while !scrape(&server, Format::Text).contains("iova_exporter_intervals_total 2\n") {
        assert!(Instant::now() < end, "nothing arrived after {before}");
        std::thread::sleep(Duration::from_millis(10));
    }
    board.close();
    reading.join().unwrap().unwrap();
    arriving.join().unwrap().unwrap();
}

#[test]
fn a_reader_that_just_dies_is_an_error() {
    let board = empty_board(LISTENING);
    let mut pipe = Vec::new();
    board.render().send(&mut pipe).unwrap();
    let end = serving::take_over(&mut pipe.as_slice(), &latest(&board));
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
}

#[test]
fn two_hundred_devices_are_a_bounded_text() {
    let board = empty_board(LISTENING);
    let mut absorbed = Duration::ZERO;
    for step in steps("filling").iter().map(large) {
        let start = Instant::now();
        board.absorb(step);
        absorbed += start.elapsed();
    }
    let start = Instant::now();
    let text = scrape(&latest(&board), Format::OpenMetrics);
    println!("{:?} per step, {:?} to render", absorbed / 28, start.elapsed());
    let series = text.lines().filter(|line| !line.starts_with('#')).count();
    assert!(series < 4000 && text.len() < 512 << 10, "{series} series, {} bytes", text.len());
    // Nothing is lost: the sum over all series is what all devices did.
    let value = |line: &str| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap();
    let sum: u64 = text.lines().filter(|line| line.starts_with("iova_alloc_total{")).map(value).sum();
    let one: u64 =
        steps("filling").iter().flat_map(|step| &step.interval.devices).map(|it| it.alloc.count).sum();
    assert_eq!(sum, 29 * one);
    assert!(text.contains("iova_exporter_other_devices 171\n"), "{text}");
}
