//! A writer for the cpio format that the kernel unpacks as its initramfs ("newc"): no cpio binary, no root, and
//! device nodes without mknod.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};

const REGULAR: u32 = 0o100_000;
const DIRECTORY: u32 = 0o040_000;
const SYMLINK: u32 = 0o120_000;
const CHARACTER: u32 = 0o020_000;

/// An archive under construction. Paths may start with a slash; missing parent directories are added.
#[derive(Default)]
pub(crate) struct Archive {
    bytes: Vec<u8>,
    directories: BTreeSet<String>,
    entries: u32,
}

impl Archive {
    /// Adds a directory, or several below each other.
    pub(crate) fn directory(&mut self, path: &str) {
        let path = path.trim_matches('/');
        for (end, _) in path.match_indices('/').chain([(path.len(), "")]) {
            let part = &path[..end];
            if !part.is_empty() && self.directories.insert(part.to_owned()) {
                self.entry(part, DIRECTORY | 0o755, (0, 0), &[]);
            }
        }
    }

    /// Adds a regular file.
    pub(crate) fn file(&mut self, path: &str, permissions: u32, content: &[u8]) {
        self.node(path, REGULAR | permissions, (0, 0), content);
    }

    /// Adds a symbolic link.
    pub(crate) fn symlink(&mut self, path: &str, to: &str) {
        self.node(path, SYMLINK | 0o777, (0, 0), to.as_bytes());
    }

    /// Adds a character device.
    pub(crate) fn character_device(&mut self, path: &str, permissions: u32, number: (u32, u32)) {
        self.node(path, CHARACTER | permissions, number, &[]);
    }

    /// Adds what is below a directory of the host and `wanted`, by its path in the archive, in the order of names.
    pub(crate) fn tree(&mut self, from: &Path, to: &str, wanted: &dyn Fn(&str) -> bool) -> Result<()> {
        let cannot = || format!("cannot read {} for the guest", from.display());
        self.directory(to);
        let mut entries = fs::read_dir(from).with_context(cannot)?.collect::<std::io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let (path, kind) = (entry.path(), entry.file_type()?);
            let place = format!("{to}/{}", entry.file_name().to_string_lossy());
            if kind.is_dir() {
                if wanted(&format!("{place}/")) {
                    self.tree(&path, &place, wanted)?;
                }
            } else if !wanted(&place) {
            } else if kind.is_symlink() {
                self.symlink(&place, &fs::read_link(&path)?.to_string_lossy());
            } else {
                let permissions = entry.metadata()?.permissions().mode() & 0o7777;
                self.file(&place, permissions, &fs::read(&path).with_context(cannot)?);
            }
        }
        Ok(())
    }

    /// The finished archive.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, (0, 0), &[]);
        self.bytes
    }

    fn node(&mut self, path: &str, mode: u32, number: (u32, u32), content: &[u8]) {
        let path = path.trim_matches('/');
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.directory(parent);
        }
        self.entry(path, mode, number, content);
    }

    fn entry(&mut self, name: &str, mode: u32, (major, minor): (u32, u32), content: &[u8]) {
        self.entries += 1;
        let links = if mode & DIRECTORY == DIRECTORY { 2 } else { 1 };
        let fields = [
            self.entries, // inode: the kernel takes equal ones for hard links
            mode,
            0, // uid
            0, // gid
            links,
            0, // mtime: equal input gives an equal archive
            content.len() as u32,
            0, // device of the file system, major and minor
            0,
            major,
            minor,
            name.len() as u32 + 1,
            0, // checksum, unused in this variant
        ];
        self.bytes.extend(b"070701");
        for field in fields {
            self.bytes.extend(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend(name.as_bytes());
        self.bytes.push(0);
        self.align();
        self.bytes.extend(content);
        self.align();
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    /// An independent reader of the format: busybox, which every lab has.
    #[test]
    fn busybox_lists_what_was_written() {
        let mut archive = Archive::default();
        archive.file("/a/b/file", 0o644, b"odd length!");
        archive.symlink("a/link", "b/file");
        archive.character_device("dev/console", 0o600, (5, 1));
        archive.directory("a/b");
        let Ok(mut child) = Command::new("busybox")
            .args(["cpio", "-itv"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
        else {
            return;
        };
        child.stdin.take().unwrap().write_all(&archive.finish()).unwrap();
        let list = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        let lines: Vec<_> = list.lines().collect();
        assert_eq!(lines.len(), 6, "{list}");
        assert!(
            lines[2].starts_with("-rw-r--r--") && lines[2].contains(" 11 ") && lines[2].ends_with("a/b/file")
        );
        assert!(lines[3].starts_with("lrwxrwxrwx") && lines[3].ends_with("a/link -> b/file"), "{list}");
        assert!(lines[5].starts_with("crw-------") && lines[5].ends_with("dev/console"), "{list}");
    }

    #[test]
    fn every_header_is_aligned() {
        let mut archive = Archive::default();
        for name in ["a", "ab", "abc", "abcd"] {
            archive.file(name, 0o644, name.as_bytes());
        }
        let bytes = archive.finish();
        let headers = bytes.windows(6).enumerate().filter(|(_, window)| window == b"070701");
        let offsets: Vec<_> = headers.map(|(offset, _)| offset).collect();
        assert_eq!(offsets.len(), 5);
        assert!(offsets.iter().all(|offset| offset % 4 == 0), "{offsets:?}");
    }
}
