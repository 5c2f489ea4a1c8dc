//! One HTML file that holds all: no other file, no network, nothing that a script must do first.
//!
//! ```text
//! head        host, kernel, IOMMU, interval, data quality
//! findings    worst first: evidence, next step, risk
//! devices     one table of all; the script sorts it
//! device      per busy device, over time: rate, latency, percentiles, events, space; at the end: sizes, map, figures
//! appendix    what has no value; how to read the pictures; what every metric is
//! compare     two recordings side by side
//! ```
//!
//! Text gets into the page through [`write::Html`] alone, which escapes it. Pictures are PNG files inside the page
//! ([`image`]) or SVG paths ([`plot`]); the script reads the figures back from colours and packed attributes.

mod appendix;
mod colour;
mod compare;
mod device;
mod devices;
mod events;
mod exact;
mod findings;
mod head;
mod heat;
mod image;
mod plot;
mod scale;
mod series;
mod time;
mod write;

use iova_core::model::story::Story;
use iova_core::model::{Device, Latency, Report};
use write::Html;

pub(crate) use compare::comparison;

/// A measurement, live or from a recording.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run<'a> {
    pub(crate) report: &'a Report,
    pub(crate) story: &'a Story,
    /// When it began, ns since 1970; `None` if nobody knows.
    pub(crate) begun_ns: Option<u64>,
}

/// Devices with pictures: the busiest.
const BUSIEST: usize = 24;
/// Those, and the ones that findings are about.
const PICTURED: usize = 48;

/// The report of one measurement.
pub(crate) fn page(run: Run<'_>) -> String {
    let Run { report, story, .. } = run;
    let pictured = pictured(report);
    let looks = heat::Looks::new(stories(story, &pictured).iter());
    let mut html = Html::default();
    head::begin(&mut html, &format!("iova report: {}", report.host.name));
    head::write(&mut html, run);
    head::tools(&mut html);
    findings::write(&mut html, report);
    devices::write(&mut html, report, &pictured);
    device::legend(&mut html, &looks, &[story]);
    for (index, device) in pictured.iter().enumerate() {
        device::write(&mut html, run, device, index, &looks);
    }
    device::left_out(&mut html, report, &pictured);
    appendix::write(&mut html, report);
    head::end(&mut html);
    html.finish()
}

/// The latencies of all columns of these devices.
fn stories(story: &Story, devices: &[&Device]) -> Vec<Latency> {
    let told = devices.iter().filter_map(|device| story.device(&device.bdf));
    told.flat_map(|device| device.columns.iter().map(|(_, stretch)| stretch.latency())).collect()
}

/// Devices with a block of their own, busiest first.
fn pictured(report: &Report) -> Vec<&Device> {
    let named =
        |device: &Device| report.findings.iter().any(|finding| finding.device.as_ref() == Some(&device.bdf));
    let active = report.devices.iter().filter(|device| device.active()).enumerate();
    let shown = active.filter(|(rank, device)| *rank < BUSIEST || named(device));
    shown.map(|(_, device)| device).take(PICTURED).collect()
}

#[cfg(test)]
mod tests;
