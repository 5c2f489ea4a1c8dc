//! Against type information recorded from Debian kernels 5.10.0-46, 6.1.0-56, 6.12.117 (also with PREEMPT_RT) and 7.3.4, see
//! `extract.rs`.

use std::path::PathBuf;

use super::*;

pub(crate) const LINES: [&str; 4] = ["5.10", "6.1", "6.12", "7.3"];

/// 6.12 with PREEMPT_RT.
const REALTIME: &str = "6.12-rt";

pub(crate) fn path(line: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/btf-{line}.bin"))
}

pub(crate) fn recorded(line: &str) -> Btf {
    Btf::parse(std::fs::read(path(line)).unwrap()).unwrap()
}

/// Not there.
const NO: u32 = u32::MAX;

/// Offsets as `pahole` prints them, per line of [`LINES`].
const OFFSETS: &[(&str, [u32; 4])] = &[
    ("iommu_domain.type", [0, 0, 0, 0]),
    ("iommu_domain.iova_cookie", [64, 64, 64, 80]),
    ("iommu_domain.cookie_type", [NO, NO, NO, 4]),
    ("iommu_domain.geometry", [40, 40, 40, 48]),
    ("iommu_domain.pgsize_bitmap", [16, 16, 32, 40]),
    ("iommu_dma_cookie.iovad", [8, 8, 8, 0]),
    ("iommu_dma_cookie.type", [0, 0, 0, NO]),
    ("iommu_dma_cookie.fq_domain", [1896, 224, 224, 216]),
    ("iommu_dma_cookie.fq", [NO, 136, NO, NO]),
    ("iommu_dma_cookie.percpu_fq", [NO, NO, 136, 144]),
    ("iommu_dma_cookie.single_fq", [NO, NO, 136, 144]),
    ("iommu_dma_cookie.fq_timer", [NO, 160, 160, 168]),
    ("iommu_dma_cookie.options", [NO, NO, 232, 224]),
    ("iommu_dma_cookie.options.qt", [NO, NO, 232, 224]),
    ("iommu_dma_cookie.options.fq_timeout", [NO, NO, 248, 240]),
    ("dmar_domain.iovad", [816, NO, NO, NO]),
    ("dmar_domain.domain", [2744, 80, 160, 0]),
    ("iova_domain.rbroot", [8, 8, 8, 8]),
    ("iova_domain.rbroot.rb_node", [8, 8, 8, 8]),
    ("iova_domain.cached32_node", [24, 24, 24, 24]),
    ("iova_domain.granule", [32, 32, 32, 32]),
    ("iova_domain.start_pfn", [40, 40, 40, 40]),
    ("iova_domain.dma_32bit_pfn", [48, 48, 48, 48]),
    ("iova_domain.max32_alloc_size", [56, 56, 56, 56]),
    ("iova_domain.fq", [64, NO, NO, NO]),
    ("iova_domain.fq_timer", [1824, NO, NO, NO]),
    ("iova_domain.anchor", [88, 64, 64, 64]),
    ("iova_domain.rcaches", [128, 104, 104, 104]),
    ("iova.node.rb_left", [16, 16, 16, 16]),
    ("iova.pfn_hi", [24, 24, 24, 24]),
    ("iova.pfn_lo", [32, 32, 32, 32]),
    ("iova_rcache.depot_size", [8, 8, 4, 4]),
    ("iova_rcache.depot", [16, 16, 8, 8]),
    ("iova_rcache.cpu_rcaches", [272, 272, 16, 16]),
    ("iova_cpu_rcache.loaded", [8, 8, 8, 8]),
    ("iova_cpu_rcache.prev", [16, 16, 16, 16]),
    ("iova_magazine.next", [NO, NO, 0, 0]),
    ("iova_magazine.pfns", [8, 8, 8, 8]),
    ("iova_fq.entries", [0, 0, 16, 16]),
    ("iova_fq.head", [8192, 10240, 4, 4]),
    ("iova_fq.tail", [8196, 10244, 8, 8]),
    ("iova_fq.mod_mask", [NO, NO, 12, 12]),
    ("iova_fq_entry.pages", [8, 8, 8, 8]),
    ("iova_fq_entry.counter", [24, 32, 32, 32]),
    ("iommu_group.devices", [72, 72, 72, 72]),
    ("iommu_group.id", [192, 144, 160, 152]),
    ("iommu_group.default_domain", [200, 152, 168, 160]),
    ("group_device.dev", [16, 16, 16, 16]),
    ("device.dma_mask", [600, 576, 592, 608]),
    ("device.coherent_dma_mask", [608, 584, 600, 616]),
    ("device.bus_dma_limit", [616, 592, 608, 624]),
    ("device.iommu_group", [728, 712, 728, 752]),
    ("device.iommu", [736, 720, 736, 760]),
    ("pci_dev.devfn", [56, 56, 56, 56]),
    ("pci_dev.dev", [200, 208, 200, 208]),
    ("pci_bus.number", [224, 216, 216, 216]),
    ("pci_bus.sysdata", [208, 200, 200, 200]),
    ("intel_iommu.reg", [0, 0, 0, 0]),
    ("intel_iommu.cap", [24, 24, 24, 24]),
    ("intel_iommu.segment", [76, 76, 112, 112]),
    ("amd_iommu.devid", [82, 90, 88, 88]),
    ("amd_iommu.evt_buf", [128, 136, 136, 120]),
];

