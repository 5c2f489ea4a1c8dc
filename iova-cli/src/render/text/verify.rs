//! `iova verify`: the conditions, a line per step, and the summary.

use super::page::{Page, Style};
use super::policy::title;
use crate::commands::verify::VerifyReport;
use iova_core::metric::Unit;
use iova_core::policy::verify::{Bound, Check, FIRST, Ladder, Outcome, Purpose, StepRecord};

/// Before anything is done: a line per condition.
pub(super) fn conditions(page: &mut Page, bdf: &str, checks: &[Check]) {
    page.line(Style::Strong, &format!("iova verify {bdf}"));
    for check in checks {
        let (word, style) = if check.ok { ("ok", Style::Plain) } else { ("no", Style::Bad) };
        page.wrapped(style, &format!("{word}  {:<8} ", check.name), &check.found);
        if let Some(todo) = &check.todo {
            page.wrapped(Style::Strong, "             -> ", todo);
        }
    }
}

/// At the end.
pub(super) fn write(page: &mut Page, report: &VerifyReport) {
    let host = &report.host;
    let words = [
        title(&report.device),
        format!("path {}", report.path.join(" < ")),
        format!("Linux {} {}", host.kernel, host.arch),
        host.iommu.clone().unwrap_or_else(|| "no IOMMU".to_owned()),
    ];
    page.words(Style::Strong, &words);
    if let Some(ladder) = &report.ladder {
        page.wrapped(Style::Plain, "widths: ", &widths(ladder));
    }
    if !report.work.is_empty() {
        page.wrapped(Style::Plain, "work:   ", &report.work);
    }
    for step in &report.steps {
        let style = if step.passed() { Style::Plain } else { Style::Bad };
        page.wrapped(style, "  ", &step_line(step));
    }
    let whole = report.answer.as_ref().is_none_or(iova_core::policy::verify::Verdict::is_whole);
    page.wrapped(if whole { Style::Strong } else { Style::Bad }, "", &report.sentence);
    for problem in &report.problems {
        page.wrapped(Style::Bad, "not put back: ", problem);
    }
    if let Some(journal) = &report.journal {
        page.wrapped(Style::Dim, "record: ", journal);
    }
}

fn widths(ladder: &Ladder) -> String {
    let end = match ladder.bound {
        Bound::Mask => "the driver's DMA mask",
        Bound::Iommu => "the width of the IOMMU",
        Bound::Module => "what the module offers",
        Bound::Asked => "--to",
    };
    let list = |widths: &[u8]| widths.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
    let mut text = match ladder.widths.as_slice() {
        [] => format!("none above the {} bits that are proved", ladder.proved),
        [only] => format!("{only} bits"),
        [first, .., last] => format!("{first} to {last} bits"),
    };
    text += &format!("; it ends with {end}");
    if !ladder.closed.is_empty() {
        text += &format!(
            "; not {}, whose addresses the host keeps for PCI windows: the wider ones have their bits set too",
            list(&ladder.closed)
        );
    }
    text
}

/// One step, in one line.
pub(crate) fn step_line(step: &StepRecord) -> String {
    let what = match step.purpose {
        Purpose::Baseline => format!("{FIRST} bits (as the kernel does it)"),
        Purpose::Walk => format!("{} bits", step.width),
        Purpose::Narrow => format!("{} bits (to tell widths apart)", step.width),
        Purpose::Control => format!("{} bits (does it still work there?)", step.width),
        Purpose::Repeat => format!("{} bits (once more)", step.width),
    };
    let came = match &step.outcome {
        Outcome::Passed => "passed".to_owned(),
        Outcome::Truncated { at_least, at_most } if at_least == at_most => {
            format!("{at_most} bits came through")
        }
        Outcome::Truncated { at_least, at_most } => format!("{at_least} to {at_most} bits came through"),
        Outcome::Mangled => "high bits were changed".to_owned(),
        Outcome::Failed { why } => format!("failed: {why}"),
        Outcome::Unreached { why } => format!("not tried: {why}"),
    };
    let mut facts = vec![came];
    let seen = &step.addresses;
    if let (Some(lowest), Some(highest)) = (seen.lowest, seen.highest) {
        facts.push(format!("{} addresses, {lowest:#x} to {highest:#x}", seen.count));
    }
    facts.extend((seen.narrow > 0).then(|| format!("{} kept low by the driver", seen.narrow)));
    facts.extend((seen.lost > 0).then(|| format!("{} calls not seen", seen.lost)));
    facts.extend((step.work.bytes > 0).then(|| Unit::Bytes.render(Some(step.work.bytes as f64))));
    facts.extend(
        step.faults.first().map(|fault| format!("fault at {:#x}: {}", fault.address, fault.relation)),
    );
    facts.push(Unit::Seconds.render(Some(step.lasted_s)));
    format!("{what}: {}", facts.join("; "))
}
