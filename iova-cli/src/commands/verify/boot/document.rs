//! The JSON document of `iova verify --boot`, and the source of its text.

use super::prepare::{self, Boot};
use iova_core::kernel::Root;
use iova_core::model::HostFigures;
use iova_core::policy::boot_trial::{Answer, Culprit, How, Plan};
use iova_core::policy::verify::Basis;
use iova_core::policy::verify::Verdict;
use iova_core::policy::{Evidence, Relation};
use serde::Serialize;

/// Everything about a trial, and where it stands.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct BootTrial {
    pub(crate) schema: &'static str,
    pub(crate) schema_version: u32,
    pub(crate) host: HostFigures,
    pub(crate) trial: Plan,
    /// The boot that comes next.
    pub(crate) next: Option<Boot>,
    /// One sentence.
    pub(crate) sentence: String,
    /// What to do now, one sentence; `None`: it goes on by itself.
    pub(crate) todo: Option<String>,
}

impl BootTrial {
    /// The trial as it stands, seen from the boot that `root` is of.
    pub(crate) fn new(host: HostFigures, plan: &Plan, next: Option<Boot>, root: &Root, closed: bool) -> Self {
        let (sentence, todo) = words(plan, next.as_ref(), prepare::is_trial(root), closed);
        Self { schema: "iova.boot-trial", schema_version: 1, host, trial: plan.clone(), next, sentence, todo }
    }
}

fn words(plan: &Plan, next: Option<&Boot>, here: bool, closed: bool) -> (String, Option<String>) {
    let stock = |here: bool| {
        here.then(|| "this boot still has the trial's policies: the next one is stock".to_owned())
    };
    match (&plan.answer, next) {
        (Some(answer), _) => (sentence(plan, answer), after(answer).or_else(|| stock(here))),
        (None, Some(boot)) => ahead(plan, boot),
        (None, None) if closed => ("the boot trial is closed without an answer".to_owned(), stock(here)),
        (None, None) => {
            let way = "a boot is prepared and has not begun: `systemctl kexec` begins it";
            (way.to_owned(), None)
        }
    }
}

fn ahead(plan: &Plan, boot: &Boot) -> (String, Option<String>) {
    let number = plan.rounds.len();
    let sentence =
        format!("boot {number}: {} of {} devices get the full range", boot.devices, plan.suspects.len());
    let todo = match (boot.loaded, plan.reboot) {
        (true, true) => return (sentence, None),
        (true, false) => "`systemctl kexec` begins it; whatever ends it, the boot after it is stock",
        (false, _) => {
            "boot once with this command line (GRUB: press e on the entry; systemd-boot: e as well), from an initramfs that has \
             the module"
        }
    };
    (sentence, Some(todo.to_owned()))
}

fn sentence(plan: &Plan, answer: &Answer) -> String {
    let boots = plan.rounds.len();
    let boots = if boots == 1 { "1 boot".to_owned() } else { format!("{boots} boots") };
    match answer {
        Answer::Nobody => format!(
            "with the full range for {} devices nothing was amiss in {boots}; that shows no more than that boot did",
            plan.suspects.len()
        ),
        Answer::Named { devices, how } => {
            let named: Vec<String> = devices.iter().map(|culprit| named(plan, culprit)).collect();
            let how = match how {
                How::Fault => "the IOMMU refused its addresses",
                How::Alone => "with the full range for it alone the boot failed",
                How::Elimination => "with it the boot failed, and without it, it did not",
            };
            format!("{} ({how}; {boots})", named.join(" and "))
        }
        Answer::Among { devices, why } if devices.is_empty() => why.clone(),
        Answer::Among { devices, why } => {
            let list: Vec<String> = devices.iter().map(ToString::to_string).collect();
            format!("one of {}: {why}", list.join(", "))
        }
    }
}

fn named(plan: &Plan, culprit: &Culprit) -> String {
    let driver = plan
        .suspect(culprit.bdf)
        .map(|suspect| format!(" ({}, {})", suspect.identity.id_text(), suspect.driver));
    let name = format!("{}{}", culprit.bdf, driver.unwrap_or_default());
    match culprit.evidence {
        Some(Evidence { relation: Relation::Truncated { width, .. }, .. }) => {
            let verdict = Verdict::Limit {
                at_least: culprit.at_least.unwrap_or(width).min(width),
                at_most: width,
                basis: Basis::Fault,
            };
            format!("{name} {}", verdict.sentence(""))
        }
        Some(Evidence { relation: Relation::Mangled { .. }, .. }) => format!("{name} changes high bits"),
        _ => format!("{name} does not stand the full range"),
    }
}

fn after(answer: &Answer) -> Option<String> {
    let Answer::Named { devices, .. } = answer else { return None };
    let first = devices.first()?;
    Some(format!(
        "`iova verify {}` finds its width; until then `iova policy set {} strict32` keeps it low",
        first.bdf, first.bdf
    ))
}