const SIZES: &[(&str, [u32; 4])] = &[
    ("iova", [40, 40, 40, 40]),
    ("iova_domain", [1872, 128, 128, 128]),
    ("iova_rcache", [280, 280, 120, 120]),
    ("iova_magazine", [1032, 1024, 1024, 1024]),
    ("iova_fq_entry", [32, 40, 40, 40]),
    ("iommu_dma_cookie", [1904, 264, 288, 248]),
];

/// Arguments of functions; [`NO`] where the function does not exist.
const ARGUMENTS: &[(&str, [u32; 4])] = &[
    ("iommu_dma_alloc_iova", [4, 4, 4, 4]),
    ("iommu_dma_free_iova", [3, NO, NO, 4]),
    ("intel_alloc_iova", [4, NO, NO, NO]),
    ("iova_rcache_insert", [3, NO, NO, NO]),
    ("private_free_iova", [2, NO, NO, NO]),
    ("remove_iova", [NO, 2, 2, 2]),
    ("dma_iova_try_alloc", [NO, NO, NO, 4]),
];

fn each(table: &[(&str, [u32; 4])], get: impl Fn(&Btf, &str) -> Option<u32>) {
    for (index, line) in LINES.iter().enumerate() {
        let btf = recorded(line);
        for (name, expected) in table {
            let expected = Some(expected[index]).filter(|&value| value != NO);
            assert_eq!(get(&btf, name), expected, "{name} on {line}");
        }
    }
}

#[test]
fn offsets_on_all_lines() {
    each(OFFSETS, Btf::offset);
}

#[test]
fn sizes_on_all_lines() {
    each(SIZES, Btf::size_of);
}

#[test]
fn functions_on_all_lines() {
    each(ARGUMENTS, |btf, name| btf.arg_count(name).map(|count| count as u32));
    assert!(!recorded("6.1").has_function("iommu_dma_free_iova"));
}

#[test]
fn bitfields() {
    let flag = |line| recorded(line).member("dev_iommu.pci_32bit_workaround");
    assert_eq!((flag("5.10"), flag("6.1")), (None, None));
    for (line, bit) in [("6.12", 545), ("7.3", 481)] {
        let member = flag(line).unwrap();
        assert_eq!((member.bit_offset, member.bit_width, member.offset()), (bit, 1, bit / 8), "{line}");
    }
}

