//! Prints what the tracer counts, raw: `trace [light|default|full] [seconds] [device to watch]`. A development aid.

use std::time::{Duration, Instant};

use iova_core::inventory::Inventory;
use iova_core::kernel::Kernel;
use iova_core::probe::{Demand, Extras, Profile, Tracer};

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let profile: Profile = args.next().as_deref().unwrap_or("default").parse().map_err(anyhow::Error::msg)?;
    let seconds: u64 = args.next().as_deref().unwrap_or("3").parse()?;
    let begin = Instant::now();
    let kernel = Kernel::load()?;
    let loaded = begin.elapsed();
    let inventory = Inventory::collect(Some(&kernel));
    let watch = args.next().and_then(|word| inventory.find(&word).ok()?.first()?.dev);
    let mut tracer =
        Tracer::attach(&kernel, profile, Demand::of(&inventory), Extras { watch, ..Extras::default() })?;
    println!("kernel {:?}, attached {:?}", loaded, begin.elapsed());
    for skipped in tracer.skipped() {
        println!("skipped {} ({}): {}", skipped.hook, skipped.metric, skipped.why);
    }
    tracer.sample()?;
    println!("first sample {:?}", begin.elapsed());
    std::thread::sleep(Duration::from_secs(seconds));
    let sample = tracer.sample()?;
    for (order, latency) in sample.watched.iter().flat_map(|watched| watched.by_order.iter().enumerate()) {
        let timed: u64 = latency.buckets.iter().sum();
        if let Some(mean) = latency.sum.checked_div(timed) {
            println!("order {order}: {timed} timed, mean {mean} max {}", latency.max);
        }
    }
    for device in &sample.devices {
        let count: u64 = device.alloc.by_order.iter().sum();
        println!(
            "dev {:x} iovad {:x} group {:?}: {count} {:?} bytes {} failed {} high {} slow {} sac {:?}/{:?} timed {} mean {} max {}",
            device.dev,
            device.iovad,
            device.group,
            device.alloc.by_order,
            device.alloc.bytes,
            device.alloc.failed,
            device.alloc.high,
            device.alloc.slow,
            device.alloc.sac_attempts,
            device.alloc.sac_failed,
            device.alloc.latency.buckets.iter().sum::<u64>(),
            device.alloc.latency.sum / device.alloc.latency.buckets.iter().sum::<u64>().max(1),
            device.alloc.latency.max,
        );
        println!(
            "  free {} bytes {} timed {:?}",
            device.free.count,
            device.free.bytes,
            device.free.latency.as_ref().map(|h| (h.buckets.iter().sum::<u64>(), h.max))
        );
        println!("  map {:?}", device.map.as_ref().map(|h| (h.buckets.iter().sum::<u64>(), h.max)));
    }
    for domain in &sample.domains {
        println!(
            "domain {:x} low {:+} high {:+} nodes {:+} flushes {} fq {:?} lock {:?}",
            domain.iovad,
            domain.low_pages_delta,
            domain.high_pages_delta,
            domain.nodes_delta,
            domain.cache_flushes,
            domain.fq_timer.as_ref().map(|h| (h.buckets.iter().sum::<u64>(), h.max)),
            domain.lock_wait.as_ref().map(|h| (h.buckets.iter().sum::<u64>(), h.max))
        );
    }
    println!("{:?}", sample.quality);
    for event in sample.events.iter().take(20) {
        println!("{event:?}");
    }
    Ok(())
}
