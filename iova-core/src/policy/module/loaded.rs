//! Whether the module is there, and what this process may do with it.

use crate::kernel::Root;

/// A loaded module `iova_policy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// `MODULE_VERSION`, if it has one.
    pub version: Option<String>,
    /// `/dev/iova_policy` exists.
    pub node: bool,
}

/// What `/sys/module/iova_policy` says; `None` if the module is not loaded.
pub fn loaded(root: &Root) -> Option<Loaded> {
    root.exists("sys/module/iova_policy").then(|| Loaded {
        version: root.text("sys/module/iova_policy/version"),
        node: root.exists(super::DEVICE_NODE),
    })
}

/// Capabilities of `include/uapi/linux/capability.h`.
const NEEDED: [(u32, &str); 2] = [(17, "CAP_SYS_RAWIO"), (21, "CAP_SYS_ADMIN")];

/// Which of the needed capabilities this process lacks; all if it can't be told.
pub(super) fn lacking_capabilities() -> Vec<&'static str> {
    let effective = crate::doctor::effective_capabilities(&Root::default()).unwrap_or(0);
    NEEDED.iter().filter(|(bit, _)| effective >> bit & 1 == 0).map(|(_, name)| *name).collect()
}

/// The same in words, after the kernel has refused.
pub(super) fn lacking() -> String {
    match lacking_capabilities().as_slice() {
        // All there, and still not allowed.
        [] => "the permission of a security module (see the audit log)".to_owned(),
        some => some.join(" and "),
    }
}
