//! The few values of a report that are text, each with the only form it can have.

use std::fmt;
use std::str::FromStr;

use crate::compat::pattern::hex;
use crate::policy::words::as_word;

/// Not what it has to be; the sentence says what that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("use {0}")]
pub struct BadForm(&'static str);

/// Vendor and device, `1b21:0612`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PciId(pub u16, pub u16);

/// Two hexadecimal digits: a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HexByte(pub u8);

/// Six hexadecimal digits: class, subclass, interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PciClass(pub u32);

/// 32 hexadecimal digits that stand for a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReportId(pub [u8; 16]);

/// A driver of the kernel, by the form of its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DriverName(String);

/// What DMI calls the product: up to 64 plain characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Product(String);

impl FromStr for PciId {
    type Err = BadForm;

    fn from_str(text: &str) -> Result<Self, BadForm> {
        let parsed =
            text.split_once(':').and_then(|(vendor, device)| Some(Self(hex(vendor, 4)?, hex(device, 4)?)));
        parsed.ok_or(BadForm("vendor:device, four lower-case hexadecimal digits each, as in \"1b21:0612\""))
    }
}

impl fmt::Display for PciId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:04x}", self.0, self.1)
    }
}

impl FromStr for HexByte {
    type Err = BadForm;

    fn from_str(text: &str) -> Result<Self, BadForm> {
        let byte = hex(text, 2).and_then(|byte| u8::try_from(byte).ok());
        byte.map(Self).ok_or(BadForm("two lower-case hexadecimal digits"))
    }
}

impl fmt::Display for HexByte {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}", self.0)
    }
}

impl FromStr for PciClass {
    type Err = BadForm;

    fn from_str(text: &str) -> Result<Self, BadForm> {
        let parts = text.split_at_checked(2).and_then(|(base, rest)| Some((hex(base, 2)?, hex(rest, 4)?)));
        let (base, rest) = parts.ok_or(BadForm("six lower-case hexadecimal digits, as in \"010802\""))?;
        Ok(Self(u32::from(base) << 16 | u32::from(rest)))
    }
}

impl fmt::Display for PciClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06x}", self.0)
    }
}

impl FromStr for ReportId {
    type Err = BadForm;

    fn from_str(text: &str) -> Result<Self, BadForm> {
        let bad = BadForm("32 lower-case hexadecimal digits");
        let mut bytes = [0; 16];
        if text.len() != 32 || !text.is_ascii() {
            return Err(bad);
        }
        for (at, byte) in bytes.iter_mut().enumerate() {
            let digits = text.get(2 * at..2 * at + 2).ok_or(bad)?;
            *byte = digits.parse::<HexByte>().map_err(|_| bad)?.0;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for ReportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for DriverName {
    type Err = BadForm;

    fn from_str(text: &str) -> Result<Self, BadForm> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let good = (1..=32).contains(&text.len()) && text.bytes().all(fits);
        good.then(|| Self(text.to_owned())).ok_or(BadForm("1 to 32 letters, digits, '_' and '-'"))
    }
}

impl fmt::Display for DriverName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Product {
    type Err = BadForm;

    fn from_str(text: &str) -> Result<Self, BadForm> {
        let fits = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
        let good = (1..=64).contains(&text.len()) && text.bytes().all(fits);
        good.then(|| Self(text.to_owned())).ok_or(BadForm("1 to 64 plain ASCII characters"))
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

as_word!(PciId);
as_word!(HexByte);
as_word!(PciClass);
as_word!(ReportId);
as_word!(DriverName);
as_word!(Product);
