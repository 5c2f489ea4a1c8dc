//! The HTTP server: one thread, bounded connections, bounded time and memory for each. A client can only waste its own.

use super::http::{self, Page, Request, Status};
use super::latest::Latest;
use super::listen::Bound;
use crate::exit::Stop;
use iova_core::exposition::Exposed;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::task::{AbortHandle, LocalSet, spawn_local};
use tokio::time::{sleep, timeout};

/// Most connections at a time.
pub(super) const CONNECTIONS: usize = 128;
/// For the whole head of a request.
const READING: Duration = Duration::from_secs(5);
/// For the whole answer.
const WRITING: Duration = Duration::from_secs(10);
/// After an answer, for what the client still sends: a connection closed with unread input loses the answer.
const LINGERING: Duration = Duration::from_secs(1);
/// How much of that is read.
const LEFTOVERS: u64 = 64 << 10;
/// After a failure to accept (no descriptors left).
const BREATHER: Duration = Duration::from_millis(100);

trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

enum Listener {
    Tcp(tokio::net::TcpListener),
    Unix(tokio::net::UnixListener),
}

impl Listener {
    async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Tcp(listener) => Box::new(listener.accept().await?.0),
            Self::Unix(listener) => Box::new(listener.accept().await?.0),
        })
    }
}

/// Who was answered, but takes longer than this to read it, gives way to others if there is no room.
const PATIENCE: Duration = Duration::from_secs(1);

/// One connection.
struct Guest {
    task: AbortHandle,
    since: Instant,
    /// It has not said what it wants yet.
    silent: bool,
}

/// Who is there, and what was answered so far.
#[derive(Default)]
struct House {
    next: u64,
    guests: BTreeMap<u64, Guest>,
    answered: BTreeMap<Status, u64>,
    refused: u64,
}

type Shared = Rc<RefCell<House>>;

