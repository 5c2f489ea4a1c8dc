//! PCI addresses, as the interface numbers them.

use std::fmt;
use std::str::FromStr;

/// A PCI address with its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bdf(u32);

/// Not a PCI address that the interface can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a PCI address like 0000:00:04.0")]
pub struct BadBdf;

impl Bdf {
    /// segment << 16 | bus << 8 | devfn.
    pub fn raw(self) -> u32 {
        self.0
    }

    /// From the number of a record.
    pub fn from_raw(raw: u32) -> Self {
        Self(raw)
    }
}

impl FromStr for Bdf {
    type Err = BadBdf;

    /// `0000:00:04.0`. Segments above 0xffff, which Intel VMD makes up, have no number in the interface.
    fn from_str(text: &str) -> Result<Self, BadBdf> {
        let hex = |part: &str, digits: usize| {
            let plain = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_hexdigit());
            plain.then(|| u32::from_str_radix(part, 16).ok()).flatten().ok_or(BadBdf)
        };
        let mut parts = text.split([':', '.']);
        let mut next = |digits| hex(parts.next().unwrap_or_default(), digits);
        let (segment, bus, slot, function) = (next(4)?, next(2)?, next(2)?, next(1)?);
        let well_formed = text.len() == 12 && parts.next().is_none() && slot < 32 && function < 8;
        let right_marks = text.as_bytes().get(10) == Some(&b'.');
        (well_formed && right_marks)
            .then_some(Self(segment << 16 | bus << 8 | slot << 3 | function))
            .ok_or(BadBdf)
    }
}

impl fmt::Display for Bdf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (segment, bus, slot, function) =
            (self.0 >> 16, self.0 >> 8 & 0xff, self.0 >> 3 & 0x1f, self.0 & 7);
        write!(f, "{segment:04x}:{bus:02x}:{slot:02x}.{function}")
    }
}

super::as_word!(Bdf);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for text in ["0000:00:04.0", "ffff:ff:1f.7", "0001:80:00.1"] {
            assert_eq!(text.parse::<Bdf>().unwrap().to_string(), text);
        }
        assert_eq!("0000:00:04.0".parse::<Bdf>().unwrap().raw(), 0x20);
        for bad in
            ["", "00:04.0", "0000:00:20.0", "0000:00:04.8", "0000.00:04:0", "10000:e1:00.0", "0000:00:04.0."]
        {
            assert_eq!(bad.parse::<Bdf>(), Err(BadBdf), "{bad}");
        }
    }
}
