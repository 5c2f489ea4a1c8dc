//! Caches full of what nobody asks for.

use super::super::{Advice, Setting, Sureness};
use super::{about, draft};
use crate::finding::Severity;
use crate::model::{Device, Report};

/// Empty them once, by a fresh domain.
pub(super) fn fresh(report: &Report, device: &Device) -> Option<Advice> {
    let findings = about(report, device, &["wrong-size-cached", "cache-holds-space"]);
    let finding = *findings
        .iter()
        .find(|finding| finding.severity >= Severity::Warning || finding.id == "wrong-size-cached")?;
    let (group, driver) = (device.group?, device.driver.clone());
    let (bdf, file) = (&device.bdf, format!("/sys/kernel/iommu_groups/{group}/type"));
    let kind = device.domain_type.map_or("DMA-FQ", crate::model::type_name);
    let setting = Setting::FreshDomain { device: bdf.clone(), group, driver: driver.clone() };
    Some(Advice {
        text: finding.text.clone(),
        findings: vec![finding.id],
        now: commands(bdf, driver.as_deref(), &format!("echo identity > {file}; echo {kind} > {file}")),
        risk: Some("The device is gone while its driver is unbound: not for what the host runs on.".to_owned()),
        revert: "nothing to take back: the caches fill anew by themselves".to_owned(),
        sure: if finding.severity >= Severity::Warning { Sureness::High } else { Sureness::Medium },
        why: "It helps where space is short or the slow path is long; elsewhere it hardly shows. The caches are flushed by the kernel only when an allocation fails in the device's whole range; a fresh domain \
              starts without them. After the next change of the request size they are wrong again."
            .to_owned(),
        ..draft("fresh-caches", device, setting)
    })
}

/// A domain is made new only while no driver holds the device.
fn commands(bdf: &str, driver: Option<&str>, renew: &str) -> Vec<String> {
    let bus = |verb: &str| driver.map(|driver| format!("echo {bdf} > /sys/bus/pci/drivers/{driver}/{verb}"));
    [bus("unbind"), Some(renew.to_owned()), bus("bind")].into_iter().flatten().collect()
}
