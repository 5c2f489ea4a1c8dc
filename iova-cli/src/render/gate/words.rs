//! Figures and verdicts of the gate in words, for every format that people read.

use iova_core::gate::stats::Spread;
use iova_core::gate::{Change, Check, How, Outcome, Scale, Verdict};
use iova_core::metric::Unit;

/// The answer in one word.
pub(crate) fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Regression => "FAIL",
        Verdict::CannotJudge => "unsure",
    }
}

/// The answer to everything, in a sentence without full stop.
pub(crate) fn summary(outcome: &Outcome) -> String {
    let all = outcome.checks.len();
    let count = |verdict| outcome.count(verdict);
    let unsure = match (count(Verdict::CannotJudge), outcome.runs_needed()) {
        (0, _) => String::new(),
        (unsure, None) => format!(", {unsure} cannot be judged"),
        (unsure, Some(runs)) => {
            format!(", {unsure} cannot be judged: about {runs} runs on each side would do")
        }
    };
    match (outcome.verdict, &outcome.reason) {
        (_, Some(reason)) => format!("cannot judge: {reason}"),
        (Verdict::Pass, None) => format!("pass: {}", plural(all, "check")),
        (Verdict::Regression, None) => {
            format!("regression: {} of {} failed{unsure}", count(Verdict::Regression), plural(all, "check"))
        }
        (Verdict::CannotJudge, None) => format!("cannot judge: {}{unsure}", plural(all, "check")),
    }
}

/// How much was judged, and how strictly.
pub(crate) fn basis(outcome: &Outcome) -> String {
    let now = outcome.candidate.runs.len();
    let Some(baseline) = &outcome.baseline else { return plural(now, "report") };
    let mut text = format!("{} of the baseline, {now} of the candidate", plural(baseline.runs.len(), "run"));
    if outcome.tests > 0 {
        let alpha = outcome.alpha * 100.0;
        text +=
            &format!("; {}, corrected (Holm) to {alpha}% false alarms", plural(outcome.tests, "rank test"));
    }
    if outcome.checks.iter().any(|check| check.how == How::Effect) {
        text += "; what repeats exactly is judged by the effect alone";
    }
    text
}

fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// "00:04.0 nvme0n1".
pub(crate) fn subject(check: &Check) -> String {
    let short = check.subject.strip_prefix("0000:").unwrap_or(&check.subject);
    let words = [short, &check.role].into_iter().filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// What one side is judged by.
pub(crate) fn middle(check: &Check, side: Option<Spread>) -> String {
    let mark = if check.approximate { "~" } else { "" };
    let show = |value| figure(check.unit(), value);
    match side {
        None => "-".to_owned(),
        // Each run counts there, not the middle of them.
        Some(side) if check.how == How::EveryRun && !side.is_constant() => {
            format!("{mark}{} to {}", show(side.min), show(side.max))
        }
        Some(side) => format!("{mark}{}", show(side.median)),
    }
}

/// A value with its unit. Plain numbers keep four digits: they have no unit that would say how fine they are.
pub(crate) fn figure(unit: Unit, value: f64) -> String {
    let size = value.abs();
    if size >= 1e15 || (size > 0.0 && size < 1e-6) {
        return format!("{value:.3e}");
    }
    if unit == Unit::Count && value.fract() != 0.0 && size < 1000.0 {
        let digits = (3 - size.log10().floor() as i32).clamp(0, 9);
        return format!("{value:.*}", digits as usize);
    }
    if value < 0.0 { format!("-{}", unit.render(Some(-value))) } else { unit.render(Some(value)) }
}

fn signed(unit: Unit, value: f64) -> String {
    if unit == Unit::Ratio {
        // Points, so that nobody takes it for a share of the share.
        return format!("{:+.1}pp", value * 100.0 + 0.0);
    }
    let figure = figure(unit, value);
    if value > 0.0 { format!("+{figure}") } else { figure }
}

fn on_scale(change: &Change, unit: Unit, value: f64) -> String {
    match change.scale {
        Scale::Ratio => percent(value),
        Scale::Difference => signed(unit, value),
    }
}

/// A ratio as what it adds.
fn percent(ratio: f64) -> String {
    format!("{:+.1}%", (ratio - 1.0) * 100.0)
}

/// "+6.8% [+5.1% +8.2%]".
pub(crate) fn change(check: &Check) -> String {
    let Some(change) = &check.change else { return "-".to_owned() };
    let show = |value| on_scale(change, check.unit(), value);
    match (change.low, change.high) {
        (Some(low), Some(high)) => format!("{} [{} {}]", show(change.estimate), show(low), show(high)),
        _ => show(change.estimate),
    }
}

/// Where the line is.
pub(crate) fn allowed(check: &Check) -> String {
    match &check.change {
        Some(change) => on_scale(change, check.unit(), change.limit),
        None if check.how == How::EveryRun => {
            let bound = check.rule.find(['<', '>', '=']).and_then(|at| check.rule.get(at..));
            bound.unwrap_or("-").to_owned()
        }
        None => "-".to_owned(),
    }
}

/// A corrected probability.
pub(crate) fn probability(check: &Check) -> String {
    match check.p_adjusted {
        None => "-".to_owned(),
        Some(p) if p < 0.0001 => "<0.0001".to_owned(),
        Some(p) => format!("{p:.4}"),
    }
}

/// The rule, and where it stands.
pub(crate) fn rule(check: &Check) -> String {
    match &check.place {
        Some(place) => format!("{} ({place})", check.rule),
        None => check.rule.clone(),
    }
}

/// Why it did not pass; `None` if it did.
pub(crate) fn reason(check: &Check) -> Option<String> {
    let reason = check.reason.as_ref()?;
    Some(match check.runs_needed {
        Some(runs) => format!("{reason}; about {runs} runs on each side would do"),
        None => reason.clone(),
    })
}

/// Runs that stand out, and what else to know.
pub(crate) fn remarks(check: &Check) -> Vec<String> {
    let outlier = |outlier: &iova_core::gate::Outlier| {
        let value = figure(check.unit(), outlier.value);
        format!("{value} in {} stands out from the {}; it counts all the same", outlier.source, outlier.side)
    };
    check.outliers.iter().map(outlier).chain(check.notes.iter().cloned()).collect()
}

/// What is to be known about the whole, and about single checks.
pub(crate) fn notes(outcome: &Outcome) -> Vec<String> {
    let of_checks = outcome.checks.iter().flat_map(|check| {
        let place = format!("{} {}", subject(check), check.metric);
        remarks(check).into_iter().map(move |remark| format!("{}: {remark}", place.trim()))
    });
    outcome.notes.iter().cloned().chain(of_checks).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_as_fine_as_they_have_to_be() {
        for (unit, value, want) in [
            (Unit::Count, 3335.0, "3,335"),
            (Unit::Count, 12.3456, "12.35"),
            (Unit::Count, 0.012_345, "0.01235"),
            (Unit::Count, -5.0, "-5"),
            (Unit::Count, 5.5e307, "5.500e307"),
            (Unit::Count, 5e-324, "4.941e-324"),
            (Unit::Nanoseconds, 412.0, "412ns"),
            (Unit::Ratio, 0.97, "97%"),
        ] {
            assert_eq!(figure(unit, value), want);
        }
        assert_eq!(signed(Unit::Ratio, -0.02), "-2.0pp");
        assert_eq!(signed(Unit::Bytes, 4096.0), "+4 KiB");
        assert_eq!(percent(0.985), "-1.5%");
    }
}
