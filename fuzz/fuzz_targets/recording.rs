//! Whatever is in a file, reading it ends, with samples or with a sentence.
//!
//! The first byte chooses: the rest is a file as it is, or frames whose checksums are made right, each a byte for its
//! kind, two for its length, and its payload. So the fuzzer gets behind the checksums.
#![no_main]

use iova_core::record::{Reader, file_of};
use libfuzzer_sys::fuzz_target;

/// More steps than this are only more of the same.
const MOST: usize = 2000;

fuzz_target!(|data: &[u8]| {
    let Some((&how, rest)) = data.split_first() else { return };
    let file = if how % 2 == 0 { rest.to_vec() } else { file_of(frames(rest)) };
    let Ok(mut reader) = Reader::new(&file[..]) else { return };
    for _ in 0..MOST {
        match reader.next_item() {
            Ok(Some(_)) => {}
            _ => break,
        }
    }
});

fn frames(mut rest: &[u8]) -> Vec<(u8, &[u8])> {
    let mut frames = Vec::new();
    while let [kind, low, high, tail @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(tail.len());
        let (payload, next) = tail.split_at(length);
        frames.push((kind % 8, payload));
        rest = next;
    }
    frames
}
