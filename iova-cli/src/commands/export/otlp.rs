//! Pushing to an OpenTelemetry collector: OTLP over plain HTTP, in JSON. In a thread of its own, so that a collector that
//! is slow or gone holds up nothing; what is cumulative loses nothing when a push fails.

use super::latest::Latest;
use crate::exit::Stop;
use crate::output;
use std::fs;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// For each of connecting, writing, and reading the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pauses before a push is tried again; then it is given up, and the next one says the same and more.
const RETRIES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];
/// Who measures more often than this is not the measure of pushing.
const OFTEN: Duration = Duration::from_secs(5);
/// Between two pushes then.
const USUAL: Duration = Duration::from_secs(15);
/// Longest answer that is read.
const ANSWER: u64 = 64 << 10;

/// Where to push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Collector {
    /// HOST:PORT.
    authority: String,
    path: String,
}

impl FromStr for Collector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix("http://").ok_or_else(|| {
            "give an http:// URL, as in http://127.0.0.1:4318/v1/metrics; for TLS, put a collector on this host".to_owned()
        })?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let bad = |text: &str| text.bytes().any(|byte| byte <= b' ' || byte >= 0x7f);
        if authority.is_empty() || authority.contains('@') || bad(rest) {
            return Err(
                "give an http:// URL with a host and no user, as in http://127.0.0.1:4318/v1/metrics"
                    .to_owned(),
            );
        }
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let authority = if has_port { authority.to_owned() } else { format!("{authority}:80") };
        Ok(Self { authority, path: if path.is_empty() { "/v1/metrics".to_owned() } else { path.to_owned() } })
    }
}

/// What came of a push.
enum Failure {
    /// It may work later.
    Passing(String),
    /// It will not.
    Lasting(String),
}

/// Time between two pushes.
pub(super) fn period(interval: Duration) -> Duration {
    if interval < OFTEN { USUAL } else { interval }
}

/// Pushes whatever is due until the process ends.
pub(super) fn start(collector: Collector, latest: Arc<Latest>) -> Result<(), Stop> {
    let pushing = move || {
        let (mut said, mut seen) = (false, 0);
        loop {
            let (number, body) = latest.next_push(seen);
            seen = number;
            let result = push(&collector, &body, &RETRIES);
            match (&result, said) {
                (Err(why), false) => output::complain(&format!(
                    "--otlp http://{}{}: {why}; it is tried again every {} s",
                    collector.authority,
                    collector.path,
                    period(latest.interval()).as_secs()
                )),
                (Ok(()), true) => output::complain("--otlp: the collector takes metrics again"),
                _ => {}
            }
            said = result.is_err();
        }
    };
    let thread = std::thread::Builder::new().name("otlp".to_owned()).spawn(pushing);
    thread.map(drop).map_err(|error| Stop::internal(format!("a thread can't be started: {error}")))
}

/// Name of this host, for the collector.
pub(super) fn host() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

fn push(collector: &Collector, body: &[u8], pauses: &[Duration]) -> Result<(), String> {
    let mut pauses = pauses.iter();
    loop {
        let passing = match once(collector, body) {
            Ok(()) => return Ok(()),
            Err(Failure::Lasting(why)) => return Err(why),
            Err(Failure::Passing(why)) => why,
        };
        std::thread::sleep(*pauses.next().ok_or(passing)?);
    }
}

fn once(collector: &Collector, body: &[u8]) -> Result<(), Failure> {
    let answer = exchange(collector, body).map_err(|error| Failure::Passing(error.to_string()))?;
    let line = answer.lines().next().unwrap_or_default();
    let status = line
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.get(2..5))
        .and_then(|code| code.parse::<u16>().ok());
    match status {
        Some(200..=299) => Ok(()),
        // What the OTLP specification calls retryable.
        Some(code @ (429 | 502 | 503 | 504)) => Err(Failure::Passing(format!("it answers {code}"))),
        Some(code) => Err(Failure::Lasting(format!("it answers {code}"))),
        None => Err(Failure::Lasting("it does not speak HTTP".to_owned())),
    }
}

