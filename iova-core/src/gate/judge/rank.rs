//! A comparison by ranks: proven worse than allowed, good enough, or not to be told.

use super::Settings;
use crate::gate::outcome::{Change, Check, How, Scale, Verdict};
use crate::gate::rule::Rules;
use crate::gate::stats::{self, Interval, Method, Tail, rank_test};

/// More runs than that are no advice.
const MOST: f64 = 10_000.0;

/// The line between allowed and not: `factor` times the baseline, plus `plus`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) tail: Tail,
    pub(super) factor: f64,
    pub(super) plus: f64,
}

/// Everything but the verdict, which needs the number of tests.
pub(super) struct Ranked {
    pub(super) p: f64,
    method: Method,
    tail: Tail,
    change: Change,
    /// Half the width of the interval.
    half: f64,
    /// What has to be told apart, on the same scale: the room between baseline and line.
    effect: f64,
    runs: (usize, usize),
}

impl Ranked {
    pub(super) fn new(line: Line, before: &[f64], now: &[f64], rules: &Rules, settings: Settings) -> Self {
        // If the candidate were exactly as bad as allowed, it would rank like this.
        let allowed: Vec<f64> = before.iter().map(|value| line.factor * value + line.plus).collect();
        let test = rank_test(now, &allowed, line.tail);
        let (change, half, effect) = change(line, before, now, rules, settings.resamples);
        let runs = (before.len(), now.len());
        Self { p: test.p, method: test.method, tail: line.tail, change, half, effect, runs }
    }

    /// `adjusted` is Holm's probability over `tests` rank tests.
    pub(super) fn decide(self, mut check: Check, adjusted: f64, tests: usize, alpha: f64) -> Check {
        (check.p, check.p_adjusted) = (Some(self.p), Some(adjusted));
        check.change = Some(self.change);
        check.how = if self.method == Method::Exact { How::ExactRankTest } else { How::RankTest };
        let each = alpha / tests.max(1) as f64;
        if adjusted <= alpha {
            check.verdict = Verdict::Regression;
            check.reason = Some("worse than allowed, and not by chance".to_owned());
        } else if let Some((reason, runs)) = self.doubt(each) {
            check.verdict = Verdict::CannotJudge;
            check.reason = Some(reason);
            check.runs_needed = runs;
        }
        check
    }

    /// Why a pass would be no answer, and how many runs on each side would do.
    fn doubt(&self, each: f64) -> Option<(String, Option<u64>)> {
        let (before, now) = self.runs;
        let beyond = match self.tail {
            Tail::Greater => self.change.estimate - self.change.limit,
            Tail::Less => self.change.limit - self.change.estimate,
        };
        let noisy = self.effect > 0.0 && self.half > self.effect && !self.is_within();
        let few = stats::least_p(before, now) > each;
        let reason = match (few, beyond > 0.0, noisy) {
            (true, ..) => {
                format!("too few runs: {before} and {now} could not prove any difference at p <= {each:.4}")
            }
            (_, true, _) => "it looks worse than allowed, but that may be chance".to_owned(),
            (.., true) => "too noisy: the interval is wider than the effect to be told".to_owned(),
            _ => return None,
        };
        let apart = if beyond > 0.0 && !few { beyond } else { self.effect };
        let least = stats::runs_to_reach(each) as f64;
        let runs = if few && !noisy { least } else { self.runs_to_tell(apart).max(least) };
        Some((reason, (runs <= MOST).then_some(runs as u64)))
    }

    /// True if all of the interval is allowed.
    fn is_within(&self) -> bool {
        let Change { low, high, limit, .. } = self.change;
        match self.tail {
            Tail::Greater => high.is_some_and(|high| high <= limit),
            Tail::Less => low.is_some_and(|low| low >= limit),
        }
    }

    /// Runs with which half the interval would be as wide as this: it shrinks with the square root of the runs.
    fn runs_to_tell(&self, apart: f64) -> f64 {
        let runs = self.runs.0.max(self.runs.1) as f64;
        (runs * (self.half / apart).powi(2)).ceil().max(runs + 1.0)
    }
}

/// The change with its line, half the width of its interval, and the effect to be told. As a ratio where the rule is
/// one and every value is above 0.
fn change(line: Line, before: &[f64], now: &[f64], rules: &Rules, resamples: usize) -> (Change, f64, f64) {
    // The test looks at one side only, and so does each end of the interval.
    let level = 1.0 - 2.0 * rules.alpha;
    let ratio = if line.plus == 0.0 { stats::ratio(now, before) } else { None };
    if let Some(estimate) = ratio {
        let interval = stats::interval(now, before, |now, before| now / before, level, resamples);
        let effect = (line.factor - 1.0).abs();
        return with(Scale::Ratio, estimate, interval, line.factor, effect);
    }
    let middle = stats::median(&mut before.to_vec()).unwrap_or(0.0);
    let limit = (line.factor - 1.0) * middle + line.plus;
    let effect = limit.abs().max(rules.min_effect * middle.abs());
    let estimate = stats::shift(now, before).unwrap_or(0.0);
    let interval = stats::interval(now, before, |now, before| now - before, level, resamples);
    with(Scale::Difference, estimate, interval, limit, effect)
}

fn with(
    scale: Scale,
    estimate: f64,
    interval: Option<Interval>,
    limit: f64,
    effect: f64,
) -> (Change, f64, f64) {
    let (low, high) = (interval.map(|interval| interval.low), interval.map(|interval| interval.high));
    let half = interval.map_or(0.0, |interval| (interval.high - interval.low) / 2.0);
    (Change { scale, estimate, low, high, limit }, half, effect)
}
