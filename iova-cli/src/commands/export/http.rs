//! The little of HTTP/1.1 that a scrape needs, read strictly: GET and HEAD without a body, one request per connection.

use super::edition::Format;

/// Longest request that is read.
pub(super) const LONGEST: usize = 8 << 10;
/// Most header lines.
const HEADERS: usize = 64;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    Metrics(Format),
    Landing,
    Health,
}

/// A request that can be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) page: Page,
    /// HEAD: everything but the body.
    pub(super) head: bool,
}

/// An answer that is not what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Status {
    Ok = 200,
    BadRequest = 400,
    NotFound = 404,
    MethodNotAllowed = 405,
    Timeout = 408,
    ContentTooLarge = 413,
    HeadersTooLarge = 431,
    Unavailable = 503,
    Version = 505,
}

impl Status {
    pub(super) fn phrase(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::BadRequest => "Bad Request",
            Self::NotFound => "Not Found",
            Self::MethodNotAllowed => "Method Not Allowed",
            Self::Timeout => "Request Timeout",
            Self::ContentTooLarge => "Content Too Large",
            Self::HeadersTooLarge => "Request Header Fields Too Large",
            Self::Unavailable => "Service Unavailable",
            Self::Version => "HTTP Version Not Supported",
        }
    }
}

/// Where the head of a request ends, if all of it is there.
pub(super) fn end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

/// Understands the head of a request, its empty line included.
pub(super) fn parse(head: &[u8]) -> Result<Request, Status> {
    let text = std::str::from_utf8(head).map_err(|_| Status::BadRequest)?;
    let text = text.strip_suffix("\r\n\r\n").ok_or(Status::BadRequest)?;
    // Anything below a space but the ends of lines and tabs is an attempt at something else.
    if text.replace("\r\n", "").chars().any(|letter| letter.is_control() && letter != '\t') {
        return Err(Status::BadRequest);
    }
    let mut lines = text.split("\r\n");
    let (method, path, version) = first_line(lines.next().unwrap_or_default())?;
    let headers = headers(lines)?;
    if version == "HTTP/1.1" && !headers.host {
        return Err(Status::BadRequest);
    }
    let head = match method {
        "GET" => false,
        "HEAD" => true,
        _ => return Err(Status::MethodNotAllowed),
    };
    if headers.body {
        return Err(Status::ContentTooLarge);
    }
    let page = match path.split('?').next().unwrap_or_default() {
        "/metrics" => Page::Metrics(negotiate(headers.accept)),
        "/" => Page::Landing,
        "/healthz" => Page::Health,
        _ => return Err(Status::NotFound),
    };
    Ok(Request { page, head })
}

fn first_line(line: &str) -> Result<(&str, &str, &str), Status> {
    let mut words = line.split(' ');
    let (Some(method), Some(path), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Status::BadRequest);
    };
    let token = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
    if !token || !path.starts_with('/') || !version.starts_with("HTTP/") {
        return Err(Status::BadRequest);
    }
    if !matches!(version, "HTTP/1.1" | "HTTP/1.0") {
        return Err(Status::Version);
    }
    Ok((method, path, version))
}

#[derive(Default)]
struct Headers<'a> {
    host: bool,
    body: bool,
    accept: &'a str,
}

fn headers<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Headers<'a>, Status> {
    let mut headers = Headers::default();
    for (number, line) in lines.enumerate() {
        if number >= HEADERS {
            return Err(Status::HeadersTooLarge);
        }
        let (name, value) = line.split_once(':').ok_or(Status::BadRequest)?;
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(token) {
            return Err(Status::BadRequest);
        }
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "host" if headers.host => return Err(Status::BadRequest),
            "host" => headers.host = true,
            "content-length" if value != "0" => headers.body = true,
            "transfer-encoding" => headers.body = true,
            "accept" => headers.accept = value,
            _ => {}
        }
    }
    Ok(headers)
}

/// The format that is wanted most; what is named first wins among equals. Whoever wants none of ours gets text.
fn negotiate(accept: &str) -> Format {
    let mut best = (Format::Text, 0.0);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let parameters: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('=')).collect();
        let get =
            |name: &str| parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|it| it.1);
        let format = match kind.as_str() {
            "application/vnd.google.protobuf"
                if get("proto") == Some("io.prometheus.client.MetricFamily")
                    && get("encoding") == Some("delimited") =>
            {
                Format::Protobuf
            }
            "application/openmetrics-text" if matches!(get("version"), None | Some("1.0.0")) => {
                Format::OpenMetrics
            }
            "text/plain" | "text/*" | "*/*" => Format::Text,
            _ => continue,
        };
        let weight = get("q").map_or(1.0, |q| q.parse::<f64>().unwrap_or(0.0));
        if weight > best.1 {
            best = (format, weight);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(request: &str) -> Result<Page, Status> {
        parse(request.as_bytes()).map(|request| request.page)
    }

    #[test]
    fn what_is_asked_for() {
        assert_eq!(get("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), Ok(Page::Landing));
        assert_eq!(get("GET /healthz?x=1 HTTP/1.0\r\n\r\n"), Ok(Page::Health));
        let head = parse(b"HEAD /metrics HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        assert_eq!(head, Request { page: Page::Metrics(Format::Text), head: true });
    }

    #[test]
    fn what_is_refused() {
        let many = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "a: b\r\n".repeat(HEADERS));
        for (request, status) in [
            ("GET /metrics HTTP/1.1\r\n\r\n", Status::BadRequest),
            ("GET /metrics HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", Status::BadRequest),
            ("GET  /metrics HTTP/1.1\r\nHost: x\r\n\r\n", Status::BadRequest),
            ("GET metrics HTTP/1.1\r\nHost: x\r\n\r\n", Status::BadRequest),
            ("get /metrics HTTP/1.1\r\nHost: x\r\n\r\n", Status::BadRequest),
            ("GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", Status::BadRequest),
            ("GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", Status::BadRequest),
            ("GET / HTTP/1.1\r\nHost : x\r\n\r\n", Status::BadRequest),
            ("\r\n\r\n", Status::BadRequest),
            ("GET / HTTP/2\r\n\r\n", Status::Version),
            ("GET /x HTTP/1.0\r\n\r\n", Status::NotFound),
            ("POST /metrics HTTP/1.0\r\nContent-Length: 5\r\n\r\n", Status::MethodNotAllowed),
            ("GET /metrics HTTP/1.0\r\nContent-Length: 5\r\n\r\n", Status::ContentTooLarge),
            ("GET /metrics HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", Status::ContentTooLarge),
            (&many, Status::HeadersTooLarge),
        ] {
            assert_eq!(get(request), Err(status), "{request:?}");
        }
        assert_eq!(parse(b"GET /\xff HTTP/1.0\r\n\r\n"), Err(Status::BadRequest));
    }

    #[test]
    fn the_format_follows_what_scrapers_send() {
        const PROTO: &str =
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
        let both = format!(
            "{PROTO},application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
        );
        let late = format!("{PROTO};q=0.3,application/openmetrics-text;version=1.0.0;q=0.6,text/plain;q=0.5");
        for (accept, format) in [
            ("", Format::Text),
            ("*/*", Format::Text),
            ("text/html,application/xml;q=0.9", Format::Text),
            (
                "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5",
                Format::OpenMetrics,
            ),
            ("application/openmetrics-text;version=0.0.1;q=0.9,text/plain;q=0.5", Format::Text),
            (&both, Format::Protobuf),
            (&late, Format::OpenMetrics),
            ("application/vnd.google.protobuf", Format::Text),
        ] {
            assert_eq!(negotiate(accept), format, "{accept}");
        }
    }
}
