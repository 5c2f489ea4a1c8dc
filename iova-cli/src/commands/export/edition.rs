//! An edition: what the reader hands over after each reading, rendered in every format. The server answers from the last one.

use super::frame::{self, Kind};
use iova_core::exposition::{self, Exposed};
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::Duration;

/// A format of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Prometheus text 0.0.4.
    Text,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
    /// Prometheus' protobuf, delimited: with native histograms.
    Protobuf,
}

/// Every format.
const FORMATS: [Format; 3] = [Format::Text, Format::OpenMetrics, Format::Protobuf];

impl Format {
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        }
    }

    pub(super) fn render(self, families: &[Exposed<'_>]) -> Vec<u8> {
        match self {
            Self::Text => exposition::prometheus(families).into_bytes(),
            Self::OpenMetrics => exposition::openmetrics(families).into_bytes(),
            Self::Protobuf => exposition::protobuf(families),
        }
    }

    pub(super) fn end(self) -> &'static [u8] {
        if self == Self::OpenMetrics { b"# EOF\n" } else { b"" }
    }
}

/// A text in every format.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Texts {
    text: Arc<[u8]>,
    openmetrics: Arc<[u8]>,
    protobuf: Arc<[u8]>,
}

impl Texts {
    pub(super) fn render(families: &[Exposed<'_>]) -> Self {
        let mut texts = Self::default();
        FORMATS.into_iter().for_each(|format| texts.set(format, format.render(families)));
        texts
    }

    pub(super) fn get(&self, format: Format) -> &Arc<[u8]> {
        match format {
            Format::Text => &self.text,
            Format::OpenMetrics => &self.openmetrics,
            Format::Protobuf => &self.protobuf,
        }
    }

    fn set(&mut self, format: Format, text: Vec<u8>) {
        let place = match format {
            Format::Text => &mut self.text,
            Format::OpenMetrics => &mut self.openmetrics,
            Format::Protobuf => &mut self.protobuf,
        };
        *place = text.into();
    }
}

/// All that there is to answer with until the next reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Edition {
    /// Texts with all figures.
    pub(super) figures: Texts,
    /// Texts without them, for when they are too old.
    pub(super) withdrawn: Texts,
    /// The request for a collector, if one is due.
    pub(super) push: Option<Vec<u8>>,
    /// Time since the last reading; `None` if there was none.
    pub(super) age: Option<Duration>,
    /// Time between two readings.
    pub(super) interval: Duration,
}

/// Stands for an age that is not known.
const NO_AGE: u64 = u64::MAX;

impl Edition {
    /// Hands it over.
    pub(super) fn send(&self, pipe: &mut impl Write) -> io::Result<()> {
        for format in FORMATS {
            frame::write(pipe, Kind::Figures(format), self.figures.get(format))?;
            frame::write(pipe, Kind::Withdrawn(format), self.withdrawn.get(format))?;
        }
        if let Some(push) = &self.push {
            frame::write(pipe, Kind::Push, push)?;
        }
        let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(NO_AGE);
        let times = [self.age.map_or(NO_AGE, ns), ns(self.interval)];
        frame::write(pipe, Kind::Complete, times.map(u64::to_le_bytes).as_flattened())
    }

    /// Takes the next one over; `None` if the reader has ended in good order. A pipe that just ends is an error.
    pub(super) fn receive(pipe: &mut impl Read) -> io::Result<Option<Self>> {
        let mut edition = Self::default();
        loop {
            let (kind, content) = frame::read(pipe)?.ok_or(ErrorKind::UnexpectedEof)?;
            match kind {
                Kind::Figures(format) => edition.figures.set(format, content),
                Kind::Withdrawn(format) => edition.withdrawn.set(format, content),
                Kind::Push => edition.push = Some(content),
                Kind::Complete => {
                    (edition.age, edition.interval) = times(&content)?;
                    return Ok(Some(edition));
                }
                Kind::End => return Ok(None),
            }
        }
    }
}

fn times(content: &[u8]) -> io::Result<(Option<Duration>, Duration)> {
    let ([age, interval], []) = content.as_chunks::<8>() else {
        return Err(io::Error::new(ErrorKind::InvalidData, format!("times of {} bytes", content.len())));
    };
    let age = Some(u64::from_le_bytes(*age)).filter(|&age| age != NO_AGE);
    Ok((age.map(Duration::from_nanos), Duration::from_nanos(u64::from_le_bytes(*interval))))
}

#[cfg(test)]
mod tests {
    use super::super::testing::board;
    use super::*;

    fn edition() -> (Edition, Vec<u8>) {
        let edition = board("healthy").render();
        let mut pipe = Vec::new();
        edition.send(&mut pipe).unwrap();
        (edition, pipe)
    }

    #[test]
    fn an_edition_arrives_whole() {
        let (mut edition, mut pipe) = edition();
        edition.push = Some(b"{}".to_vec());
        edition.age = None;
        edition.send(&mut pipe).unwrap();
        frame::write(&mut pipe, Kind::End, b"").unwrap();
        let mut pipe = pipe.as_slice();
        let first = Edition::receive(&mut pipe).unwrap().unwrap();
        assert_eq!(first.figures, edition.figures);
        assert!(first.push.is_none() && first.age.is_some());
        assert_eq!(Edition::receive(&mut pipe).unwrap(), Some(edition));
        assert_eq!(Edition::receive(&mut pipe).unwrap(), None);
    }

    #[test]
    fn half_an_edition_is_an_error() {
        let (_, pipe) = edition();
        for end in [0, 3, pipe.len() / 2, pipe.len() - 1] {
            let error = Edition::receive(&mut &pipe[..end]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{end} of {}", pipe.len());
        }
        let mut times = Vec::new();
        frame::write(&mut times, Kind::Complete, &[0; 15]).unwrap();
        assert_eq!(Edition::receive(&mut times.as_slice()).unwrap_err().kind(), ErrorKind::InvalidData);
    }
}
