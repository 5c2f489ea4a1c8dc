//! `iova verify --boot`: who is tried, a line per boot, and where it stands.

use super::page::{Page, Style};
use crate::commands::verify::BootTrial;
use iova_core::policy::boot_trial::{Answer, Plan, Round, RoundOutcome};

/// More devices than that are counted instead of named.
const NAMED: usize = 16;

pub(super) fn write(page: &mut Page, trial: &BootTrial) {
    let (host, plan) = (&trial.host, &trial.trial);
    let words = [
        format!("boot trial {}", plan.id),
        format!("Linux {} {}", host.kernel, host.arch),
        host.iommu.clone().unwrap_or_else(|| "no IOMMU".to_owned()),
    ];
    page.words(Style::Strong, &words);
    page.wrapped(Style::Plain, "tried: ", &suspects(plan));
    for left in &plan.left_out {
        page.wrapped(Style::Dim, "not:   ", &format!("{}: {}", left.bdf, left.why));
    }
    let work = if plan.command.is_empty() {
        format!("{} s of whatever the machine does", plan.watch_ms / 1000)
    } else {
        format!("the command `{}`", plan.command.join(" "))
    };
    page.wrapped(Style::Plain, "work:  ", &work);
    for round in &plan.rounds {
        boot(page, plan, round);
    }
    let good = matches!(plan.answer, None | Some(Answer::Nobody));
    page.wrapped(if good { Style::Strong } else { Style::Bad }, "", &trial.sentence);
    if let Some(next) = &trial.next {
        page.wrapped(Style::Plain, "parameters: ", &next.command_line);
    }
    if let Some(todo) = &trial.todo {
        page.wrapped(Style::Strong, "-> ", todo);
    }
}

fn suspects(plan: &Plan) -> String {
    let named = plan.suspects.iter().take(NAMED);
    let mut list: Vec<String> = named
        .map(|suspect| format!("{} {} to {} bits", suspect.bdf, suspect.driver, suspect.width))
        .collect();
    let more = plan.suspects.len().saturating_sub(NAMED);
    list.extend((more > 0).then(|| format!("{more} more")));
    list.join(", ")
}

fn boot(page: &mut Page, plan: &Plan, round: &Round) {
    let Some(outcome) = &round.outcome else { return };
    let (came, style) = match outcome {
        RoundOutcome::Quiet => ("nothing was amiss".to_owned(), Style::Plain),
        RoundOutcome::Named { devices } => (faults(devices), Style::Bad),
        RoundOutcome::Failed { why, .. } => (why.clone(), Style::Bad),
        RoundOutcome::Lost => ("the machine did not come up, or went down at once".to_owned(), Style::Bad),
    };
    let (chosen, all) = (round.chosen.len(), plan.suspects.len());
    let which = match round.chosen.as_slice() {
        [only] => only.to_string(),
        _ if chosen == all => format!("all {all}"),
        several if chosen <= 4 => several.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        _ => format!("{chosen} of {all}"),
    };
    page.wrapped(style, "  ", &format!("boot {}: {which}: {came}", round.number));
    for left in &round.missed {
        page.wrapped(Style::Dim, "    ", &format!("{} did not get the range: {}", left.bdf, left.why));
    }
    for remark in &round.remarks {
        page.wrapped(Style::Dim, "    ", remark);
    }
}

fn faults(devices: &[iova_core::policy::boot_trial::Culprit]) -> String {
    let words = devices.iter().map(|culprit| {
        let fault =
            culprit.evidence.map(|found| format!(" had a fault at {:#x}: {}", found.address, found.relation));
        format!("{}{}", culprit.bdf, fault.unwrap_or_default())
    });
    words.collect::<Vec<_>>().join("; ")
}
