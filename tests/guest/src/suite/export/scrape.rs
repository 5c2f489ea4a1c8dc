//! A scraper: the little of HTTP that it takes, and what every text must be.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// A connection is there as soon as the exporter listens, the answer when it has attached.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a sample's name may have behind its family's.
const SUFFIXES: [&str; 6] = ["", "_total", "_info", "_bucket", "_sum", "_count"];

/// An answer to `GET`.
pub(super) struct Answer {
    pub(super) status: String,
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

/// Asks at an address, as `--listen` has it.
pub(super) fn get(address: &str, path: &str, accept: &str) -> Result<Answer> {
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: test\r\nAccept: {accept}\r\nConnection: close\r\n\r\n");
    let mut bytes = Vec::new();
    if let Some(socket) = address.strip_prefix("unix:") {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(request.as_bytes())?;
        stream.read_to_end(&mut bytes)?;
    } else {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(request.as_bytes())?;
        stream.read_to_end(&mut bytes)?;
    }
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").context("an answer without a head")?;
    let head = String::from_utf8(bytes.drain(..end + 4).collect())?;
    let status = head.split_whitespace().nth(1).context("an answer without a status")?.to_owned();
    Ok(Answer { status, head, body: bytes })
}

/// The samples of one text.
#[derive(Debug)]
pub(super) struct Scrape {
    /// By name and labels, as they stand there.
    samples: BTreeMap<String, f64>,
    /// Families that only grow.
    counters: Vec<String>,
}

impl Scrape {
    /// Prometheus' text.
    pub(super) fn text(address: &str) -> Result<Self> {
        let answer = get(address, "/metrics", "text/plain")?;
        ensure!(answer.status == "200", "{}", answer.head);
        Self::parse(&String::from_utf8(answer.body)?)
    }

    /// The text of `OpenMetrics`, which has an end.
    pub(super) fn openmetrics(address: &str) -> Result<Self> {
        let answer = get(address, "/metrics", "application/openmetrics-text; version=1.0.0")?;
        ensure!(answer.head.contains("application/openmetrics-text; version=1.0.0"), "{}", answer.head);
        let text = String::from_utf8(answer.body)?;
        let text = text.strip_suffix("# EOF\n").context("no end")?;
        ensure!(!text.contains("# EOF"), "an end in the middle");
        Self::parse(text)
    }

    /// Each family once, told of before its samples; each series once; each value a number.
    fn parse(text: &str) -> Result<Self> {
        let mut scrape = Self { samples: BTreeMap::new(), counters: Vec::new() };
        let (mut told, mut typed) = (Vec::new(), Vec::new());
        for line in text.lines() {
            let words: Vec<_> = line.splitn(4, ' ').collect();
            match words[..] {
                ["#", "HELP", name, help] => {
                    ensure!(!help.is_empty() && !told.contains(&name), "{name} is told twice, or not");
                    told.push(name);
                }
                ["#", "TYPE", name, kind] => {
                    ensure!(told.contains(&name) && !typed.contains(&name), "the place of {line}");
                    typed.push(name);
                    scrape.counters.extend((kind == "counter").then(|| name.to_owned()));
                }
                ["#", "UNIT", ..] => {}
                _ => scrape.add(line, typed.last().context("a sample before all families")?)?,
            }
        }
        ensure!(!scrape.samples.is_empty(), "no samples");
        Ok(scrape)
    }

    fn add(&mut self, line: &str, family: &str) -> Result<()> {
        let (series, value) = line.rsplit_once(' ').with_context(|| format!("no value: {line}"))?;
        let behind = name(series).strip_prefix(family).with_context(|| format!("{line} after {family}"))?;
        ensure!(SUFFIXES.contains(&behind), "{line} after {family}");
        let value = value.parse().with_context(|| line.to_owned())?;
        ensure!(self.samples.insert(series.to_owned(), value).is_none(), "{series} is there twice");
        Ok(())
    }

    /// All series of a name that have this among their labels.
    pub(super) fn all<'a>(&'a self, wanted: &'a str, label: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
        let series = self.samples.iter().map(|(series, &value)| (series.as_str(), value));
        series.filter(move |(series, _)| name(series) == wanted && series.contains(label))
    }

    /// The only one, if there is any.
    pub(super) fn one(&self, wanted: &str, label: &str) -> Result<Option<f64>> {
        let mut found = self.all(wanted, label);
        let first = found.next().map(|(_, value)| value);
        if let Some((series, _)) = found.next() {
            bail!("{series} is not the only one with {label}");
        }
        Ok(first)
    }

    /// The only one, which is there.
    pub(super) fn value(&self, wanted: &str, label: &str) -> Result<f64> {
        self.one(wanted, label)?.with_context(|| format!("there is no {wanted} with {label}"))
    }

    /// The series of an info family that has this among its labels.
    pub(super) fn info(&self, wanted: &str, label: &str) -> Result<&str> {
        let series = self.samples.keys().find(|series| name(series) == wanted && series.contains(label));
        series.map(String::as_str).with_context(|| format!("no {wanted} with {label}"))
    }

    /// No series of a counter is lower than in an earlier scrape.
    pub(super) fn follows(&self, earlier: &Self) -> Result<()> {
        for (series, &before) in &earlier.samples {
            let counts = self.counters.iter().any(|family| name(series) == family);
            if let (true, Some(&now)) = (counts, self.samples.get(series)) {
                ensure!(now >= before, "{series} fell from {before} to {now}");
            }
        }
        Ok(())
    }
}

/// What a label of a series says.
pub(super) fn label<'a>(series: &'a str, label: &str) -> Result<&'a str> {
    let value = series.split_once(&format!("{label}=\"")).and_then(|(_, rest)| rest.split('"').next());
    value.with_context(|| format!("{series} has no {label}"))
}

fn name(series: &str) -> &str {
    series.split('{').next().unwrap_or_default()
}
