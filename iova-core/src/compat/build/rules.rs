//! 61-iova-policy.rules.

/// The file. It is the same for every list: what is in the list is the hwdb's.
///
/// The attributes are there before udev hears of the device, and a driver that is a module is loaded after all rules, so
/// that a cap is in force before its first mapping; a driver that is built in, or loaded already, is faster.
pub fn rules() -> String {
    RULES.to_owned()
}

const RULES: &str = r#"# This file was made by `iova compat build --format rules`.
#
# Puts in force what 60-iova-policy.hwdb and local hwdb files say about a device, through the module iova_policy, before
# the driver is loaded. A driver that is built in or loaded already binds before any rule: bind it anew, or put
# `softdep DRIVER pre: iova_policy` into /etc/modprobe.d and the module into the initramfs.
#
# Caps of the list apply only if the administrator enabled it: touch /etc/iova/apply-caps
# A local cap applies always: ID_IOVA_QUARANTINE=36 in /etc/udev/hwdb.d/90-iova-policy-local.hwdb
# Nothing is widened unless such a local file says ID_IOVA_APPLY=1 for the device, and never beyond what is verified, nor
# for a device with any cap.

SUBSYSTEM!="pci", GOTO="iova_policy_end"
ACTION=="remove", GOTO="iova_policy_end"

# What depends on the revision or on the port above the device. At each change, because udev forgets it then.
ENV{ID_IOVA_CHECK}=="1", TEST=="/usr/bin/iova", IMPORT{program}="/usr/bin/iova compat check --format udev $kernel"

ACTION!="add", GOTO="iova_policy_end"

# The module takes a cap that is narrower than the one before, and refuses a wider one: so the narrowest wins.
ENV{ID_IOVA_WIDTH_MAX}=="?*", TEST=="/etc/iova/apply-caps", TEST=="iova_policy/cap", ATTR{iova_policy/cap}="$env{ID_IOVA_WIDTH_MAX}"
ENV{ID_IOVA_QUARANTINE}=="?*", TEST=="iova_policy/cap", ATTR{iova_policy/cap}="$env{ID_IOVA_QUARANTINE}"

ENV{ID_IOVA_QUARANTINE}=="?*", GOTO="iova_policy_end"
ENV{ID_IOVA_WIDTH_MAX}=="?*", GOTO="iova_policy_end"
ENV{ID_IOVA_CHECK}=="1", ENV{ID_IOVA_CHECKED}!="1", GOTO="iova_policy_end"
ENV{ID_IOVA_APPLY}=="1", ENV{ID_IOVA_WIDTH_OK}=="?*", TEST=="iova_policy/policy", ATTR{iova_policy/policy}="dac:$env{ID_IOVA_WIDTH_OK}"

LABEL="iova_policy_end"
"#;
