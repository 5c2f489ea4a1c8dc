//! Every unmap waits for the IOMMU.

use super::super::{Advice, Gain, Setting, Sureness};
use super::draft;
use crate::inventory::DomainType;
use crate::metric::Unit;
use crate::model::{Device, Report};

/// CPU time in unmaps, in CPUs, from which lazy mode is worth a thought.
const UNMAP_CPUS: f64 = 0.02;
/// Unmaps per second from which waiting for each is a part of what the device does, whatever it costs.
const UNMAPS_PER_SECOND: f64 = 1000.0;
/// With fewer, the mean says little.
const MIN_FREES: u64 = 1000;

const LAZY: &str = "lazy-unmap";

/// Lazy mode for a device whose unmaps cost a visible part of a CPU, or are very many.
pub(super) fn lazy(report: &Report, device: &Device) -> Option<Advice> {
    let (count, mean) =
        (device.free.count.filter(|&count| count >= MIN_FREES)?, device.free.latency_ns.mean?);
    let per_second = count as f64 / report.duration_s.max(0.001);
    let cpus = per_second * mean as f64 / 1e9;
    // Only kernels whose groups have a type can switch one of them (5.11, lazily from 5.15).
    let switchable = !matches!(
        report.host.sac_control,
        crate::model::SacControl::IntelGlobal | crate::model::SacControl::Fixed
    );
    // Its driver can't flush everything before 6.9, and the live switch does not ask (iommu_group_store_type).
    let virtual_iommu = report.host.iommu.as_deref().is_some_and(|name| name.contains("virtio"));
    let switchable = switchable && !virtual_iommu;
    let matters = cpus >= UNMAP_CPUS || per_second >= UNMAPS_PER_SECOND;
    if device.domain_type != Some(DomainType::Dma) || !matters || !switchable {
        return None;
    }
    let group = device.group?;
    let file = format!("/sys/kernel/iommu_groups/{group}/type");
    let setting = Setting::DomainType { device: device.bdf.clone(), group, to: "DMA-FQ" };
    let quick = device.alloc.latency_ns.quickest_tenth().unwrap_or(mean).min(mean);
    Some(Advice {
        text: format!(
            "Its domain is strict: each of {} unmaps ({} per second) waits until the IOMMU has forgotten the address. They take \
             {} on average, as far as that is timed, and {} of a CPU in all.",
            Unit::Count.render(Some(count as f64)),
            Unit::PerSecond.render(Some(per_second)),
            Unit::Nanoseconds.render(Some(mean as f64)),
            Unit::Ratio.render(Some(cpus)),
        ),
        // Drivers that unlink addresses in one call and free them in another (dma_iova_*, 6.16 and later) wait in the first.
        gain: (cpus >= UNMAP_CPUS).then(|| {
            Gain::between(
                "free.latency_ns.mean",
                mean as f64,
                quick as f64,
                "an unmap that only joins a queue costs no less than the quickest tenth of allocations, which are cached ones, and no \
                 more than now; which part of it is waiting is not measured",
            )
        }),
        now: vec![format!("echo DMA-FQ > {file}")],
        risk: Some(
            "For up to 10 ms after an unmap the device can still reach that memory: not for devices that you do not trust \
             (external ports, or given to guests)."
                .to_owned(),
        ),
        revert: format!("unbind the driver, echo DMA > {file}, bind it; or the next boot"),
        sure: Sureness::Low,
        why: "Strict mode may be meant: it is the safer one. What lazy mode brings, `iova gate run` tells: your load before \
              and after."
            .to_owned(),
        ..draft(LAZY, device, setting)
    })
}

/// With so many groups it is the host that is strict, not a device.
const MANY: usize = 4;
const OPTION: &str = "iommu.strict=0";

/// One boot option instead of a rule for each of many groups. What forces strict mode whatever is asked for (an IOMMU in caching
/// mode, as under a hypervisor: iommu_set_dma_strict in drivers/iommu/intel/iommu.c) is not seen from here.
pub(super) fn whole_host(list: &mut Vec<Advice>) {
    let (lazy, mut rest): (Vec<Advice>, Vec<Advice>) = list.drain(..).partition(|advice| advice.id == LAZY);
    if lazy.len() < MANY {
        rest.extend(lazy);
        *list = rest;
        return;
    }
    let devices: Vec<&str> = lazy.iter().filter_map(|advice| advice.device.as_deref()).collect();
    let text = format!(
        "The domains of {} devices are strict: each of their unmaps waits until the IOMMU has forgotten the address ({}).",
        lazy.len(),
        devices.join(", ")
    );
    let now = lazy.iter().flat_map(|advice| advice.now.clone()).collect();
    // The interval is that of the device that gains most; the others keep theirs to themselves.
    let best = lazy.into_iter().max_by(|a, b| share(a).total_cmp(&share(b)));
    rest.extend(best.map(|best| Advice {
        id: "lazy-boot",
        setting: Setting::BootOption { option: OPTION },
        text,
        now,
        risk: Some(
            "For up to 10 ms after an unmap every device can still reach that memory. The kernel keeps devices at external \
             ports strict; guests' devices are not concerned."
                .to_owned(),
        ),
        revert: "boot without it".to_owned(),
        why: format!("{} Where the kernel has its own reason to be strict, as with an emulated VT-d, the option does nothing.", best.why),
        ..best
    }));
    *list = rest;
}

fn share(advice: &Advice) -> f64 {
    advice.gain.as_ref().map_or(0.0, Gain::share)
}
