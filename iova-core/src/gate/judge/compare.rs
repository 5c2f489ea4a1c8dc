//! Rules with a baseline: by ranks, or by the effect alone where nothing varies.

use super::items::{Draft, Item, Values};
use super::rank::{Line, Ranked};
use super::{Settings, unjudged};
use crate::gate::outcome::{Change, Check, How, Outlier, Scale, Verdict};
use crate::gate::rule::Rules;
use crate::gate::stats::{self, Tail};

/// With fewer runs nobody can see whether they repeat.
const TO_SEE: usize = 2;
/// With fewer runs it may be chance that each side gave one and the same: a coarse figure has few values to choose from.
/// From here on that is 1 / C(10, 5) = 0.4 % at most.
const TO_BELIEVE: usize = 5;

pub(super) fn draft(item: Item, factor: f64, plus: f64, rules: &Rules, settings: Settings) -> Draft {
    let Item { mut check, relation, baseline, candidate, .. } = item;
    let baseline = baseline.unwrap_or_default();
    if let Some(why) = missing(&baseline, &candidate) {
        return Draft::done(unjudged(check, why));
    }
    if check.approximate {
        check.notes.push("not exact in some run".to_owned());
    }
    let (Some(before), Some(now)) = (check.baseline, check.candidate) else {
        return Draft::done(unjudged(check, "no run has a value".to_owned()));
    };
    let holds = relation.holds(now.median, factor * before.median + plus);
    let enough = if holds { TO_SEE } else { TO_BELIEVE };
    let seen = before.runs.min(now.runs) >= enough && before.is_constant() && now.is_constant();
    if seen || (baseline.exact && candidate.exact) {
        return Draft::done(by_effect(check, holds, factor, plus));
    }
    let tail = if relation.is_upper() { Tail::Greater } else { Tail::Less };
    let line = Line { tail, factor: widened(factor, plus, rules.min_effect, tail), plus };
    check.outliers = outliers("baseline", &baseline);
    check.outliers.extend(outliers("candidate", &candidate));
    check.notes.extend(coarse(&check.metric, factor, plus));
    let ranked = Ranked::new(line, &baseline.values, &candidate.values, rules, settings);
    Draft { check, ranked: Some(ranked) }
}

/// Why a side has nothing.
fn missing(baseline: &Values, candidate: &Values) -> Option<String> {
    let sides = [("baseline", baseline), ("candidate", candidate)];
    let empty: Vec<_> = sides.into_iter().filter(|(_, values)| values.values.is_empty()).collect();
    let why = empty.iter().find_map(|(_, values)| values.why.clone());
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    match empty[..] {
        [] => None,
        [(side, _)] => Some(format!("the {side} has no value{why}")),
        _ => Some(format!("no run has a value{why}")),
    }
}

/// Where nothing varies, there is no chance to weigh: more is more.
fn by_effect(mut check: Check, holds: bool, factor: f64, plus: f64) -> Check {
    let [before, now] = [check.baseline, check.candidate].map(|side| side.map_or(0.0, |side| side.median));
    let ratio = plus == 0.0 && before > 0.0;
    check.change = Some(if ratio {
        Change { scale: Scale::Ratio, estimate: now / before, low: None, high: None, limit: factor }
    } else {
        let limit = (factor - 1.0) * before + plus;
        Change { scale: Scale::Difference, estimate: now - before, low: None, high: None, limit }
    });
    check.how = How::Effect;
    if !holds {
        check.verdict = Verdict::Regression;
        check.reason = Some("worse than allowed; the figure repeats, so it is no chance".to_owned());
    }
    check
}

/// `<= baseline` draws no line that noise could keep below, so the least effect does.
fn widened(factor: f64, plus: f64, min_effect: f64, tail: Tail) -> f64 {
    match tail {
        _ if plus != 0.0 || factor != 1.0 => factor,
        Tail::Greater => 1.0 + min_effect,
        Tail::Less => 1.0 - min_effect,
    }
}

fn outliers(side: &'static str, values: &Values) -> Vec<Outlier> {
    let one = |place: usize| {
        Some(Outlier { side, source: values.sources.get(place)?.clone(), value: *values.values.get(place)? })
    };
    stats::outliers(&values.values).into_iter().filter_map(one).collect()
}

/// Widest step of the latency histogram, as a share: 8 buckets per power of two.
const STEP: f64 = 0.125;

/// A limit finer than what is measured.
fn coarse(metric: &str, factor: f64, plus: f64) -> Option<String> {
    let percentile = [".p50", ".p90", ".p99", ".p999"].iter().any(|end| metric.ends_with(end));
    (percentile && plus == 0.0 && (factor - 1.0).abs() < STEP)
        .then(|| "percentiles move in steps of up to 12.5 %: a mean shows less than that".to_owned())
}
