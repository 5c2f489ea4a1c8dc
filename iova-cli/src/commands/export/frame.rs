//! Frames in the pipe from the reader to the server: a byte for the kind, four for the length, and the content.

use super::edition::Format;
use std::io::{self, ErrorKind, Read, Write};

/// Longest content, in bytes. `--top 1000` stays below a quarter of it.
pub(super) const LONGEST: usize = 64 << 20;

/// Kind of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The figures in this format.
    Figures(Format),
    /// Text without figures, for when readings have stopped.
    Withdrawn(Format),
    /// The request for an OpenTelemetry collector.
    Push,
    /// Age and interval; with it an edition is complete.
    Complete,
    /// The reader ends in good order.
    End,
}

/// Every kind; its place in this list is its byte in the pipe.
const KINDS: [Kind; 9] = [
    Kind::Figures(Format::Text),
    Kind::Figures(Format::OpenMetrics),
    Kind::Figures(Format::Protobuf),
    Kind::Withdrawn(Format::Text),
    Kind::Withdrawn(Format::OpenMetrics),
    Kind::Withdrawn(Format::Protobuf),
    Kind::Push,
    Kind::Complete,
    Kind::End,
];

/// Writes one frame.
pub(super) fn write(pipe: &mut impl Write, kind: Kind, content: &[u8]) -> io::Result<()> {
    let code = KINDS.iter().position(|&other| other == kind).and_then(|place| u8::try_from(place).ok());
    let length = u32::try_from(content.len()).ok().filter(|_| content.len() <= LONGEST);
    let (Some(code), Some(length)) = (code, length) else {
        return Err(io::Error::new(ErrorKind::InvalidInput, format!("a text of {} bytes", content.len())));
    };
    let [a, b, c, d] = length.to_le_bytes();
    pipe.write_all(&[code, a, b, c, d])?;
    pipe.write_all(content)
}

/// Reads one frame; `None` if the pipe has ended before it. A frame that is cut off, too long or of no kind is an error.
pub(super) fn read(pipe: &mut impl Read) -> io::Result<Option<(Kind, Vec<u8>)>> {
    let mut code = Vec::new();
    pipe.by_ref().take(1).read_to_end(&mut code)?;
    let Some(&code) = code.first() else { return Ok(None) };
    let invalid = |what: String| io::Error::new(ErrorKind::InvalidData, what);
    let kind = KINDS.get(usize::from(code)).ok_or_else(|| invalid(format!("a frame of kind {code}")))?;
    let mut length = [0; 4];
    pipe.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length);
    if length as usize > LONGEST {
        return Err(invalid(format!("a frame of {length} bytes")));
    }
    // Memory grows with what comes, not with what the length promises.
    let mut content = Vec::new();
    pipe.by_ref().take(length.into()).read_to_end(&mut content)?;
    if content.len() < length as usize {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(Some((*kind, content)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_as_they_went() {
        let mut pipe = Vec::new();
        for kind in KINDS {
            write(&mut pipe, kind, format!("{kind:?}").as_bytes()).unwrap();
        }
        write(&mut pipe, Kind::Push, b"").unwrap();
        let mut pipe = pipe.as_slice();
        for kind in KINDS {
            assert_eq!(read(&mut pipe).unwrap(), Some((kind, format!("{kind:?}").into_bytes())));
        }
        assert_eq!(read(&mut pipe).unwrap(), Some((Kind::Push, Vec::new())));
        assert_eq!(read(&mut pipe).unwrap(), None);
    }

    #[test]
    fn a_frame_that_is_cut_off_is_an_error_wherever_it_is_cut() {
        let mut whole = Vec::new();
        write(&mut whole, Kind::Push, b"content").unwrap();
        for end in 1..whole.len() {
            let error = read(&mut &whole[..end]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{end}");
        }
    }

    #[test]
    fn a_frame_that_is_too_long_is_an_error_on_both_sides() {
        let longer = u32::try_from(LONGEST + 1).unwrap();
        for length in [longer, u32::MAX] {
            let [a, b, c, d] = length.to_le_bytes();
            let error = read(&mut [0, a, b, c, d].as_slice()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData);
        }
        let mut pipe = Vec::new();
        let error = write(&mut pipe, Kind::Push, &vec![0; LONGEST + 1]).unwrap_err();
        assert_eq!((error.kind(), pipe.len()), (ErrorKind::InvalidInput, 0));
    }

    #[test]
    fn a_frame_of_no_kind_is_an_error() {
        for code in KINDS.len()..256 {
            let frame = [u8::try_from(code).unwrap(), 0, 0, 0, 0];
            assert_eq!(read(&mut frame.as_slice()).unwrap_err().kind(), ErrorKind::InvalidData);
        }
    }
}
