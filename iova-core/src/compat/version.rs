//! Kernel versions, as far as a record needs them: does the kernel that runs know the device's width by itself?
//!
//! A quirk inside a driver leaves no trace in BTF or symbols, so the one better witness than a version is the mask of the
//! bound driver (see [`super::word`]); versions are for when there is none.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::kernel::Root;

/// `6.8` or `6.1.75`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The first two numbers.
    pub series: (u16, u16),
    /// The third, 0 if there is none.
    pub patch: u16,
}

/// Not a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("use a version like \"6.8\" or \"6.1.75\"")]
pub struct BadVersion;

impl FromStr for Version {
    type Err = BadVersion;

    fn from_str(text: &str) -> Result<Self, BadVersion> {
        let number = |part: &str| {
            let plain = (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
            let plain = plain && (part.len() == 1 || !part.starts_with('0'));
            plain.then(|| part.parse().ok()).flatten().ok_or(BadVersion)
        };
        let parts: Vec<&str> = text.split('.').collect();
        match parts.as_slice() {
            [a, b] => Ok(Self { series: (number(a)?, number(b)?), patch: 0 }),
            [a, b, c] => Ok(Self { series: (number(a)?, number(b)?), patch: number(c)? }),
            _ => Err(BadVersion),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.series.0, self.series.1)?;
        if self.patch > 0 { write!(f, ".{}", self.patch) } else { Ok(()) }
    }
}

crate::policy::words::as_word!(Version);

/// From which kernels on a width is known without a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Kernels {
    /// From this mainline version on.
    pub mainline: Version,
    /// From these versions on in older stable lines, ascending.
    pub stable: Vec<Version>,
}

/// The kernel that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    /// The first two numbers.
    pub series: (u16, u16),
    /// The third; `None` where the distribution's name of the kernel hides it.
    pub patch: Option<u16>,
    /// A candidate (`-rc3`): not yet what its number says.
    pub candidate: bool,
}

/// What can be said by version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByVersion {
    /// This kernel has it.
    Knows,
    /// It has not.
    Needs,
    /// The version does not tell.
    Unclear,
}

impl Running {
    /// From `uname -r`, and from where distributions put the version that their release name hides: Debian in `uname -v`
    /// ("Debian 6.1.176-1"), Ubuntu at the end of /proc/version_signature.
    pub fn read(root: &Root) -> Option<Self> {
        let release = root.text("proc/sys/kernel/osrelease")?;
        Self::parse(&release, stated(root).as_deref())
    }

    /// `release` is `uname -r`, `true_version` what the distribution says besides.
    pub fn parse(release: &str, true_version: Option<&str>) -> Option<Self> {
        let (version, rest) = leading(release)?;
        let stated = true_version.and_then(leading).filter(|(stated, _)| stated.series == version.series);
        // "6.1.0-56-amd64", "5.14.0-503.el9": a zero before a build number stands for any patch level.
        let hidden = version.patch == 0 && rest.starts_with('-');
        Some(Self {
            series: version.series,
            patch: stated.map(|(stated, _)| stated.patch).or((!hidden).then_some(version.patch)),
            candidate: rest.starts_with("-rc") && stated.is_none(),
        })
    }
}

/// Where distributions put the version that their release hides.
pub(super) fn stated(root: &Root) -> Option<String> {
    let build = root.text("proc/sys/kernel/version").unwrap_or_default();
    let signature = root.text("proc/version_signature").unwrap_or_default();
    let debian = build.split_once("Debian ").map(|(_, rest)| rest);
    let ubuntu = signature.starts_with("Ubuntu ").then(|| signature.split(' ').next_back()).flatten();
    debian.or(ubuntu).map(str::to_owned)
}

/// The version that a text begins with, and what follows.
pub(super) fn leading(text: &str) -> Option<(Version, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (version, rest) = text.split_at_checked(end)?;
    Some((version.trim_end_matches('.').parse().ok()?, rest))
}

impl Kernels {
    /// Does `running` have it?
    pub fn by_version(&self, running: Running) -> ByVersion {
        let line = self.stable.iter().find(|stable| stable.series == running.series);
        match (running.series.cmp(&self.mainline.series), running.patch, line) {
            (std::cmp::Ordering::Greater, _, _) => ByVersion::Knows,
            (std::cmp::Ordering::Equal, _, _) if running.candidate => ByVersion::Unclear,
            (std::cmp::Ordering::Equal, Some(patch), _) if patch >= self.mainline.patch => ByVersion::Knows,
            (std::cmp::Ordering::Equal, None, _) if self.mainline.patch == 0 => ByVersion::Knows,
            (std::cmp::Ordering::Equal, Some(_), _) => ByVersion::Needs,
            (_, Some(patch), Some(line)) if patch >= line.patch => ByVersion::Knows,
            (_, Some(_), _) => ByVersion::Needs,
            // A vendor may have taken the fix over.
            (_, None, _) => ByVersion::Unclear,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernels() -> Kernels {
        let version = |text: &str| text.parse().unwrap();
        Kernels {
            mainline: version("6.8"),
            stable: ["5.10.209", "5.15.148", "6.1.75", "6.6.14"].map(version).to_vec(),
        }
    }

    #[test]
    fn versions() {
        for text in ["6.8", "5.10.209"] {
            assert_eq!(text.parse::<Version>().unwrap().to_string(), text);
        }
        for bad in ["", "6", "6.", "6.8.", "6.8.1.2", "v6.8", "6.08", "6.8-rc1", "6. 8", "99999.1"] {
            assert_eq!(bad.parse::<Version>(), Err(BadVersion), "{bad}");
        }
    }

    #[test]
    fn does_the_running_kernel_know() {
        use ByVersion::{Knows, Needs, Unclear};
        for (release, stated, expected) in [
            ("6.8.0", None, Knows),
            ("6.8.0-45-generic", None, Knows),
            ("7.3.4", None, Knows),
            ("6.8.0-rc2", None, Unclear),
            ("6.8-rc2", None, Unclear),
            ("6.7.12", None, Needs),
            ("6.6.14", None, Knows),
            ("6.6.13-arch1-1", None, Needs),
            ("6.1.75", None, Knows),
            ("6.1.74", None, Needs),
            ("6.1.0-56-amd64", Some("6.1.176-1 (2026-10-01)"), Knows),
            ("6.1.0-13-amd64", Some("6.1.55-1"), Needs),
            ("6.1.0-13-amd64", None, Unclear),
            ("5.14.0-503.el9.x86_64", None, Unclear),
            ("5.15.0-101-generic", Some("5.15.143"), Needs),
            ("5.4.300", None, Needs),
            // Another kernel's words are not believed.
            ("6.1.0-13-amd64", Some("6.8.1"), Unclear),
        ] {
            let running = Running::parse(release, stated).unwrap();
            assert_eq!(kernels().by_version(running), expected, "{release} {stated:?}");
        }
        assert_eq!(Running::parse("custom", None), None);
    }

    #[test]
    fn a_mainline_version_may_have_a_third_number() {
        let kernels = Kernels { mainline: "6.8.3".parse().unwrap(), stable: Vec::new() };
        let by = |release| kernels.by_version(Running::parse(release, None).unwrap());
        assert_eq!((by("6.8.2"), by("6.8.3")), (ByVersion::Needs, ByVersion::Knows));
        assert_eq!(by("6.8.0-45-generic"), ByVersion::Unclear);
    }
}
