//! Beginning in the middle: the index says where whole samples are.

use std::io::{Read, Seek, SeekFrom};

use super::frame::{self, Found, Index, Kind};
use super::reader::words;
use super::{Look, Reader, RecordError};

impl<R: Read + Seek> Reader<R> {
    /// Goes on at the last whole sample that was read at `ns` (CLOCK_MONOTONIC) or before, which the next moment is then;
    /// devices that were looked at on the way come with it. Stays where it is if that is no way forward, or if there is
    /// no index, because the writer died: then false.
    pub fn skip_to(&mut self, ns: u64) -> Result<bool, RecordError> {
        let start = self.at;
        let keys = self.index()?.unwrap_or_default().keys;
        let key = keys.iter().filter(|(at, key_ns)| *key_ns <= ns && *at > start).map(|(at, _)| *at).max();
        self.input.seek(SeekFrom::Start(start))?;
        let Some(key) = key else { return Ok(false) };
        let mut look = None;
        while self.at < key && self.pass(&mut look)? {}
        if self.at == key {
            (self.block, self.now, self.look) = (None, None, look.or(self.look.take()));
            return Ok(true);
        }
        // It leads astray.
        self.at = start;
        self.input.seek(SeekFrom::Start(start))?;
        Ok(false)
    }

    /// Passes a frame over, unless it is a look; false at the end.
    fn pass(&mut self, last: &mut Option<Look>) -> Result<bool, RecordError> {
        let Some((kind, length)) = frame::read_head(&mut self.input)? else { return Ok(false) };
        if kind == Kind::Look as u32 {
            self.input.seek(SeekFrom::Start(self.at))?;
            let Ok(Found::Frame { payload, .. }) = frame::read(&mut self.input, self.at) else {
                return Ok(false);
            };
            let Ok(look) = words::<Look>(self.at, &payload) else { return Ok(false) };
            let known = last.take().and_then(|look| look.inventory);
            *last = Some(Look { inventory: look.inventory.or(known), ..look });
        }
        self.at = self.at.saturating_add(length);
        self.input.seek(SeekFrom::Start(self.at))?;
        Ok(true)
    }

    /// The index, if the file was ended properly.
    fn index(&mut self) -> Result<Option<Index>, RecordError> {
        let end = self.input.seek(SeekFrom::End(0))?;
        let Some(trailer_at) = end.checked_sub(frame::TRAILER) else { return Ok(None) };
        self.input.seek(SeekFrom::Start(trailer_at))?;
        let Some(at) = frame::read_trailer(&mut self.input)? else { return Ok(None) };
        self.input.seek(SeekFrom::Start(at))?;
        match frame::read(&mut self.input, at) {
            Ok(Found::Frame { kind: Kind::Index, payload, .. }) => Ok(words(at, &payload).ok()),
            Err(RecordError::Io(error)) => Err(error.into()),
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::time::Duration;

    use super::super::tests::{head, samples};
    use super::super::{Ending, Options, Writer};
    use super::*;
    use crate::model::testdata::inventory;

    /// A key every ten seconds; somebody looks at second 12.
    fn written() -> Vec<u8> {
        let mut bytes = Vec::new();
        let options = Options { block: 4, key_every: Duration::from_secs(10) };
        let mut writer = Writer::new(&mut bytes, &head(), options).unwrap();
        for (second, sample) in samples(60).iter().enumerate() {
            if second == 12 {
                writer.look(&Look { inventory: Some(inventory()), snapshot: None }).unwrap();
            }
            writer.sample(sample).unwrap();
        }
        writer.finish(&Ending::default()).unwrap();
        bytes
    }

    fn next(reader: &mut Reader<Cursor<Vec<u8>>>) -> (u64, bool) {
        let moment = reader.next_moment().unwrap().unwrap();
        (moment.sample.ns / 1_000_000_000, moment.look.is_some())
    }

    #[test]
    fn it_goes_on_at_the_key_before() {
        let mut reader = Reader::new(Cursor::new(written())).unwrap();
        let ns = |second: u64| second * 1_000_000_000 + 999;
        reader.skip_to(ns(0)).unwrap();
        assert_eq!(next(&mut reader), (0, false));
        reader.skip_to(ns(35)).unwrap();
        assert_eq!(next(&mut reader), (30, true));
        // Never back.
        reader.skip_to(ns(5)).unwrap();
        assert_eq!(next(&mut reader), (31, false));
        reader.skip_to(u64::MAX).unwrap();
        assert_eq!(next(&mut reader).0, 50);
        let mut rest = 0;
        while reader.next_moment().unwrap().is_some() {
            rest += 1;
        }
        assert_eq!((rest, reader.flaw(), reader.ending().is_some()), (9, None, true));
    }

    #[test]
    fn what_follows_is_what_is_read_from_the_start() {
        let (mut whole, mut part) =
            (Reader::new(Cursor::new(written())).unwrap(), Reader::new(Cursor::new(written())).unwrap());
        part.skip_to(45_000_000_000).unwrap();
        let first = part.next_moment().unwrap().unwrap();
        while whole.next_moment().unwrap().unwrap().sample != first.sample {}
        while let Some(moment) = part.next_moment().unwrap() {
            assert_eq!(whole.next_moment().unwrap().unwrap(), moment);
        }
        assert!(whole.next_moment().unwrap().is_none());
    }

    #[test]
    fn without_an_index_or_with_a_wrong_one_it_stays() {
        let whole = written();
        for (cut, change) in [(whole.len() - 1, None), (whole.len(), Some(whole.len() - 16)), (2000, None)] {
            let mut bytes = whole[..cut].to_vec();
            change.into_iter().for_each(|at: usize| bytes[at] ^= 1);
            let mut reader = Reader::new(Cursor::new(bytes)).unwrap();
            reader.skip_to(u64::MAX).unwrap();
            assert_eq!(next(&mut reader).0, 0);
        }
    }
}