/// Answers in a thread of its own until the process ends.
pub(super) fn start(bound: Bound, latest: Arc<Latest>) -> Result<(), Stop> {
    let failed = |error: io::Error| Stop::internal(format!("the server can't be started: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
    let runtime = runtime.map_err(failed)?;
    let entered = runtime.enter();
    let listener = match bound {
        Bound::Tcp(listener) => tokio::net::TcpListener::from_std(listener).map(Listener::Tcp),
        Bound::Unix(listener, _) => tokio::net::UnixListener::from_std(listener).map(Listener::Unix),
    };
    let listener = listener.map_err(failed)?;
    drop(entered);
    std::thread::spawn(move || runtime.block_on(LocalSet::new().run_until(receive(listener, latest))));
    Ok(())
}

async fn receive(listener: Listener, latest: Arc<Latest>) {
    let house = Shared::default();
    loop {
        let Ok(stream) = listener.accept().await else {
            sleep(BREATHER).await;
            continue;
        };
        if !make_room(&house) {
            continue;
        }
        let id = house.borrow().next;
        let task = spawn_local(attend(stream, id, Arc::clone(&latest), Rc::clone(&house))).abort_handle();
        let mut house = house.borrow_mut();
        house.next += 1;
        house.guests.insert(id, Guest { task, since: Instant::now(), silent: true });
    }
}

/// With all places taken, who has been silent longest has to go, or else who reads most slowly: nobody keeps others out by
/// doing nothing.
fn make_room(house: &Shared) -> bool {
    let mut house = house.borrow_mut();
    if house.guests.len() < CONNECTIONS {
        return true;
    }
    house.refused += 1;
    // In the order in which they came.
    let silent = house.guests.iter().find(|(_, guest)| guest.silent);
    let slow = || house.guests.iter().find(|(_, guest)| guest.since.elapsed() > PATIENCE);
    let idler = silent.or_else(slow).map(|(&id, _)| id);
    let gone = idler.and_then(|id| house.guests.remove(&id));
    if let Some(guest) = &gone {
        guest.task.abort();
    }
    gone.is_some()
}

async fn attend(mut stream: Box<dyn Stream>, id: u64, latest: Arc<Latest>, house: Shared) {
    if let Some(asked) = listen(&mut stream).await {
        let answer = {
            let mut house = house.borrow_mut();
            if let Some(guest) = house.guests.get_mut(&id) {
                guest.silent = false;
            }
            Answer::to(asked, &latest, &mut house)
        };
        if let Ok(Ok(())) = timeout(WRITING, answer.send(&mut stream)).await {
            let _ = timeout(LINGERING, linger(&mut stream)).await;
        }
    }
    house.borrow_mut().guests.remove(&id);
}

/// The request, or what is wrong with it; `None` if the client has gone.
async fn listen(stream: &mut Box<dyn Stream>) -> Option<Result<Request, Status>> {
    let mut bytes = Vec::new();
    match timeout(READING, head(stream, &mut bytes)).await {
        Err(_) if bytes.is_empty() => None,
        Err(_) => Some(Err(Status::Timeout)),
        Ok(Err(_)) => None,
        Ok(Ok(Some(end))) => Some(http::parse(bytes.get(..end).unwrap_or_default())),
        Ok(Ok(None)) if bytes.is_empty() => None,
        Ok(Ok(None)) if bytes.len() >= http::LONGEST => Some(Err(Status::HeadersTooLarge)),
        // It ended in the middle.
        Ok(Ok(None)) => Some(Err(Status::BadRequest)),
    }
}

/// Reads up to the end of the head; where that is.
async fn head(stream: &mut Box<dyn Stream>, bytes: &mut Vec<u8>) -> io::Result<Option<usize>> {
    loop {
        let room = http::LONGEST.saturating_sub(bytes.len());
        let read = (&mut *stream).take(room as u64).read_buf(bytes).await?;
        if let Some(end) = http::end(bytes) {
            return Ok(Some(end));
        }
        if read == 0 {
            return Ok(None);
        }
    }
}

async fn linger(stream: &mut Box<dyn Stream>) -> io::Result<u64> {
    stream.shutdown().await?;
    tokio::io::copy(&mut stream.take(LEFTOVERS), &mut tokio::io::sink()).await
}

/// An answer: its own bytes around the ones that all share.
struct Answer {
    head: Vec<u8>,
    body: Option<Arc<[u8]>>,
    tail: Vec<u8>,
}

impl Answer {
    fn to(asked: Result<Request, Status>, latest: &Latest, house: &mut House) -> Self {
        let health = || if latest.stalled() { Status::Unavailable } else { Status::Ok };
        let (status, page, without_body) = match asked {
            Err(status) => (status, None, false),
            Ok(Request { page: Page::Health, head }) => (health(), Some(Page::Health), head),
            Ok(Request { page, head }) => (Status::Ok, Some(page), head),
        };
        *house.answered.entry(status).or_default() += 1;
        let (kind, body, tail) = match page {
            Some(Page::Metrics(format)) => {
                (format.content_type(), Some(latest.body(format)), latest.tail(format, of_server(house)))
            }
            Some(Page::Health) => (PLAIN, None, health_line(latest).into_bytes()),
            Some(Page::Landing) => (PLAIN, None, LANDING.into()),
            None => (PLAIN, None, format!("{}\n", status.phrase()).into_bytes()),
        };
        let length = body.as_ref().map_or(0, |body| body.len()) + tail.len();
        let head = status_line(status, kind, length);
        if without_body {
            return Self { head, body: None, tail: Vec::new() };
        }
        Self { head, body, tail }
    }

    async fn send(&self, stream: &mut Box<dyn Stream>) -> io::Result<()> {
        stream.write_all(&self.head).await?;
        if let Some(body) = &self.body {
            stream.write_all(body).await?;
        }
        stream.write_all(&self.tail).await?;
        stream.flush().await
    }
}

const PLAIN: &str = "text/plain; charset=utf-8";
const LANDING: &str = "iova export: metrics at /metrics, whether they are fresh at /healthz\n";

fn status_line(status: Status, kind: &str, length: usize) -> Vec<u8> {
    let mut head = format!(
        "HTTP/1.1 {} {}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\
         X-Content-Type-Options: nosniff\r\n",
        status as u16,
        status.phrase()
    );
    if status == Status::MethodNotAllowed {
        head.push_str("Allow: GET, HEAD\r\n");
    }
    head.push_str("\r\n");
    head.into_bytes()
}

fn health_line(latest: &Latest) -> String {
    let mut line = if latest.stalled() { "stalled" } else { "ok" }.to_owned();
    let _ = match latest.age() {
        Some(age) => write!(line, ": last reading {:.1} s ago", age.as_secs_f64()),
        None => write!(line, ": no reading yet"),
    };
    line + "\n"
}

/// What the server says of itself.
fn of_server<'a>(house: &House) -> Vec<Exposed<'a>> {
    let code =
        |(status, count): (&Status, &u64)| (Some(("code", (*status as u16).to_string())), *count as f64);
    let answered = Exposed::of("iova_exporter_requests", house.answered.iter().map(code));
    let refused = Exposed::of("iova_exporter_refused_connections", [(None, house.refused as f64)]);
    answered.into_iter().chain(refused).collect()
}