#[test]
fn arrays_pointers_and_enums() {
    for (line, (capacity, embedded)) in
        LINES.iter().zip([(128, true), (127, false), (127, false), (127, false)])
    {
        let btf = recorded(line);
        let pfns = btf.member("iova_magazine.pfns").unwrap();
        assert_eq!(btf.array_len(pfns), Some(capacity), "{line}");
        let rcaches = btf.member("iova_domain.rcaches").unwrap();
        assert_eq!(
            (btf.array_len(rcaches).is_some(), btf.is_pointer(rcaches)),
            (embedded, !embedded),
            "{line}"
        );
    }
    let btf = recorded("7.3");
    assert_eq!(btf.enumerator("iommu_domain_cookie_type", "IOMMU_COOKIE_DMA_IOVA"), Some(1));
    assert_eq!(btf.enumerator("iommu_domain_cookie_type", "NO_SUCH"), None);
    assert_eq!(recorded("6.1").enumerator("iommu_dma_cookie_type", "IOMMU_DMA_IOVA_COOKIE"), Some(0));
}

#[test]
fn spinlocks_sleep_where_they_have_an_owner() {
    let sleep = |line| crate::kernel::Types::from(recorded(line)).spinlocks_sleep();
    assert!(sleep(REALTIME));
    assert!(LINES.iter().all(|line| !sleep(line)));
}

#[test]
fn locks_that_sleep_are_larger() {
    let btf = recorded(REALTIME);
    for (path, offset) in [
        ("iova_domain.rbroot.rb_node", 32),
        ("iova_domain.max32_alloc_size", 80),
        ("iova_domain.rcaches", 128),
        ("iova_rcache.depot", 40),
        ("iova_cpu_rcache.loaded", 32),
        ("iova_fq.mod_mask", 40),
        ("iommu_dma_cookie.percpu_fq", 160),
        ("iommu_dma_cookie.fq_timer", 184),
        ("iommu_dma_cookie.fq_domain", 248),
        ("iommu_dma_cookie.options.qt", 256),
    ] {
        assert_eq!(btf.offset(path), Some(offset), "{path}");
    }
}

#[test]
fn the_table_for_ebpf() {
    let offsets = super::super::offsets::resolve(&recorded("6.12").into());
    assert_eq!((offsets.device_iommu_group, offsets.iommu_domain_iova_cookie), (728, 64));
    assert_eq!(offsets.dmar_domain_iovad, iova_common::offsets::ABSENT);
}

#[test]
fn not_btf() {
    assert_eq!(Btf::parse(vec![0; 64]).unwrap_err(), BtfError::Magic);
    assert_eq!(Btf::parse(Vec::new()).unwrap_err(), BtfError::Damaged(0));
}

#[test]
fn cut_off_anywhere_is_an_error_and_no_panic() {
    let data = std::fs::read(path("7.3")).unwrap();
    for length in (0..data.len()).step_by(97) {
        assert!(Btf::parse(data[..length].to_vec()).is_err(), "{length}");
    }
}

#[test]
fn damaged_bytes_never_panic() {
    let data = std::fs::read(path("6.12")).unwrap();
    for at in (0..data.len()).step_by(31) {
        let mut data = data.clone();
        data[at] ^= 0xff;
        if let Ok(btf) = Btf::parse(data) {
            for (path, _) in OFFSETS {
                let _ = btf.offset(path);
            }
        }
    }
}

#[test]
fn a_module_goes_on_where_the_kernel_ends() {
    let base = recorded("6.12");
    let own = base.header.strings_len();
    // One function whose name is in the module's own strings.
    let words = [0x0001_eb9f, 24, 0, 12, 12, 9, own + 1, kind::FUNC << 24, 1];
    let mut data: Vec<u8> = words.iter().flat_map(|word: &u32| word.to_ne_bytes()).collect();
    data.extend_from_slice(b"\0viommu\0\0");
    let module = ModuleBtf::parse(&data, &base).unwrap();
    assert!(module.has_function("viommu") && !module.has_function("iova"));
    assert!(ModuleBtf::parse(&data[..30], &base).is_err());
}
