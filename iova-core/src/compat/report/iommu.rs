//! Kinds of IOMMU and how wide the addresses are that they translate, from what their drivers show in sysfs.

use super::{IommuFacts, IommuKind, MAX_IOMMUS};
use crate::inventory::host;
use crate::kernel::Root;

const CLASS: &str = "sys/class/iommu";

/// Every kind with every width, once.
pub(super) fn read(root: &Root) -> Vec<IommuFacts> {
    let mut all: Vec<IommuFacts> = root.names(CLASS).iter().map(|name| one(root, name)).collect();
    all.sort_unstable();
    all.dedup();
    all.truncate(MAX_IOMMUS);
    all
}

fn one(root: &Root, name: &str) -> IommuFacts {
    let register = |file: &str| {
        let text = root.text(format!("{CLASS}/{name}/{file}"))?;
        u64::from_str_radix(text.split(':').next()?.trim(), 16).ok()
    };
    let (kind, width) = match host::kind_of(root, name).as_str() {
        "Intel VT-d" => (IommuKind::IntelVtD, register("intel-iommu/cap").and_then(vtd)),
        "AMD-Vi" => (IommuKind::AmdVi, register("amd-iommu/features").and_then(amd)),
        "virtio-iommu" => (IommuKind::Virtio, None),
        "Arm SMMUv3" | "Arm SMMU" => (IommuKind::ArmSmmu, None),
        _ => (IommuKind::Other, None),
    };
    IommuFacts { kind, width }
}

/// The capability register: `cap_mgaw()` and `cap_sagaw()` of drivers/iommu/intel/iommu.h. Bits 1 to 3 of SAGAW are
/// page tables of three to five levels, each of 9 bits.
fn vtd(cap: u64) -> Option<u8> {
    let most = (cap >> 16 & 0x3f) as u8 + 1;
    let levels = (1..=3).rev().find(|bit| cap >> (8 + bit) & 1 == 1)?;
    Some(most.min(30 + 9 * levels))
}

/// The extended feature register: `FEATURE_HATS` of drivers/iommu/amd/amd_iommu_types.h, page tables of four to six
/// levels; the sixth has but the rest of 64 bits.
fn amd(features: u64) -> Option<u8> {
    match features >> 10 & 3 {
        0 => Some(48),
        1 => Some(57),
        2 => Some(64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testdir::TestDir;

    #[test]
    fn widths() {
        // QEMU's VT-d with aw-bits=48 and 39; a board that translates 42 bits.
        assert_eq!(vtd(0xd2_008c_222f_0686), Some(48));
        assert_eq!(vtd(38 << 16 | 0x2 << 8), Some(39));
        assert_eq!(vtd(41 << 16 | 0x6 << 8), Some(42));
        assert_eq!(vtd(47 << 16), None, "no tables at all");
        assert_eq!((amd(0), amd(1 << 10), amd(2 << 10), amd(3 << 10)), (Some(48), Some(57), Some(64), None));
    }

    #[test]
    fn kinds_once() {
        let dir = TestDir::new("report-iommu");
        for unit in ["dmar0", "dmar1"] {
            dir.file(&format!("{CLASS}/{unit}/intel-iommu/cap"), "d2008c222f0686\n");
        }
        dir.file(&format!("{CLASS}/ivhd0/amd-iommu/features"), "1000829a22:0\n");
        let kinds: Vec<_> = read(&dir.root()).iter().map(|it| (it.kind, it.width)).collect();
        assert_eq!(kinds, [(IommuKind::IntelVtD, Some(48)), (IommuKind::AmdVi, Some(64))]);
    }
}
