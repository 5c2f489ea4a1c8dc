//! Whether a device can be verified here, one line per condition.

use serde::Serialize;

use super::{FIRST, Facts};
use crate::inventory::DomainType;
use crate::policy::Mechanism;
use crate::policy::module::{DevicePolicy, State};

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What it is about.
    pub name: &'static str,
    /// Whether it holds.
    pub ok: bool,
    /// What was found.
    pub found: String,
    /// What to do if it does not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub todo: Option<String>,
}

/// All of them, in the order in which they matter.
pub fn check(facts: &Facts) -> Vec<Check> {
    vec![
        module(facts),
        group(facts),
        domain(facts),
        strict(facts),
        regions(facts),
        disk(facts),
        driver(facts),
        free(facts),
    ]
}

fn yes(name: &'static str, found: impl Into<String>) -> Check {
    Check { name, ok: true, found: found.into(), todo: None }
}

fn no(name: &'static str, found: impl Into<String>, todo: impl Into<String>) -> Check {
    Check { name, ok: false, found: found.into(), todo: Some(todo.into()) }
}

fn module(facts: &Facts) -> Check {
    const NAME: &str = "module";
    if let Some(trouble) = &facts.module_trouble {
        return no(NAME, trouble, "see `iova doctor`");
    }
    let Some(managed) = &facts.managed else {
        return no(
            NAME,
            "iova_policy is not loaded, or does not know the device",
            "modprobe iova_policy (see `iova doctor`)",
        );
    };
    match &managed.state {
        State::Idle | State::Refused { .. } if managed.policy.width().is_none() => match managed.cap {
            None if is_told(facts) && !keeps_low_empty(managed) => no(
                NAME,
                format!(
                    "on this kernel iova_policy can't keep the device out of the low 4 GiB ({})",
                    managed.mechanisms
                ),
                "see `iova policy explain` for the reason, or take another kernel",
            ),
            None if is_told(facts) => {
                yes(NAME, format!("keeps the device out of the low 4 GiB ({})", managed.mechanisms))
            }
            None => yes(NAME, "iova_policy is there; what it can do shows in a translated domain"),
            Some(cap) => no(
                NAME,
                format!("a protective cap of {cap} bits is set, which holds until the next boot"),
                "boot without the rule or service that sets it",
            ),
        },
        State::Quarantined { .. } => no(
            NAME,
            "the device is in quarantine after a fault",
            format!("`iova policy log {0}` says why; `iova policy release {0}` lifts it", facts.bdf),
        ),
        _ => no(
            NAME,
            format!("the policy {} is in force ({})", managed.policy, managed.state.name()),
            format!("end the trial, or `iova policy revert {}`", facts.bdf),
        ),
    }
}

/// Without a driver, or without translation, the module can't tell what it can do.
fn is_told(facts: &Facts) -> bool {
    facts.driver.is_some() && facts.domain != Some(DomainType::Identity)
}

/// That is what makes a truncated address loud: its first attempts are not below 4 GiB, or find no room there.
fn keeps_low_empty(managed: &DevicePolicy) -> bool {
    managed.mechanisms.has(Mechanism::Flag) || managed.mechanisms.has(Mechanism::Fill)
}

fn group(facts: &Facts) -> Check {
    const NAME: &str = "group";
    match facts.mates.as_slice() {
        [] => yes(NAME, "alone in its IOMMU group"),
        mates => no(
            NAME,
            format!("shares its IOMMU group, and so its addresses, with {}", mates.join(", ")),
            "put it into a slot with access control (ACS), where it is alone",
        ),
    }
}

fn domain(facts: &Facts) -> Check {
    const NAME: &str = "domain";
    let made = "will be made new for each step";
    match facts.domain {
        Some(DomainType::Dma | DomainType::DmaFq) => yes(NAME, format!("translated; {made}")),
        Some(DomainType::Identity) if facts.type_writable => {
            yes(NAME, format!("bypasses the IOMMU now; a translated one {made}"))
        }
        Some(DomainType::Identity) => no(
            NAME,
            "the device bypasses the IOMMU, so it gets no addresses to choose",
            "boot with iommu.passthrough=0",
        ),
        Some(DomainType::Other) | None => no(
            NAME,
            "the domain is somebody else's (VFIO), or there is none",
            "give the device back to its kernel driver, and switch the IOMMU on",
        ),
    }
}

fn strict(facts: &Facts) -> Check {
    const NAME: &str = "strict";
    match (facts.type_writable, facts.lazy) {
        (true, _) => yes(NAME, "unmaps at once, or will be made to"),
        (false, Some(false)) => yes(NAME, "unmaps at once"),
        (false, lazy) => no(
            NAME,
            match lazy {
                Some(_) => {
                    "unmaps lazily: for some milliseconds a truncated address may still hit what was unmapped"
                }
                None => "whether it unmaps lazily can't be seen",
            },
            "boot with iommu.strict=1 (VT-d on 5.10: intel_iommu=strict)",
        ),
    }
}

fn regions(facts: &Facts) -> Check {
    const NAME: &str = "regions";
    match facts.direct.first() {
        None => yes(NAME, "the firmware wants no fixed addresses"),
        Some((first, last)) => no(
            NAME,
            format!(
                "the firmware keeps {first:#x} to {last:#x} mapped (RMRR, IVMD): a truncated address there makes no fault"
            ),
            "verify the device on a machine whose firmware does not, or switch that off there",
        ),
    }
}

