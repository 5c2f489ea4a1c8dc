//! Why a policy can't be had.

use std::fmt;
use std::str::FromStr;

use iova_common::policy::refusal as number;

/// The module's reason to refuse (`enum iova_policy_refusal`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No IOMMU translates for the device.
    NoIommu,
    /// Identity domain: no IOVA is allocated.
    Identity,
    /// The domain is not the DMA API's (VFIO).
    Unmanaged,
    /// Shares its requester ID.
    Aliased,
    /// The mechanism would hit the group's other devices.
    SharedGroup,
    /// Firmware needs fixed addresses.
    DirectRegion,
    /// The device can't address that much.
    Mask,
    /// A narrower bus limit is there already.
    Narrower,
    /// This is a crash kernel.
    Kdump,
    /// This kernel offers no way for this device.
    NoMechanism,
    /// The allocator's structures are not as expected.
    Layout,
    /// A fault was seen under a wider policy.
    Quarantined,
    /// Wider than the protective cap.
    Capped,
    /// lockdown=confidentiality.
    Lockdown,
    /// No driver is bound.
    Unbound,
    /// Every usable address is above the cap.
    NoLowSpace,
    /// The low space could not be held.
    Held,
    /// Width out of range for the kind.
    Width,
    /// The module's parameter `off` is set.
    Off,
    /// A limit would decrypt coherent memory (SME).
    Encrypted,
    /// A reason of a later module.
    Other(u32),
}

/// Every reason, its number, its word in sysfs, and what to tell people.
const TABLE: &[(Refusal, u32, &str, &str)] = &[
    (
        Refusal::NoIommu,
        number::NO_IOMMU,
        "no-iommu",
        "no IOMMU translates for this device, so it gets physical addresses and there is nothing to choose: switch \
         VT-d or AMD-Vi on in the firmware, and boot with intel_iommu=on (Intel)",
    ),
    (
        Refusal::Identity,
        number::IDENTITY,
        "identity",
        "the device is in passthrough (identity domain), where no IOVA is allocated: unbind its driver and write \
         DMA-FQ to its group's type, or boot with iommu.passthrough=0",
    ),
    (
        Refusal::Unmanaged,
        number::UNMANAGED,
        "unmanaged",
        "the device's addresses are managed by somebody else (VFIO, a virtual machine): set the policy when it is back \
         with a driver of this host",
    ),
    (
        Refusal::Aliased,
        number::ALIASED,
        "aliased",
        "the device shares its requester ID with others (conventional PCI behind a bridge, or a quirk), so the IOMMU \
         can't tell them apart: it stays as it is",
    ),
    (
        Refusal::SharedGroup,
        number::SHARED_GROUP,
        "shared-group",
        "the only way on this kernel would also hit the other devices of its IOMMU group: put the device into a slot \
         with a group of its own, or use a kernel with the per-device flag (6.6)",
    ),
    (
        Refusal::DirectRegion,
        number::DIRECT_REGION,
        "direct-region",
        "the firmware needs fixed addresses for this device (RMRR or IVMD): it stays as it is; switching off the \
         firmware's use of it (legacy USB, remote console) may end that",
    ),
    (
        Refusal::Mask,
        number::MASK,
        "mask",
        "the device's own DMA mask is narrower than the policy: try one no wider than its mask (`iova devices` shows it)",
    ),
    (
        Refusal::Narrower,
        number::NARROWER,
        "narrower",
        "the bus above the device carries fewer bits than the policy: try one no wider than its bus limit",
    ),
    (
        Refusal::Kdump,
        number::KDUMP,
        "kdump",
        "this is a crash kernel, which must not touch what the crashed one set up: boot the ordinary kernel",
    ),
    (
        Refusal::NoMechanism,
        number::NO_MECHANISM,
        "no-mechanism",
        "this kernel offers no way to do that for this device: boot with iommu.forcedac=1 (5.10 with VT-d: \
         intel_iommu=forcedac) for all devices at once, or use Linux 5.13 or later",
    ),
    (
        Refusal::Layout,
        number::LAYOUT,
        "layout",
        "the allocator's private structures are not where the module expects them, so it keeps its hands off: rebuild \
         the module for the running kernel",
    ),
    (
        Refusal::Quarantined,
        number::QUARANTINED,
        "quarantined",
        "a fault was seen under a wider policy, so none is taken any more: see `iova policy log`; if the device is not \
         to blame, write idle to its iova_policy/state",
    ),
    (
        Refusal::Capped,
        number::CAPPED,
        "capped",
        "the policy is wider than the device's protective cap: try one within the cap; the cap itself is only lifted by \
         a reboot",
    ),
    (
        Refusal::Lockdown,
        number::LOCKDOWN,
        "lockdown",
        "lockdown=confidentiality allows caps only: boot with lockdown=integrity, or none",
    ),
    (
        Refusal::Unbound,
        number::UNBOUND,
        "unbound",
        "no driver is bound to the device, so there is nothing to try: bind one first, or set the policy for the next \
         bind (`iova policy set`)",
    ),
    (
        Refusal::NoLowSpace,
        number::NO_LOW_SPACE,
        "no-low-space",
        "every address the device can use is above the cap (its host bridge has its window higher): it must stay \
         without one",
    ),
    (
        Refusal::Held,
        number::HELD,
        "held",
        "the space below 4 GiB could not be held: too much of it is in pieces or in use; try again with less load, or \
         after its driver was bound anew",
    ),
    (
        Refusal::Width,
        number::WIDTH,
        "width",
        "the width can't be had: either it is out of range (cap:32 to cap:63, dac:33 to dac:57), or everything between half \
         of it and its window is reserved, as by the 64-bit windows of PCI bridges: try a wider one",
    ),
    (
        Refusal::Off,
        number::OFF,
        "off",
        "all policies are switched off: write 0 to /sys/module/iova_policy/parameters/off to allow them again",
    ),
    (
        Refusal::Encrypted,
        number::ENCRYPTED,
        "encrypted",
        "memory is encrypted (SME), and a limit below the encryption bit would decrypt what the device shares with its \
         driver: try a policy of 48 bits or more, or boot with mem_encrypt=off",
    ),
];

