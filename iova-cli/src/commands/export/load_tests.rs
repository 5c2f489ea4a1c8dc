//! Clients that are many, slow, broken or hostile: the server goes on answering, and nothing piles up.

use super::edition::Format;
use super::listen::Address;
use super::server::{self, CONNECTIONS};
use super::testing::{board, empty_board, large, latest, serve, steps};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Descriptors and memory are the whole process's: one of these tests at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Everything the server says to `request`; empty if it just closes.
fn say(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = connect(address);
    // The server may have refused before it has read all.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn get(address: SocketAddr, path: &str) -> String {
    say(address, format!("GET {path} HTTP/1.1\r\nHost: iova\r\n\r\n").as_bytes())
}

fn status(answer: &str) -> u16 {
    answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).map_or(0, |code| code.parse().unwrap())
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Memory in use, KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Other tests of this process open a few files; connections that leak are many more.
fn no_more_than(before: usize) {
    let end = Instant::now() + Duration::from_secs(20);
    while descriptors() > before + 20 {
        assert!(Instant::now() < end, "{} descriptors, {before} before", descriptors());
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn answers_within_a_second(address: SocketAddr) {
    let start = Instant::now();
    assert_eq!(status(&get(address, "/metrics")), 200);
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

#[test]
fn every_page_and_every_refusal_has_its_status() {
    let address = serve(&Arc::new(board("healthy")));
    for (path, code, says) in [
        ("/metrics", 200, "iova_alloc_total{"),
        ("/metrics?x=1", 200, "iova_exporter_stalled 0"),
        ("/", 200, "/metrics"),
        ("/healthz", 200, "ok: last reading"),
        ("/favicon.ico", 404, "Not Found"),
    ] {
        let answer = get(address, path);
        assert_eq!(status(&answer), code, "{answer}");
        assert!(body(&answer).contains(says), "{path}: {says}");
        let length = answer.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
        assert_eq!(length.parse::<usize>().unwrap(), body(&answer).len(), "{path}");
    }
    let head = say(address, b"HEAD /metrics HTTP/1.0\r\n\r\n");
    assert_eq!((status(&head), body(&head)), (200, ""));
    let post = say(address, b"POST /metrics HTTP/1.0\r\n\r\n");
    assert!(status(&post) == 405 && post.contains("Allow: GET, HEAD\r\n"), "{post}");
    let counted = get(address, "/metrics");
    assert!(counted.contains("iova_exporter_requests_total{code=\"404\"} 1\n"), "{counted}");
}

#[test]
fn a_unix_socket_answers_and_goes() {
    let path = std::env::temp_dir().join(format!("iova-export-load-{}.sock", std::process::id()));
    let bound = Address::Unix(path.clone()).bind().unwrap_or_else(|stop| panic!("{}", stop.message));
    let place = bound.place();
    server::start(bound, latest(&board("healthy"))).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(status(&answer), 200, "{answer}");
    drop(place);
    assert!(!path.exists());
}

#[test]
fn a_hundred_clients_get_the_same_text() {
    let _alone = alone();
    let address = serve(&Arc::new(board("healthy")));
    get(address, "/metrics");
    let (descriptors, memory) = (descriptors(), resident());
    let start = Instant::now();
    let clients = (0..100).map(|_| std::thread::spawn(move || get(address, "/metrics")));
    let clients: Vec<_> = clients.collect();
    let answers: Vec<String> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    let shared =
        |answer: &str| body(answer).split("# HELP iova_exporter_last_sample_age").next().map(str::len);
    assert!(answers.iter().all(|answer| status(answer) == 200 && shared(answer) == shared(&answers[0])));
    drop(answers);
    no_more_than(descriptors);
    assert!(resident() < memory + (64 << 10), "{} KiB, {memory} before", resident());
}

#[test]
fn those_who_say_nothing_keep_nobody_out() {
    let _alone = alone();
    let address = serve(&Arc::new(board("healthy")));
    get(address, "/metrics");
    let before = descriptors();
    // One byte at a time, and more of them than there are places.
    let mut slow: Vec<TcpStream> = (0..CONNECTIONS + 40).map(|_| connect(address)).collect();
    for _ in 0..3 {
        slow.iter_mut().for_each(|stream| drop(stream.write_all(b"G")));
        answers_within_a_second(address);
    }
    let metrics = get(address, "/metrics");
    assert!(refused(&metrics) >= 40, "{metrics}");
    // The rest hears that it was too slow.
    let mut answer = String::new();
    slow.last_mut().unwrap().read_to_string(&mut answer).unwrap();
    assert_eq!(status(&answer), 408, "{answer}");
    drop(slow);
    no_more_than(before);
}

fn refused(metrics: &str) -> u64 {
    let count = |line: &str| line.strip_prefix("iova_exporter_refused_connections_total ")?.parse().ok();
    metrics.lines().find_map(count).unwrap()
}

/// More than a socket holds, for more clients than there are places, none of whom reads.
#[test]
fn those_who_read_nothing_keep_nobody_out() {
    let _alone = alone();
    let path = std::env::temp_dir().join(format!("iova-export-deaf-{}.sock", std::process::id()));
    let bound = Address::Unix(path.clone()).bind().unwrap_or_else(|stop| panic!("{}", stop.message));
    let board = empty_board(Duration::from_secs(60));
    board.absorb(large(&steps("filling")[27]));
    let latest = latest(&board);
    assert!(latest.body(Format::Text).len() > 240 << 10, "{}", latest.body(Format::Text).len());
    let _place = bound.place();
    server::start(bound, latest).unwrap();
    let before = descriptors();
    let ask = |request: &[u8]| {
        let mut stream = UnixStream::connect(&path).unwrap();
        let _ = stream.write_all(request);
        stream
    };
    let deaf: Vec<UnixStream> = (0..CONNECTIONS).map(|_| ask(b"GET /metrics HTTP/1.0\r\n\r\n")).collect();
    std::thread::sleep(Duration::from_millis(1500));
    let start = Instant::now();
    let mut answer = String::new();
    ask(b"GET /healthz HTTP/1.0\r\n\r\n").read_to_string(&mut answer).unwrap();
    assert_eq!(status(&answer), 200, "{answer:?}");
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    // One of them had to go for that.
    let mut metrics = String::new();
    ask(b"GET /metrics HTTP/1.0\r\n\r\n").read_to_string(&mut metrics).unwrap();
    assert!(refused(&metrics) >= 1, "{metrics}");
    drop(deaf);
    no_more_than(before);
}

#[test]
fn what_is_too_long_broken_or_half_is_answered_and_forgotten() {
    let _alone = alone();
    let address = serve(&Arc::new(board("healthy")));
    get(address, "/metrics");
    let (before, memory) = (descriptors(), resident());
    let long = format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n", "a".repeat(1 << 20));
    for _ in 0..20 {
        assert_eq!(status(&say(address, long.as_bytes())), 431);
        assert_eq!(
            status(&say(address, b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n123456789")),
            413
        );
    }
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for round in 0..200 {
        let mut garbage: Vec<u8> = Vec::new();
        for _ in 0..round * 8 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            garbage.push(random as u8);
        }
        garbage.extend(b"\r\n\r\n");
        let answer = say(address, &garbage);
        assert_eq!(status(&answer), 400, "{answer}");
    }
    // Half closed: the whole request is there, or only half of it.
    for (request, code) in [("GET /healthz HTTP/1.0\r\n\r\n", 200), ("GET /heal", 400)] {
        let mut stream = connect(address);
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(status(&answer), code, "{answer}");
    }
    answers_within_a_second(address);
    no_more_than(before);
    assert!(resident() < memory + (32 << 10), "{} KiB, {memory} before", resident());
}
