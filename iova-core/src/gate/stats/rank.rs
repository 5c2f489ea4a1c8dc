//! The Mann-Whitney test: do the values of one side tend to be larger than those of the other? It asks for no shape of
//! the distribution, and one wild value weighs no more than its rank.

use std::cmp::Ordering;

/// Up to so many values on both sides together, the distribution of the rank sum is counted out.
pub const EXACT_UP_TO: usize = 40;

/// Which way the candidate is suspected to differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// The first sample tends to be larger.
    Greater,
    /// The first sample tends to be smaller.
    Less,
}

/// How the probability was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// All ways to deal the same values, ties included, to two sides of these sizes.
    Exact,
    /// The normal approximation, with the corrections for ties and continuity.
    Normal,
}

/// What the test found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RankTest {
    /// Pairs in which the first sample's value is larger; a tie counts half.
    pub u: f64,
    /// Probability of a U at least that far in the suspected direction if both sides are the same.
    pub p: f64,
    /// How `p` was found.
    pub method: Method,
}

/// The Mann-Whitney test of `a` against `b`; exact up to [`EXACT_UP_TO`] values. With an empty side, `p` is 1.
pub fn rank_test(a: &[f64], b: &[f64], tail: Tail) -> RankTest {
    let method = if a.len() + b.len() <= EXACT_UP_TO { Method::Exact } else { Method::Normal };
    rank_test_by(a, b, tail, method)
}

/// The same by a given method.
pub(super) fn rank_test_by(a: &[f64], b: &[f64], tail: Tail, method: Method) -> RankTest {
    let ranks = Ranks::new(a, b);
    let (n, m) = (a.len() as f64, b.len() as f64);
    // 2 U, a whole number even with ties.
    let doubled = ranks.sum_of_a as f64 - n * (n + 1.0);
    let p = match method {
        _ if a.is_empty() || b.is_empty() => 1.0,
        Method::Exact => exact(&ranks, tail),
        Method::Normal => {
            let above = doubled / 2.0 - n * m / 2.0;
            normal(if tail == Tail::Greater { above } else { -above }, n, m, ranks.tie_term())
        }
    };
    RankTest { u: doubled / 2.0, p, method }
}

/// Ranks from 1 on, doubled, so that the middle of tied ranks is whole.
struct Ranks {
    sum_of_a: usize,
    of_a: usize,
    /// Doubled rank of each value of both sides, ascending.
    doubled: Vec<usize>,
    /// Length of each run of equal values.
    ties: Vec<usize>,
}

impl Ranks {
    fn new(a: &[f64], b: &[f64]) -> Self {
        let sides = a.iter().map(|&value| (value, true)).chain(b.iter().map(|&value| (value, false)));
        let mut all: Vec<(f64, bool)> = sides.collect();
        all.sort_by(|x, y| x.0.total_cmp(&y.0));
        let mut ranks = Self { sum_of_a: 0, of_a: a.len(), doubled: Vec::new(), ties: Vec::new() };
        let same = |x: &(f64, bool), y: &(f64, bool)| x.0.partial_cmp(&y.0) == Some(Ordering::Equal);
        for run in all.chunk_by(same) {
            // Twice the middle of the ranks first..=last.
            let doubled = 2 * ranks.doubled.len() + run.len() + 1;
            ranks.doubled.extend(run.iter().map(|_| doubled));
            ranks.sum_of_a += doubled * run.iter().filter(|(_, is_a)| *is_a).count();
            ranks.ties.push(run.len());
        }
        ranks
    }

    /// Sum of t^3 - t over the runs of equal values.
    fn tie_term(&self) -> f64 {
        self.ties.iter().map(|&run| run as f64).map(|run| run * run * run - run).sum()
    }
}

/// Share of all choices of `of_a` values whose rank sum is at least as extreme. Counted by adding one value after the
/// other: `ways[k][s]` is the number of choices of k values with the doubled rank sum s.
fn exact(ranks: &Ranks, tail: Tail) -> f64 {
    let chosen = ranks.of_a;
    let highest: usize = ranks.doubled.iter().rev().take(chosen).sum();
    let mut ways = vec![vec![0.0_f64; highest + 1]; chosen + 1];
    if let Some(none) = ways.first_mut().and_then(|row| row.first_mut()) {
        *none = 1.0;
    }
    for (seen, &rank) in ranks.doubled.iter().enumerate() {
        for k in (1..=chosen.min(seen + 1)).rev() {
            let (fewer, more) = ways.split_at_mut(k);
            let (Some(from), Some(to)) = (fewer.last(), more.first_mut()) else { continue };
            to.iter_mut().skip(rank).zip(from).for_each(|(to, from)| *to += from);
        }
    }
    let sums = ways.last().map_or(&[][..], Vec::as_slice);
    let all: f64 = sums.iter().sum();
    let (lower, upper) = sums.split_at(ranks.sum_of_a.min(sums.len()));
    let at = upper.first().copied().unwrap_or(0.0);
    let extreme = match tail {
        Tail::Greater => upper.iter().sum::<f64>(),
        Tail::Less => lower.iter().sum::<f64>() + at,
    };
    (extreme / all).min(1.0)
}

/// Upper tail of the normal approximation for a U that is `above` its mean.
fn normal(above: f64, n: f64, m: f64, ties: f64) -> f64 {
    let total = n + m;
    let variance = n * m / 12.0 * ((total + 1.0) - ties / (total * (total - 1.0)));
    if variance <= 0.0 {
        return 1.0;
    }
    let z = (above - 0.5) / variance.sqrt();
    libm::erfc(z / std::f64::consts::SQRT_2) / 2.0
}

/// The least number of runs on each side with which the exact test can reach `alpha` at all: 1 / C(2n, n) is the
/// probability of the most extreme order.
pub fn runs_to_reach(alpha: f64) -> usize {
    const FAR: usize = 500;
    let enough = |&runs: &usize| least_p(runs, runs) <= alpha;
    (1..FAR).find(enough).unwrap_or(FAR)
}

/// The smallest probability that `n` and `m` values without ties can give: 1 / C(n + m, n).
pub(in crate::gate) fn least_p(n: usize, m: usize) -> f64 {
    // In this order, each step is a whole number.
    let ways = (1..=n).fold(1.0, |ways, k| ways * (m + k) as f64 / k as f64);
    1.0 / ways
}
