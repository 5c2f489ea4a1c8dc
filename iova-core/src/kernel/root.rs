//! Where `/proc` and `/sys` are: `/` on a host, a directory of recorded files in tests.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The directory that holds `proc` and `sys`.
#[derive(Clone, Debug)]
pub struct Root(PathBuf);

impl Default for Root {
    fn default() -> Self {
        Self(PathBuf::from("/"))
    }
}

impl Root {
    /// A tree of recorded files.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// True if this is the running system.
    pub fn is_live(&self) -> bool {
        self.0 == Path::new("/")
    }

    /// `relative` ("sys/kernel/btf") below this root.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.0.join(relative)
    }

    /// A small text file, cleaned of everything a terminal could take for a command, without the last newline.
    ///
    /// `None` if it is gone or unreadable: in sysfs a device may vanish between two reads, which is no error.
    pub fn text(&self, relative: impl AsRef<Path>) -> Option<String> {
        fs::read(self.path(relative)).ok().map(|bytes| clean(&bytes))
    }

    /// A number in decimal or, with `0x`, in hexadecimal.
    pub fn number(&self, relative: impl AsRef<Path>) -> Option<u64> {
        parse_number(&self.text(relative)?)
    }

    /// Names in a directory, sorted; empty if there is no such directory.
    pub fn names(&self, relative: impl AsRef<Path>) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path(relative)) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort_unstable();
        names
    }

    /// The last part of what a symbolic link points to (the driver of a device, for example).
    pub fn link_name(&self, relative: impl AsRef<Path>) -> Option<String> {
        let target = fs::read_link(self.path(relative)).ok()?;
        Some(clean(target.file_name()?.as_encoded_bytes()))
    }

    /// Whether something is there.
    pub fn exists(&self, relative: impl AsRef<Path>) -> bool {
        self.path(relative).exists()
    }

    /// A whole file.
    pub fn bytes(&self, relative: impl AsRef<Path>) -> io::Result<Vec<u8>> {
        fs::read(self.path(relative))
    }
}

/// Text from the kernel or the hardware, made safe to print: control characters (among them escape sequences and
/// line breaks within) and bytes that are no UTF-8 become `?`; white space around it goes.
pub fn clean(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    text.chars().map(|c| if is_unsafe(c) { '?' } else { c }).collect()
}

// Besides control characters: the replacement character, and the marks that turn the direction of writing around,
// by which a device name could make a line read as another.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || c == char::REPLACEMENT_CHARACTER
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `0x`-hexadecimal or decimal.
pub fn parse_number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_harmless() {
        assert_eq!(clean(b"  eth0\n"), "eth0");
        assert_eq!(clean(b"a\x1b[31mred\x07\nb"), "a?[31mred??b");
        assert_eq!(clean(&[0xff, 0xfe, b'x', 0]), "??x");
        assert_eq!(clean("a\u{202e}b".as_bytes()), "a?b");
    }

    #[test]
    fn numbers() {
        assert_eq!(parse_number("0x8086"), Some(0x8086));
        assert_eq!(parse_number("64"), Some(64));
        assert_eq!(parse_number("x"), None);
    }

    #[test]
    fn nothing_there() {
        let root = Root::at("/nonexistent");
        assert_eq!(root.text("a"), None);
        assert!(root.names("a").is_empty());
        assert_eq!(root.link_name("a"), None);
    }
}
