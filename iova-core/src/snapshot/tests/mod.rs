//! The walker against kernels made of bytes, one for each recorded line.

mod image;

use image::{Content, Image};

use super::*;
use crate::kernel::btf::tests::LINES;

fn full(first: u64, line: &str) -> Vec<u64> {
    (first..first + if line == "5.10" { 128 } else { 127 }).collect()
}

fn content(line: &str) -> Content {
    let depot = vec![full(0x2000, line), full(0x3000, line)];
    let mut nodes = vec![(0xa0, 0xbf), (0xfee00, 0xfeeff), (0xff000, 0xff00f), (0x10_0000, 0x10_0003)];
    nodes.extend([(0x1000, 0x1000), (0x1001, 0x1001), (0x1010, 0x1013)]);
    nodes.extend([(0x4000, 0x4007), (0x4008, 0x400f), (0x4010, 0x4010)]);
    nodes.extend(depot.iter().flatten().map(|&pfn| (pfn, pfn)));
    nodes.sort_unstable();
    Content {
        nodes,
        loaded: vec![vec![0x1000, 0x1001], vec![], vec![0x1010]],
        depot,
        queued: vec![(0x4000, 8), (0x4008, 8), (0x4010, 1)],
        window: (0xa_0000, 0xb_ffff),
    }
}

fn snapshot(image: &Image, name: &str) -> Snapshot {
    let kernel = image.kernel(name);
    let snapshot = take(&kernel);
    image.remove(name);
    snapshot
}

#[test]
fn every_line_is_read_right() {
    for line in LINES {
        let snapshot = snapshot(&Image::new(line, &content(line)), "right");
        assert_eq!(snapshot.missing, [""; 0], "{line}");
        let [domain] = &snapshot.domains[..] else { panic!("{line}: {snapshot:?}") };
        let depot = 2 * full(0, line).len() as u64;
        let low = &domain.low;
        assert_eq!((domain.group, domain.granule, domain.lazy), (Some(7), 4096, true), "{line}");
        assert_eq!(domain.consistency, Consistency::Stable, "{line}");
        // Page 0 counts as reserved.
        assert_eq!((low.reserved, low.live), (32 + 256 + 1, 16), "{line}");
        assert_eq!((low.cached, low.pending), (2 + 4 + depot, 17), "{line}");
        let sum = low.reserved + low.live + low.cached + low.pending + low.free;
        assert_eq!((sum, domain.high_pages), (1 << 20, 4), "{line}");
        assert_eq!(low.largest_gap, 0xfee00 - 0x4011, "{line}");
        assert_eq!(domain.cached_by_order, [2 + depot, 0, 1, 0, 0, 0], "{line}");
        assert_eq!((domain.depot_by_order[0], domain.fq_entries), (2, 3), "{line}");
        assert_eq!((domain.nodes, domain.max32_alloc_pages), (10 + depot, 1 << 20), "{line}");
    }
}

#[test]
fn an_address_cached_without_a_node_is_never_called_stable() {
    for line in LINES {
        let mut content = content(line);
        content.nodes.retain(|node| node.0 != 0x1001);
        let snapshot = snapshot(&Image::new(line, &content), "torn");
        assert_eq!(snapshot.domains[0].consistency, Consistency::Approximate, "{line}");
    }
}

#[test]
fn a_walk_that_goes_astray_again_and_again_is_refused() {
    let mut content = content("6.12");
    content.nodes.swap(0, 1);
    let snapshot = snapshot(&Image::new("6.12", &content), "order");
    assert!(snapshot.domains.is_empty());
    assert!(snapshot.missing[0].contains("changed faster"), "{:?}", snapshot.missing);
}

#[test]
fn a_tree_that_leads_nowhere_is_refused() {
    let mut content = content("6.12");
    content.nodes[0] = (0xbf, 0xa0);
    let snapshot = snapshot(&Image::new("6.12", &content), "nowhere");
    assert!(snapshot.domains.is_empty());
    assert!(snapshot.missing[0].contains("changed faster"), "{:?}", snapshot.missing);
}

#[test]
fn a_kernel_without_data_symbols_says_so() {
    let image = Image::new("6.12", &content("6.12"));
    let kernel = image.kernel("symbols");
    let kallsyms = kernel.root.path("proc/kallsyms");
    std::fs::write(&kallsyms, "ffffffff81000000 T _text\n").unwrap();
    let kernel = crate::kernel::Kernel::load_from(kernel.root.clone()).unwrap();
    let snapshot = take(&kernel);
    image.remove("symbols");
    assert!(snapshot.missing[0].contains("CONFIG_KALLSYMS_ALL"), "{:?}", snapshot.missing);
}

#[test]
fn strict_domains_have_nothing_pending() {
    for line in LINES {
        let content = Content { queued: Vec::new(), ..content(line) };
        let domain = snapshot(&Image::new(line, &content), "strict").domains.remove(0);
        assert_eq!((domain.low.pending, domain.fq_entries), (0, 0), "{line}");
    }
}

/// Whatever the memory holds, a walk ends, and ends without a panic.
#[test]
fn damaged_memory_is_survived() {
    for line in ["5.10", "7.3"] {
        let whole = Image::new(line, &content(line));
        let mut seed = 0x2545_f491_4f6c_dd1d_u64;
        for round in 0..60 {
            let mut image = Image::new(line, &content(line));
            for _ in 0..40 {
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                let at = image::BASE + seed % (whole.memory.len() as u64 / 8 - 1) * 8;
                let values = [0, u64::MAX, seed, image::BASE + seed % whole.memory.len() as u64];
                image.put(at, values[round % 4], 8);
            }
            let _ = snapshot(&image, "damaged");
        }
    }
}

#[test]
fn a_large_tree_is_read_whole() {
    let nodes: Vec<(u64, u64)> = (0..65_536).map(|index| (0x1000 + 4 * index, 0x1001 + 4 * index)).collect();
    let content =
        Content { nodes, loaded: Vec::new(), depot: Vec::new(), queued: Vec::new(), ..content("6.12") };
    let image = Image::new("6.12", &content);
    let kernel = image.kernel("large");
    let snapshot = take(&kernel);
    image.remove("large");
    let domain = &snapshot.domains[0];
    assert_eq!(
        (domain.nodes, domain.low.live, domain.low.aligned_blocks[0]),
        (65_536, 131_072, domain.low.free)
    );
    assert_eq!(domain.consistency, Consistency::Stable);
}
