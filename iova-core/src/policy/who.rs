//! Who is at the keyboard, also behind sudo.

use serde::{Deserialize, Serialize};

use crate::kernel::Root;
use crate::kernel::root::clean;

/// Who asked for a change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// Name behind sudo or doas, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Who logged in, as the audit subsystem keeps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loginuid: Option<u32>,
    /// Effective user.
    pub uid: u32,
    /// The process.
    pub pid: u32,
}

impl Who {
    /// This process.
    pub fn current(root: &Root) -> Self {
        let named = ["SUDO_USER", "DOAS_USER"].iter().find_map(std::env::var_os);
        let user = named.map(|name| clean(name.as_encoded_bytes())).filter(|name| !name.is_empty());
        let loginuid = root.number("proc/self/loginuid").and_then(|id| u32::try_from(id).ok());
        Self {
            user: user.map(|name| name.chars().take(64).collect()),
            loginuid: loginuid.filter(|&id| id != u32::MAX),
            // SAFETY: the call has no preconditions.
            uid: unsafe { libc::geteuid() },
            pid: std::process::id(),
        }
    }
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.user, self.loginuid) {
            (Some(user), _) => f.write_str(user),
            (None, Some(id)) => write!(f, "uid {id}"),
            (None, None) => write!(f, "uid {}", self.uid),
        }
    }
}
