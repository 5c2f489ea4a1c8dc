//! Prints what is known about this machine's IOVA domains: a tool for trying the library on a new kernel.

use std::time::Instant;

use iova_core::doctor;
use iova_core::inventory::Inventory;
use iova_core::kernel::Kernel;
use iova_core::snapshot::{self, DomainState};

fn main() {
    let start = Instant::now();
    let kernel = match Kernel::load() {
        Ok(kernel) => kernel,
        Err(error) => {
            let inventory = Inventory::collect(None);
            return println!("error: {error}\n{:?}", doctor::survey(Err(&error), &inventory));
        }
    };
    println!("kernel {} loaded in {:?}, {} types", kernel.release, start.elapsed(), kernel.btf.len());
    let start = Instant::now();
    let inventory = Inventory::collect(Some(&kernel));
    println!("inventory taken in {:?}: {:?}", start.elapsed(), inventory.host);
    for device in &inventory.devices {
        println!("{device:?}");
    }
    for sentence in &inventory.missing {
        println!("missing: {sentence}");
    }
    for ability in doctor::survey(Ok(&kernel), &inventory) {
        println!("{:?} {}: {}", ability.state, ability.name, ability.found);
    }
    let start = Instant::now();
    let snapshot = snapshot::take(&kernel);
    println!("snapshot taken in {:?}", start.elapsed());
    for sentence in &snapshot.missing {
        println!("missing: {sentence}");
    }
    for domain in &snapshot.domains {
        print(domain);
    }
}

fn print(domain: &DomainState) {
    let low = &domain.low;
    println!(
        "group={} iovad={:#x} nodes={} reserved={} live={} cached={} pending={} free={} gap={} high={} lazy={} max32={:#x} {:?}",
        domain.group.map_or_else(String::new, |group| group.to_string()),
        domain.iovad,
        domain.nodes,
        low.reserved,
        low.live,
        low.cached,
        low.pending,
        low.free,
        low.largest_gap,
        domain.high_pages,
        u8::from(domain.lazy),
        domain.max32_alloc_pages,
        domain.consistency,
    );
    println!(
        "  blocks={:?} cached={:?} depot={:?} fq={}",
        low.aligned_blocks, domain.cached_by_order, domain.depot_by_order, domain.fq_entries
    );
    if std::env::args().any(|argument| argument == "--ranges") {
        for range in domain.ranges.iter() {
            println!("  {:#x}-{:#x} {:?}", range.pfn_lo, range.pfn_hi, range.kind);
        }
    }
}
