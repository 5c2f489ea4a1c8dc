//! Text for people: what an engineer pastes into a bug report.
//!
//! ```text
//! head        host, kernel, IOMMU, interval, data quality
//! findings    worst first: evidence, next step, risk
//! devices     one table, busiest first; idle ones in one line
//! detail      per active device: counts, percentiles, sizes, histogram
//! space       per domain: a map of the 4 GiB below 2^32
//! foot        what has no value, and why
//! ```

mod advice;
mod advice_many;
mod boot_trial;
mod compat;
mod detail;
mod devices;
mod doctor;
mod findings;
mod foot;
mod gate;
mod head;
mod histogram;
mod merged;
mod page;
mod policy;
mod space;
mod table;
mod verify;

use super::Render;
use crate::commands::advise::{AdviceList, DistroAdvice, FleetAdvice};
use crate::commands::compat::ListCheck;
use crate::commands::devices::DeviceList;
use crate::commands::doctor::Survey;
use crate::commands::policy::{Changes, Explanation, PolicyList, PolicyLog, TrialReport, View};
use crate::commands::verify::{BootTrial, VerifyReport};
use crate::exit::Stop;
use crate::term::Term;
use iova_core::compat::merge::Merged;
use iova_core::gate::Outcome;
use iova_core::model::{Device, Presence, Report};
use iova_core::policy::verify::Check;
use page::Page;

pub(super) use detail::identity;
pub(super) use devices::value;
pub(crate) use verify::step_line;

/// The text face.
pub(crate) struct Text {
    term: Term,
}

impl Text {
    pub(crate) fn new(term: Term) -> Self {
        Self { term }
    }

    /// A running trial, in place.
    pub(crate) fn trial_view(&self, view: &View<'_>) -> String {
        self.page(|page| policy::trial_view(page, view))
    }

    /// A running trial, in one line.
    pub(crate) fn trial_line(&self, view: &View<'_>) -> String {
        self.page(|page| policy::trial_line(page, view))
    }

    /// Whether a device can be verified, before it is.
    pub(crate) fn conditions(&self, bdf: &str, checks: &[Check]) -> String {
        self.page(|page| verify::conditions(page, bdf, checks))
    }

    /// `iova gate`.
    pub(crate) fn gate(&self, outcome: &Outcome) -> String {
        self.page(|page| gate::write(page, outcome))
    }

    fn page(&self, write: impl FnOnce(&mut Page)) -> String {
        let mut page = Page::new(self.term);
        write(&mut page);
        page.finish()
    }
}

impl Render for Text {
    fn report(&self, report: &Report) -> Result<String, Stop> {
        let mut page = Page::new(self.term);
        head::write(&mut page, report);
        findings::write(&mut page, report);
        devices::write(&mut page, report);
        detail::write(&mut page, report);
        space::write(&mut page, report);
        foot::write(&mut page, report);
        Ok(page.finish())
    }

    fn devices(&self, list: &DeviceList) -> Result<String, Stop> {
        let mut page = Page::new(self.term);
        devices::list(&mut page, list);
        Ok(page.finish())
    }

    fn doctor(&self, survey: &Survey) -> Result<String, Stop> {
        let mut page = Page::new(self.term);
        doctor::write(&mut page, survey);
        Ok(page.finish())
    }

    fn advice(&self, list: &AdviceList) -> Result<String, Stop> {
        Ok(self.page(|page| advice::write(page, list)))
    }

    fn fleet(&self, advice: &FleetAdvice) -> Result<String, Stop> {
        Ok(self.page(|page| advice_many::fleet(page, &advice.fleet)))
    }

    fn distro(&self, advice: &DistroAdvice) -> Result<String, Stop> {
        Ok(self.page(|page| advice_many::distro(page, &advice.dossier)))
    }

    fn policies(&self, list: &PolicyList) -> Result<String, Stop> {
        Ok(self.page(|page| policy::show(page, list)))
    }

    fn explanation(&self, explanation: &Explanation) -> Result<String, Stop> {
        Ok(self.page(|page| policy::explain(page, explanation)))
    }

    fn trial(&self, report: &TrialReport) -> Result<String, Stop> {
        Ok(self.page(|page| policy::trial(page, report)))
    }

    fn policy_log(&self, log: &PolicyLog) -> Result<String, Stop> {
        Ok(self.page(|page| policy::log(page, log)))
    }

    fn list_check(&self, check: &ListCheck) -> Result<String, Stop> {
        Ok(self.page(|page| compat::write(page, check)))
    }

    fn merged(&self, merged: &Merged) -> Result<String, Stop> {
        Ok(self.page(|page| merged::write(page, merged)))
    }

    fn changes(&self, changes: &Changes) -> Result<String, Stop> {
        Ok(self.page(|page| policy::changes(page, changes)))
    }

    fn verification(&self, report: &VerifyReport) -> Result<String, Stop> {
        Ok(self.page(|page| verify::write(page, report)))
    }

    fn boot_trial(&self, trial: &BootTrial) -> Result<String, Stop> {
        Ok(self.page(|page| boot_trial::write(page, trial)))
    }
}

/// Devices with a block of their own: the busiest, and those that a finding is about. On a host with a hundred disks
/// the report stays readable; everything is in the JSON, and `--device` shows any.
fn in_detail(report: &Report) -> Vec<&Device> {
    const BUSIEST: usize = 8;
    let named =
        |device: &Device| report.findings.iter().any(|finding| finding.device.as_ref() == Some(&device.bdf));
    let active = report.devices.iter().filter(|device| device.active()).enumerate();
    active.filter(|(rank, device)| *rank < BUSIEST || named(device)).map(|(_, device)| device).collect()
}

/// "00:04.0" for "0000:00:04.0": nearly every machine has one PCI segment only.
pub(super) fn short(bdf: &str) -> &str {
    bdf.strip_prefix("0000:").unwrap_or(bdf)
}

/// What a device is used for: its network interfaces and block devices, else its driver.
fn role(functions: &[String], driver: Option<&str>) -> String {
    match functions {
        [] => driver.unwrap_or("-").to_owned(),
        _ => functions.join(","),
    }
}

/// "00:04.0 nvme0n1", for headings.
pub(super) fn title(device: &Device) -> String {
    let role = used_as(device);
    if role == "-" { short(&device.bdf).to_owned() } else { format!("{} {role}", short(&device.bdf)) }
}

/// The role, and what keeps two devices at one address apart.
pub(super) fn used_as(device: &Device) -> String {
    let role = role(&device.functions, device.driver.as_deref());
    match device.presence {
        Presence::Added => format!("{role} (added)"),
        Presence::Removed => format!("{role} (removed)"),
        Presence::Present | Presence::OneOfGroup | Presence::Unknown | Presence::Other => role,
    }
}
