//! The policy module, and what stands in its way.

use super::{Ability, State};
use crate::kernel::{Kernel, Lockdown, Root};
use crate::policy::Mechanisms;
use crate::policy::module::{Control, Layout, Loaded, ModuleError, loaded};

const NAME: &str = "policy module";
const LOST: &str =
    "`iova policy`: changing where a device's addresses go, on trial and for good; measuring needs no module";

/// The module's switch that ends everything (iova-kmod/off.c).
const OFF: &str = "sys/module/iova_policy/parameters/off";

/// Whether `iova_policy` is loaded and fits; if not, how to get it in, past Secure Boot and lockdown too.
pub(super) fn policy(root: &Root, kernel: Option<&Kernel>) -> Ability {
    match loaded(root) {
        Some(found) if root.text(OFF).as_deref() == Some("Y") => switched_off(&found),
        Some(found) => fits(&found, kernel),
        None => absent(root),
    }
}

fn switched_off(found: &Loaded) -> Ability {
    let version = found.version.as_deref().unwrap_or("without a version");
    let what = format!("iova_policy {version} is loaded, but switched off: every policy and cap is refused");
    Ability::lacking(State::Limited, NAME, what, LOST, &format!("echo 0 > /{OFF}"))
}

fn fits(found: &Loaded, kernel: Option<&Kernel>) -> Ability {
    let version = found.version.as_deref().unwrap_or("without a version");
    let lacking = |state, why: String, remedy: &str| {
        Ability::lacking(state, NAME, format!("iova_policy {version} is loaded, but {why}"), LOST, remedy)
    };
    match Control::open(kernel).map(|control| (*control.info(), control.layout())) {
        Ok((_, Layout::Differs { module, kernel })) => lacking(
            State::Missing,
            format!(
                "it looks for the allocator at byte {module} of its cookie, and this kernel has it at {kernel}"
            ),
            "rebuild the module for the running kernel (dkms autoinstall)",
        ),
        Ok((info, _)) => Ability::ok(
            NAME,
            format!("iova_policy {version}, ABI {}.{}, {}", info.abi.0, info.abi.1, can(info.features)),
        ),
        Err(ModuleError::NotPermitted { lacking: rights }) => {
            lacking(State::Limited, format!("this process lacks {rights}"), "run as root (sudo iova …)")
        }
        Err(error) => lacking(State::Missing, error.to_string(), "see there"),
    }
}

fn can(features: Mechanisms) -> String {
    if features.is_empty() { "with no means on this kernel".to_owned() } else { format!("by {features}") }
}

fn absent(root: &Root) -> Ability {
    let installed = is_installed(root);
    let gate = gate(root);
    let found = match (installed, &gate) {
        (true, None) => "iova_policy is installed, but not loaded".to_owned(),
        (true, Some(gate)) => {
            format!("iova_policy is installed, but not loaded; {gate}: only signed modules load")
        }
        (false, None) => "iova_policy is not installed".to_owned(),
        (false, Some(gate)) => format!("iova_policy is not installed; {gate}: only signed modules load"),
    };
    let first = if installed {
        "modprobe iova_policy"
    } else {
        "install iova-policy-dkms (or build it: make -C iova-kmod), then modprobe iova_policy"
    };
    let remedy = match gate {
        None => first.to_owned(),
        Some(_) => format!(
            "{first}; to have it signed, enrol the key of DKMS: mokutil --import /var/lib/dkms/mok.pub, reboot, confirm \
             at the console"
        ),
    };
    Ability::lacking(State::Missing, NAME, found, LOST, &remedy)
}

/// What lets only signed modules in; `None` if nothing does.
fn gate(root: &Root) -> Option<String> {
    let mut reasons = Vec::new();
    if secure_boot(root) {
        reasons.push("Secure Boot is on".to_owned());
    }
    match Lockdown::read(root) {
        Lockdown::None => {}
        mode => reasons.push(format!("lockdown={mode}")),
    }
    if root.text("sys/module/module/parameters/sig_enforce").as_deref() == Some("Y") {
        reasons.push("module.sig_enforce is set".to_owned());
    }
    (!reasons.is_empty()).then(|| reasons.join(", "))
}

/// The variable `SecureBoot` of the UEFI specification: four bytes of attributes, then 0 or 1.
fn secure_boot(root: &Root) -> bool {
    let variable = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
    root.bytes(variable).is_ok_and(|bytes| bytes.get(4) == Some(&1))
}

/// `modules.dep` lists every installed module by its path.
fn is_installed(root: &Root) -> bool {
    let Some(release) = root.text("proc/sys/kernel/osrelease") else { return false };
    let list = root.bytes(format!("lib/modules/{release}/modules.dep")).unwrap_or_default();
    String::from_utf8_lossy(&list).lines().any(|line| line.contains("/iova_policy.ko"))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Host(std::path::PathBuf);

    impl Host {
        fn new(name: &str, files: &[(&str, &[u8])]) -> Self {
            let dir = std::env::temp_dir().join(format!("iova-module-{}-{name}", std::process::id()));
            let files = [&[("proc/sys/kernel/osrelease", b"6.12.0".as_slice())], files].concat();
            for (path, content) in files {
                let path = dir.join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, content).unwrap();
            }
            Self(dir)
        }

        fn ability(&self) -> Ability {
            policy(&Root::at(&self.0), None)
        }
    }

    impl Drop for Host {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_host_without_it() {
        let ability = Host::new("without", &[]).ability();
        assert_eq!((ability.state, ability.found.as_str()), (State::Missing, "iova_policy is not installed"));
        assert!(ability.remedy.contains("iova-policy-dkms") && !ability.remedy.contains("mokutil"));
        assert!(ability.lost.contains("measuring needs no module"));
    }

    #[test]
    fn one_that_is_switched_off() {
        let files: [(&str, &[u8]); 3] = [
            ("sys/module/iova_policy/initstate", b"live\n"),
            ("sys/module/iova_policy/version", b"1.1\n"),
            (OFF, b"Y\n"),
        ];
        let ability = Host::new("switched", &files).ability();
        assert_eq!(ability.state, State::Limited);
        assert!(ability.found.contains("1.1 is loaded, but switched off"), "{}", ability.found);
        assert_eq!(ability.remedy, "echo 0 > /sys/module/iova_policy/parameters/off");
    }

    #[test]
    fn signatures_where_they_are_asked_for() {
        let dep = ("lib/modules/6.12.0/modules.dep", b"updates/dkms/iova_policy.ko.xz:\n".as_slice());
        let installed = Host::new("installed", &[dep]).ability();
        assert_eq!((installed.remedy.as_str(), installed.state), ("modprobe iova_policy", State::Missing));
        let efi = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
        let lockdown = ("sys/kernel/security/lockdown", b"none [integrity] confidentiality".as_slice());
        let signed = Host::new("signed", &[dep, (efi, &[6, 0, 0, 0, 1]), lockdown]).ability();
        assert!(signed.found.contains("Secure Boot is on, lockdown=integrity"), "{}", signed.found);
        assert!(signed.remedy.contains("mokutil --import"), "{}", signed.remedy);
        let off = Host::new("off", &[dep, (efi, &[6, 0, 0, 0, 0])]).ability();
        assert!(!off.remedy.contains("mokutil"));
    }
}
