//! Frames on the guest's second UART.
//!
//! A frame is [`MAGIC`], one byte of [`Kind`], the payload's length as a little-endian `u32`, and the payload. One
//! stream carries both outputs of the command, so their bytes stay exactly as written (a terminal would turn `\n`
//! into `\r\n`) and a reader sees them in the order in which the guest did.

use std::io::{self, Read, Write};

/// Starts every frame, so that a stream that lost its step is noticed instead of printed.
pub const MAGIC: [u8; 2] = [0xf5, 0x1a];

/// The longest payload either side accepts: a length beyond it means that the stream is damaged.
pub const MAX_PAYLOAD: usize = 1 << 20;

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The guest is up and starts the command now. No payload.
    Started,
    /// Bytes of the command's standard output.
    Stdout,
    /// Bytes of the command's standard error.
    Stderr,
    /// One record of `/dev/kmsg`, as the kernel wrote it.
    Kmsg,
    /// A file follows; the payload is `INDEX/NAME`: which of [`Job::out`](crate::Job::out) it answers, and its path
    /// below the directory that one goes to.
    File,
    /// The next bytes of the file named last.
    Data,
    /// The [`Report`](crate::Report) as JSON. Sent exactly once, and last.
    Report,
}

const KINDS: [(Kind, u8); 7] = [
    (Kind::Started, b'S'),
    (Kind::Stdout, b'1'),
    (Kind::Stderr, b'2'),
    (Kind::Kmsg, b'K'),
    (Kind::File, b'F'),
    (Kind::Data, b'D'),
    (Kind::Report, b'R'),
];

impl Kind {
    fn code(self) -> u8 {
        KINDS.iter().find(|(kind, _)| *kind == self).map_or(0, |(_, code)| *code)
    }

    fn from_code(code: u8) -> Option<Kind> {
        KINDS.iter().find(|(_, c)| *c == code).map(|(kind, _)| *kind)
    }
}

/// Writes one frame; a payload longer than [`MAX_PAYLOAD`] is refused.
pub fn write(to: &mut impl Write, kind: Kind, payload: &[u8]) -> io::Result<()> {
    if payload.len() > MAX_PAYLOAD {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a frame's payload is limited to 1 MiB"));
    }
    let mut frame = Vec::with_capacity(payload.len() + 7);
    frame.extend(MAGIC);
    frame.push(kind.code());
    frame.extend((payload.len() as u32).to_le_bytes());
    frame.extend(payload);
    to.write_all(&frame)
}

/// Reads one frame; `None` at the end of the stream, also when it ends within a frame (a guest that was killed).
pub fn read(from: &mut impl Read) -> io::Result<Option<(Kind, Vec<u8>)>> {
    let mut head = [0; 7];
    if !fill(from, &mut head)? {
        return Ok(None);
    }
    let length = u32::from_le_bytes([head[3], head[4], head[5], head[6]]) as usize;
    let kind = match Kind::from_code(head[2]) {
        Some(kind) if head[..2] == MAGIC && length <= MAX_PAYLOAD => kind,
        _ => return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{head:02x?} starts no frame"))),
    };
    let mut payload = vec![0; length];
    Ok(fill(from, &mut payload)?.then_some((kind, payload)))
}

/// Fills the buffer; false if the stream ended first.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match from.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_as_written() {
        let mut stream = Vec::new();
        for (kind, _) in KINDS {
            write(&mut stream, kind, b"one\ntwo\r\n\0").unwrap();
        }
        let mut reader = stream.as_slice();
        for (kind, _) in KINDS {
            assert_eq!(read(&mut reader).unwrap(), Some((kind, b"one\ntwo\r\n\0".to_vec())));
        }
        assert_eq!(read(&mut reader).unwrap(), None);
    }

    #[test]
    fn a_cut_frame_is_the_end() {
        let mut stream = Vec::new();
        write(&mut stream, Kind::Stdout, b"hello").unwrap();
        for cut in 0..stream.len() {
            assert_eq!(read(&mut &stream[..cut]).unwrap(), None);
        }
    }

    #[test]
    fn noise_is_refused() {
        assert!(read(&mut &b"login: root"[..]).is_err());
        assert!(read(&mut &[0xf5, 0x1a, b'1', 0xff, 0xff, 0xff, 0xff][..]).is_err());
        assert!(write(&mut Vec::new(), Kind::Stdout, &vec![0; MAX_PAYLOAD + 1]).is_err());
    }
}
