//! Numbers that are alike, each in as few bits as the widest of them needs beyond the smallest.

use super::wire::{Bytes, Short, put};

/// Writes the smallest number, what all of the differences to it can be divided by, how many bits the quotients have,
/// and those.
pub(super) fn write(out: &mut Vec<u8>, numbers: &[u64]) {
    let least = numbers.iter().copied().min().unwrap_or(0);
    let divisor = numbers.iter().fold(0, |divisor, number| common(divisor, number - least)).max(1);
    let most = numbers.iter().map(|number| (number - least) / divisor).max().unwrap_or(0);
    let width = u64::BITS - most.leading_zeros();
    put(out, least);
    out.push(width as u8);
    if width == 0 {
        return;
    }
    put(out, divisor);
    let (mut bits, mut filled) = (0u128, 0);
    for number in numbers {
        bits |= u128::from((number - least) / divisor) << filled;
        filled += width;
        while filled >= 8 {
            out.push(bits as u8);
            bits >>= 8;
            filled -= 8;
        }
    }
    if filled > 0 {
        out.push(bits as u8);
    }
}

/// Reads as many numbers.
pub(super) fn read(bytes: &mut Bytes<'_>, count: usize) -> Result<Vec<u64>, Short> {
    let least = bytes.take()?;
    let width = bytes.slice(1)?.first().map_or(0, |&width| u32::from(width));
    if width == 0 {
        return Ok(vec![least; count]);
    }
    if width > u64::BITS {
        return Err(Short);
    }
    let divisor = bytes.take()?;
    let length = (count as u64 * u64::from(width)).div_ceil(8);
    let mut packed = bytes.slice(length)?.iter();
    let (mut bits, mut filled) = (0u128, 0);
    let mut numbers = Vec::with_capacity(count);
    for _ in 0..count {
        while filled < width {
            bits |= u128::from(*packed.next().ok_or(Short)?) << filled;
            filled += 8;
        }
        let quotient = (bits & ((1u128 << width) - 1)) as u64;
        bits >>= width;
        filled -= width;
        let beyond = quotient.checked_mul(divisor).ok_or(Short)?;
        numbers.push(least.checked_add(beyond).ok_or(Short)?);
    }
    Ok(numbers)
}

/// The greatest common divisor.
fn common(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(numbers: &[u64]) -> usize {
        let mut out = Vec::new();
        write(&mut out, numbers);
        let mut bytes = Bytes(&out);
        assert_eq!(read(&mut bytes, numbers.len()).as_deref(), Ok(numbers));
        assert!(bytes.is_empty());
        out.len()
    }

    #[test]
    fn columns_come_back() {
        back(&[]);
        back(&[0, u64::MAX, 1, u64::MAX - 1, 1 << 63]);
        assert_eq!(back(&[7; 50]), 2);
        // Two bits for each number of pages.
        assert_eq!(back(&[4096, 8192, 16384, 4096, 8192, 4096, 8192, 16384]), 2 + 1 + 2 + 2);
        for width in 0..64 {
            back(&[1, 1 << width, (1 << width) - 1 + (1 << width) / 3, 0, 2]);
        }
    }

    #[test]
    fn what_is_no_column_is_refused() {
        for bad in
            [&[][..], &[0], &[0, 65, 1], &[0, 8, 1, 5], &[1, 64, 3, 255, 255, 255, 255, 255, 255, 255, 255]]
        {
            assert!(read(&mut Bytes(bad), 2).is_err() || bad == [1, 64], "{bad:?}");
        }
    }
}
