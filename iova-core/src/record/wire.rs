//! Numbers of one to ten bytes: seven bits in each, the lowest first.

/// There are no more bytes, or a number is larger than 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Short;

pub(super) fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Small numbers of either sign become small numbers.
pub(super) fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
}

pub(super) fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

/// Takes numbers off the front of bytes.
#[derive(Debug)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn take(&mut self) -> Result<u64, Short> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first().ok_or(Short)?;
            self.0 = rest;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Short);
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Short)
    }

    pub(super) fn slice(&mut self, length: u64) -> Result<&'a [u8], Short> {
        let length = usize::try_from(length).map_err(|_| Short)?;
        let (slice, rest) = self.0.split_at_checked(length).ok_or(Short)?;
        self.0 = rest;
        Ok(slice)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        let mut out = Vec::new();
        let numbers = [0, 1, 127, 128, 300, u64::from(u32::MAX), 1 << 53, u64::MAX - 1, u64::MAX];
        numbers.iter().for_each(|&number| put(&mut out, number));
        let mut bytes = Bytes(&out);
        for number in numbers {
            assert_eq!(bytes.take(), Ok(number));
        }
        assert_eq!((bytes.is_empty(), bytes.take()), (true, Err(Short)));
        for value in [0, 1, -1, 63, -64, i64::MAX, i64::MIN] {
            assert_eq!(unzigzag(zigzag(value)), value);
        }
        assert_eq!([zigzag(-1), zigzag(1), zigzag(-2)], [1, 2, 3]);
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for bad in [&[0x80][..], &[0xff; 10], &[0x80; 11], &[]] {
            assert_eq!(Bytes(bad).take(), Err(Short), "{bad:?}");
        }
        assert_eq!(Bytes(&[1, 2]).slice(3), Err(Short));
        assert_eq!(Bytes(&[1, 2]).slice(u64::MAX), Err(Short));
    }
}
