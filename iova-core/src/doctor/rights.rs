//! What this process may do.

use super::{Ability, State};
use crate::kernel::Root;

/// Capabilities of `include/uapi/linux/capability.h`.
const SYS_ADMIN: u32 = 21;
const PERFMON: u32 = 38;
const BPF: u32 = 39;

/// The right to load tracing programs: `bpf_prog_load` (`kernel/bpf/syscall.c`) wants CAP_BPF and CAP_PERFMON, or
/// CAP_SYS_ADMIN in their place.
pub(super) fn ebpf(root: &Root) -> Ability {
    let name = "ebpf rights";
    let lost = "all measuring: counts, latencies, failures, faults";
    let Some(effective) = effective(root) else {
        let found = "/proc/self/status can't be read, so the rights are unknown";
        return Ability::lacking(State::Limited, name, found, lost, "mount procfs");
    };
    let has = |capability: u32| effective >> capability & 1 == 1;
    if has(SYS_ADMIN) || has(BPF) && has(PERFMON) {
        return Ability::ok(name, "this process may load tracing programs");
    }
    let lacking: Vec<_> = [(BPF, "CAP_BPF"), (PERFMON, "CAP_PERFMON")]
        .iter()
        .filter(|(c, _)| !has(*c))
        .map(|(_, n)| *n)
        .collect();
    let found = format!("this process lacks {}", lacking.join(" and "));
    Ability::lacking(State::Missing, name, found, lost, "run as root (sudo iova …)")
}

/// The effective capabilities of this process, one bit each.
pub(crate) fn effective(root: &Root) -> Option<u64> {
    let status = root.bytes("proc/self/status").ok()?;
    let status = String::from_utf8_lossy(&status);
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, status: &str) -> Ability {
        let dir = std::env::temp_dir().join(format!("iova-rights-{}-{name}", std::process::id()));
        std::fs::create_dir_all(dir.join("proc/self")).unwrap();
        std::fs::write(dir.join("proc/self/status"), status).unwrap();
        let ability = ebpf(&Root::at(&dir));
        std::fs::remove_dir_all(dir).unwrap();
        ability
    }

    #[test]
    fn capabilities() {
        assert_eq!(with("root", "Name:\tx\nCapEff:\t000001ffffffffff\n").state, State::Ok);
        assert_eq!(with("two", "CapEff:\t000000c000000000\n").state, State::Ok);
        let one = with("one", "CapEff:\t0000008000000000\n");
        assert_eq!((one.state, one.found.as_str()), (State::Missing, "this process lacks CAP_PERFMON"));
        assert_eq!(with("odd", "CapEff:\tzz\n").state, State::Limited);
    }
}