fn disk(facts: &Facts) -> Check {
    const NAME: &str = "disk";
    let disks = facts.disks.join(", ");
    match (facts.is_root_disk, facts.users.as_slice()) {
        (true, _) => no(NAME, "the root file system is on it", "boot from another disk"),
        (false, []) if facts.disks.is_empty() => yes(NAME, "no disk"),
        (false, []) => yes(NAME, format!("nobody uses {disks}")),
        (false, users) => no(
            NAME,
            format!("{disks} is in use: {}", users.join(", ")),
            "unmount it, swapoff, close what is built on it",
        ),
    }
}

fn driver(facts: &Facts) -> Check {
    const NAME: &str = "driver";
    match &facts.driver {
        None => no(
            NAME,
            "no driver is bound, so nothing would use the addresses, and nobody knows its DMA mask",
            "load its driver",
        ),
        Some(driver) if !facts.unbindable => {
            no(NAME, format!("{driver} can't be unbound"), "nothing: this driver does not offer it")
        }
        Some(driver) => {
            let mask = match facts.mask_bits {
                Some(bits) if bits <= FIRST => {
                    return no(
                        NAME,
                        format!("{driver} says that the device has {bits} address bits only"),
                        "nothing: there is nothing to verify above 32",
                    );
                }
                Some(bits) => format!(", DMA mask of {bits} bits"),
                None => String::new(),
            };
            let above = facts.functions.join(", ");
            let goes =
                if above.is_empty() { String::new() } else { format!("; {above} will go and come back") };
            yes(NAME, format!("{driver} can be unbound{mask}{goes}"))
        }
    }
}

fn free(facts: &Facts) -> Check {
    const NAME: &str = "proved";
    match facts.free_bits() {
        Some(bits) if bits > FIRST => {
            yes(NAME, format!("{bits} bits: without translation it has reached all RAM of this machine"))
        }
        _ => yes(NAME, format!("{FIRST} bits, by working at all")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::module::{Effective, Origin};
    use crate::policy::{Mechanisms, Policy};

    fn good() -> Facts {
        let managed = DevicePolicy {
            policy: Policy::Stock,
            cap: None,
            effective: Effective::SacFirst(48),
            state: State::Idle,
            origin: Origin::Kernel,
            mechanisms: Mechanisms::from_bits(3),
            generation: 1,
            held_bytes: 0,
        };
        Facts {
            bdf: "0000:00:04.0".into(),
            driver: Some("nvme".into()),
            unbindable: true,
            domain: Some(DomainType::DmaFq),
            type_writable: true,
            mask_bits: Some(64),
            managed: Some(managed),
            disks: vec!["nvme0n1".into()],
            ..Facts::default()
        }
    }

    /// The one condition that does not hold.
    fn fails(facts: &Facts) -> &'static str {
        let failed: Vec<_> = check(facts).into_iter().filter(|check| !check.ok).collect();
        let [one] = failed.as_slice() else { panic!("{failed:?}") };
        assert!(one.todo.as_ref().is_some_and(|todo| !todo.is_empty()), "{one:?}");
        one.name
    }

    #[test]
    fn each_condition_by_itself() {
        assert!(check(&good()).iter().all(|check| check.ok));
        assert_eq!(fails(&Facts { managed: None, ..good() }), "module");
        assert_eq!(fails(&Facts { module_trouble: Some("no rights".into()), ..good() }), "module");
        assert_eq!(fails(&Facts { mates: vec!["0000:00:04.1".into()], ..good() }), "group");
        assert_eq!(fails(&Facts { domain: Some(DomainType::Other), ..good() }), "domain");
        assert_eq!(fails(&Facts { type_writable: false, lazy: Some(true), ..good() }), "strict");
        assert_eq!(fails(&Facts { type_writable: false, lazy: None, ..good() }), "strict");
        assert_eq!(fails(&Facts { direct: vec![(0x1000, 0x1fff)], ..good() }), "regions");
        assert_eq!(fails(&Facts { is_root_disk: true, ..good() }), "disk");
        assert_eq!(fails(&Facts { users: vec!["/data".into()], ..good() }), "disk");
        assert_eq!(fails(&Facts { driver: None, ..good() }), "driver");
        assert_eq!(fails(&Facts { unbindable: false, ..good() }), "driver");
        assert_eq!(fails(&Facts { mask_bits: Some(32), ..good() }), "driver");
    }

    #[test]
    fn a_policy_or_a_cap_is_in_the_way() {
        let mut capped = good();
        if let Some(managed) = &mut capped.managed {
            managed.cap = Some(36);
        }
        assert_eq!(fails(&capped), "module");
        let mut bare = good();
        if let Some(managed) = &mut bare.managed {
            managed.mechanisms = Mechanisms::from_bits(2);
        }
        assert_eq!(fails(&bare), "module");
        // What a passthrough domain hides is found out in the first step.
        let mut busy = good();
        if let Some(managed) = &mut busy.managed {
            (managed.policy, managed.state) = (Policy::Dac(40), State::Active);
        }
        assert_eq!(fails(&busy), "module");
    }

    #[test]
    fn passthrough_proves_something_for_free() {
        let facts = Facts { domain: Some(DomainType::Identity), ram_bits: Some(38), ..good() };
        let checks = check(&facts);
        assert!(checks.iter().all(|check| check.ok));
        assert!(checks.iter().any(|check| check.name == "proved" && check.found.starts_with("38 bits")));
        assert_eq!(fails(&Facts { type_writable: false, lazy: Some(false), ..facts }), "domain");
    }
}