impl Refusal {
    /// From the number of the interface; `None` for 0, "not refused".
    pub fn from_number(raw: u32) -> Option<Self> {
        let known = TABLE.iter().find(|entry| entry.1 == raw).map(|entry| entry.0);
        known.or((raw != number::OK).then_some(Self::Other(raw)))
    }

    /// What it means and what to do instead, in one sentence without its full stop.
    pub fn sentence(self) -> &'static str {
        let known = TABLE.iter().find(|entry| entry.0 == self);
        known.map_or(
            "the loaded module gives a reason this version of iova does not know: update iova",
            |entry| entry.3,
        )
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (TABLE.iter().find(|entry| entry.0 == *self), self) {
            (Some(entry), _) => f.write_str(entry.2),
            (None, Self::Other(raw)) => write!(f, "reason-{raw}"),
            (None, _) => f.write_str("unknown"),
        }
    }
}

/// Not a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a reason to refuse a policy")]
pub struct BadRefusal;

impl FromStr for Refusal {
    type Err = BadRefusal;

    fn from_str(word: &str) -> Result<Self, BadRefusal> {
        let known = TABLE.iter().find(|entry| entry.2 == word).map(|entry| entry.0);
        let later = || word.strip_prefix("reason-")?.parse().ok().map(Self::Other);
        known.or_else(later).ok_or(BadRefusal)
    }
}

super::as_word!(Refusal);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_its_word_and_its_sentence() {
        for raw in 1..=number::ENCRYPTED {
            let refusal = Refusal::from_number(raw).unwrap();
            assert!(!matches!(refusal, Refusal::Other(_)), "{raw}");
            assert_eq!(refusal.to_string().parse(), Ok(refusal));
            assert!(refusal.sentence().contains(": ") && !refusal.sentence().ends_with('.'), "{refusal}");
        }
        assert_eq!(Refusal::from_number(0), None);
        assert_eq!("reason-99".parse(), Ok(Refusal::Other(99)));
        assert_eq!(Refusal::from_number(99).unwrap().to_string(), "reason-99");
    }
}