/// The head of the answer, at least.
fn exchange(collector: &Collector, body: &[u8]) -> io::Result<String> {
    let mut stream = connect(&collector.authority)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: iova/{}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        collector.path,
        collector.authority,
        env!("CARGO_PKG_VERSION"),
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let end = Instant::now() + PATIENCE;
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    while !answer.windows(4).any(|window| window == b"\r\n\r\n") && (answer.len() as u64) < ANSWER {
        let left = end.saturating_duration_since(Instant::now());
        // Zero means "for ever" to the kernel.
        stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        match stream.read(&mut part)? {
            0 => break,
            read => answer.extend(part.get(..read).unwrap_or_default()),
        }
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn connect(authority: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::from(ErrorKind::AddrNotAvailable);
    for address in authority.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::super::testing::board;
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn urls() {
        let collector: Collector = "http://127.0.0.1:4318/v1/metrics".parse().unwrap();
        assert_eq!(
            (collector.authority.as_str(), collector.path.as_str()),
            ("127.0.0.1:4318", "/v1/metrics")
        );
        let short: Collector = "http://collector".parse().unwrap();
        assert_eq!((short.authority.as_str(), short.path.as_str()), ("collector:80", "/v1/metrics"));
        for bad in ["", "https://x", "x:4318", "http://", "http://u@x/", "http://x/a b", "http://x\r\nA: b/"]
        {
            assert!(bad.parse::<Collector>().is_err(), "{bad}");
        }
    }

    /// A collector that gives these answers, one after the other, and what it was sent.
    fn collector(answers: &'static [&'static str]) -> (Collector, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1/metrics", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            let taken = answers.iter().map(|answer| {
                let (mut stream, _) = listener.accept().unwrap();
                let mut got = Vec::new();
                let mut part = [0; 4096];
                let complete = |got: &[u8]| {
                    let text = String::from_utf8_lossy(got).into_owned();
                    let (head, body) = text.split_once("\r\n\r\n")?;
                    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "))?;
                    (body.len() == length.parse::<usize>().unwrap()).then(|| body.to_owned())
                };
                while complete(&got).is_none() {
                    let read = stream.read(&mut part).unwrap();
                    got.extend(&part[..read]);
                }
                stream.write_all(answer.as_bytes()).unwrap();
                complete(&got).unwrap()
            });
            taken.collect()
        });
        (url.parse().unwrap(), thread)
    }

    #[test]
    fn a_push_is_tried_again_where_that_may_help() {
        let body = board("healthy").otlp("lab").to_string();
        let (url, taken) =
            collector(&["HTTP/1.1 503 Busy\r\n\r\n", "", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"]);
        // An empty answer is no HTTP: that is not tried again.
        let pauses = [Duration::from_millis(1); 3];
        assert_eq!(push(&url, body.as_bytes(), &pauses), Err("it does not speak HTTP".to_owned()));
        assert_eq!(push(&url, body.as_bytes(), &pauses), Ok(()));
        let taken = taken.join().unwrap();
        assert!(taken.iter().all(|sent| *sent == body));
        let json: serde_json::Value = serde_json::from_str(&taken[0]).unwrap();
        assert_eq!(json["resourceMetrics"][0]["resource"]["attributes"][1]["value"]["stringValue"], "lab");
    }

    #[test]
    fn a_refusal_is_final_and_a_collector_that_is_gone_is_given_up() {
        let (url, taken) = collector(&["HTTP/1.1 400 Bad Request\r\n\r\n"]);
        let pauses = [Duration::from_millis(1); 3];
        assert_eq!(push(&url, b"{}", &pauses), Err("it answers 400".to_owned()));
        taken.join().unwrap();
        // Its listener is closed by now.
        assert!(push(&url, b"{}", &pauses).unwrap_err().contains("refused"));
    }
}
