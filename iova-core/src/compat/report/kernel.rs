//! Which kernel, without what somebody wrote into its name.

use serde::{Deserialize, Serialize};

use crate::compat::version::Version;
use crate::kernel::Root;

/// The version alone, and whose it is if that shows. A release like `6.12.0-rc1-user@host` loses everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KernelName {
    /// Version; where a distribution's release hides the third number and says it elsewhere, with that.
    pub version: Version,
    /// Whose it is, by the form of the release's end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<Distribution>,
}

/// Who builds kernels with releases of a form of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Distribution {
    /// `-56-amd64`, `+deb13-amd64`.
    Debian,
    /// `-45-generic`.
    Ubuntu,
    /// `-300.fc42.x86_64`.
    Fedora,
    /// `-503.el9.x86_64`, of Red Hat and of those who rebuild it.
    EnterpriseLinux,
    /// `-150600.23-default`.
    Suse,
    /// `-arch1-1`.
    Arch,
    /// `-5-pve`.
    Proxmox,
}

impl KernelName {
    /// The one that runs.
    pub fn read(root: &Root) -> Option<Self> {
        let release = root.text("proc/sys/kernel/osrelease")?;
        Self::of(&release, crate::compat::version::stated(root).as_deref())
    }

    /// `release` is `uname -r`, `stated` what the distribution says besides (see [`crate::compat::Running`]).
    pub fn of(release: &str, stated: Option<&str>) -> Option<Self> {
        use crate::compat::version::leading;
        let (version, rest) = leading(release)?;
        let stated = stated.and_then(leading).map(|(stated, _)| stated);
        let stated = stated.filter(|stated| stated.series == version.series);
        Some(Self { version: stated.unwrap_or(version), distribution: Distribution::of(rest) })
    }
}

impl Distribution {
    /// By what follows the version.
    fn of(rest: &str) -> Option<Self> {
        let known = [
            ("-pve", Self::Proxmox),
            ("-generic", Self::Ubuntu),
            ("-lowlatency", Self::Ubuntu),
            ("-default", Self::Suse),
            ("-amd64", Self::Debian),
            ("-arm64", Self::Debian),
        ];
        let inside = |mark: &str| {
            let after = rest.split_once(mark).and_then(|(_, after)| after.bytes().next());
            after.is_some_and(|byte| byte.is_ascii_digit())
        };
        if inside(".fc") {
            return Some(Self::Fedora);
        }
        if inside(".el") {
            return Some(Self::EnterpriseLinux);
        }
        if rest.starts_with("-arch") && inside("-arch") {
            return Some(Self::Arch);
        }
        known.iter().find(|(end, _)| rest.ends_with(end)).map(|(_, distribution)| *distribution)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_release() {
        for (release, stated, expected) in [
            ("6.12.0-rc3-alice@secret", None, r#"{"version":"6.12"}"#),
            ("6.12.95-g1234abcd-dirty", None, r#"{"version":"6.12.95"}"#),
            (
                "6.1.0-56-amd64",
                Some("6.1.176-1 (2026-10-01)"),
                r#"{"version":"6.1.176","distribution":"debian"}"#,
            ),
            ("6.12.95+deb13-amd64", None, r#"{"version":"6.12.95","distribution":"debian"}"#),
            ("6.8.0-45-generic", Some("6.8.12"), r#"{"version":"6.8.12","distribution":"ubuntu"}"#),
            ("6.8.0-45-generic", Some("5.4.3"), r#"{"version":"6.8","distribution":"ubuntu"}"#),
            ("6.14.2-300.fc42.x86_64", None, r#"{"version":"6.14.2","distribution":"fedora"}"#),
            ("5.14.0-503.el9.x86_64", None, r#"{"version":"5.14","distribution":"enterprise-linux"}"#),
            ("6.4.0-150600.23-default", None, r#"{"version":"6.4","distribution":"suse"}"#),
            ("6.17.1-arch1-1", None, r#"{"version":"6.17.1","distribution":"arch"}"#),
            ("6.8.12-5-pve", None, r#"{"version":"6.8.12","distribution":"proxmox"}"#),
        ] {
            let name = KernelName::of(release, stated).unwrap();
            assert_eq!(serde_json::to_string(&name).unwrap(), expected, "{release}");
        }
        assert_eq!(KernelName::of("alice", None), None);
    }
}
