//! Kernel lockdown (`security/lockdown/lockdown.c`): what even root may not do.

use super::root::Root;

/// The lockdown mode, in the order of strictness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lockdown {
    /// Off, or not built in.
    None,
    /// Unsigned modules, `/dev/mem` and debugfs are blocked; tracing and `/proc/kcore` are not.
    Integrity,
    /// Kernel memory can't be read either: no `/proc/kcore`, no kprobes, no kernel reads by BPF.
    Confidentiality,
}

impl Lockdown {
    /// The active mode: the word in brackets in `none [integrity] confidentiality`. Without securityfs: none, the
    /// later attempts then tell by failing.
    pub fn read(root: &Root) -> Self {
        let text = root.text("sys/kernel/security/lockdown").unwrap_or_default();
        if text.contains("[confidentiality]") {
            Self::Confidentiality
        } else if text.contains("[integrity]") {
            Self::Integrity
        } else {
            Self::None
        }
    }
}

impl std::fmt::Display for Lockdown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Integrity => "integrity",
            Self::Confidentiality => "confidentiality",
        })
    }
}
