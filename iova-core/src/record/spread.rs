//! A latency distribution over the steps of a block: what is written of it, and how the steps are made from that.
//!
//! Written is how many samples the block as a whole had in each bucket, and how many each step had in each of a few
//! classes: the faster half of the block, from there to its 90th percentile, to the 99th, to the 99.9th, and the rest.
//! Both are exact. Which step had which bucket within a class is not known then: each step gets the mixture of the
//! block, in whole samples, so that the sums over the block are what was written.

use iova_common::hist;

use super::MOST_STEPS;
use super::column;
use super::wire::{Bytes, Short, put, unzigzag, zigzag};
use crate::sample::Histogram;

/// Where a class ends: a share of the block's samples, in thousandths.
const ENDS: [u64; 4] = [500, 900, 990, 999];

/// Neighbouring buckets that are written together: their counts are of one size.
const CHUNK: usize = 12;

/// Writes what came with each of `steps` (cumulative readings, the one before the block first). `expected`: as many
/// samples as each step should have. `None` if they did not only grow.
pub(super) fn write(out: &mut Vec<u8>, steps: &[&Histogram], expected: &[u64]) -> Option<()> {
    let (first, last) = (steps.first()?, steps.last()?);
    let then = first.buckets.iter().chain(std::iter::repeat(&0));
    let grown = last.buckets.iter().zip(then).map(|(last, first)| last.checked_sub(*first));
    let total: Vec<u64> = grown.collect::<Option<_>>()?;
    let Some(from) = total.iter().position(|&count| count > 0) else {
        put(out, 0);
        return (last.sum == first.sum && last.max == first.max).then_some(());
    };
    let end = total.iter().rposition(|&count| count > 0)? + 1;
    put(out, end as u64);
    put(out, from as u64);
    total[from..end].chunks(CHUNK).for_each(|counts| column::write(out, counts));
    let pairs = || steps.windows(2);
    column::write(
        out,
        &pairs().map(|pair| pair[1].max.checked_sub(pair[0].max)).collect::<Option<Vec<_>>>()?,
    );
    put(out, last.sum.checked_sub(first.sum)?);
    let classes = classes(&total, steps.len() - 1)?;
    let of_class = |&(from, to): &(usize, usize)| -> Option<Vec<u64>> {
        let sums: Vec<u64> = steps.iter().map(|step| within(step, from, to)).collect();
        sums.windows(2).map(|pair| pair[1].checked_sub(pair[0])).collect()
    };
    let counts: Vec<Vec<u64>> = classes.iter().map(of_class).collect::<Option<_>>()?;
    for class in counts.iter().skip(1) {
        column::write(out, class);
    }
    // The first class follows from the others, where every call is timed.
    let sum = |step: usize| counts.iter().fold(0u64, |sum, class| sum.wrapping_add(class[step]));
    let beyond = |step: usize| zigzag(expected.get(step).unwrap_or(&0).wrapping_sub(sum(step)).cast_signed());
    column::write(out, &(0..steps.len() - 1).map(beyond).collect::<Vec<_>>());
    Some(())
}

fn within(histogram: &Histogram, from: usize, to: usize) -> u64 {
    let most = histogram.buckets.len();
    let buckets = histogram.buckets.get(from.min(most)..to.min(most)).unwrap_or_default();
    buckets.iter().fold(0, |sum, &count| sum.wrapping_add(count))
}

/// Buckets of each class, given those of the block. A class that would have less than one sample in a step is none.
fn classes(total: &[u64], steps: usize) -> Option<Vec<(usize, usize)>> {
    let sum = add_up(total)?;
    let (mut classes, mut from, mut below, mut ends) = (Vec::new(), 0, 0, ENDS.iter().peekable());
    for (bucket, count) in total.iter().enumerate() {
        below += count;
        let passed = |end: u64| u128::from(below) * 1000 >= u128::from(sum) * u128::from(end);
        let worth = |end: u64| u128::from(sum) * u128::from(1000 - end) >= 1000 * steps as u128;
        let mut ended = false;
        while let Some(&end) = ends.next_if(|end| passed(**end)) {
            ended |= worth(end);
        }
        if ended && below < sum {
            classes.push((from, bucket + 1));
            from = bucket + 1;
        }
    }
    classes.push((from, total.len()));
    Some(classes)
}

/// One distribution of a block that is read step by step.
#[derive(Debug, Default)]
pub(super) struct Spread {
    /// What the maximum grows by, per step.
    maxima: Vec<u64>,
    classes: Vec<Class>,
    sum: u64,
    /// Middles of all buckets times their counts: what is left of the block, in the same proportion as `sum`.
    weight: u128,
}

#[derive(Debug)]
struct Class {
    first: usize,
    /// Per step.
    counts: Vec<u64>,
    /// Of the buckets, not given to a step yet.
    left: Vec<u64>,
}

impl Spread {
    pub(super) fn read(bytes: &mut Bytes<'_>, steps: usize, expected: &[u64]) -> Result<Self, Short> {
        let end = usize::try_from(bytes.take()?).map_err(|_| Short)?;
        if end == 0 {
            return Ok(Self::default());
        }
        let from = usize::try_from(bytes.take()?).map_err(|_| Short)?;
        if end > hist::BUCKETS || from >= end || steps > MOST_STEPS {
            return Err(Short);
        }
        let mut total = vec![0; from];
        while total.len() < end {
            total.extend(column::read(bytes, CHUNK.min(end - total.len()))?);
        }
        let maxima = column::read(bytes, steps)?;
        let sum = bytes.take()?;
        let bounds = classes(&total, steps).ok_or(Short)?;
        let mut counts: Vec<Vec<u64>> =
            bounds.iter().skip(1).map(|_| column::read(bytes, steps)).collect::<Result<_, _>>()?;
        counts.insert(0, first_class(&counts, &column::read(bytes, steps)?, expected));
        let class = |(&(from, to), counts): (&(usize, usize), Vec<u64>)| {
            let left = total.get(from..to)?.to_vec();
            (add_up(&counts) == add_up(&left)).then_some(Class { first: from, counts, left })
        };
        let classes: Vec<Class> = bounds.iter().zip(counts).map(class).collect::<Option<_>>().ok_or(Short)?;
        let weight = classes.iter().map(|class| class.weight(&class.left)).sum();
        Ok(Self { maxima, classes, sum, weight })
    }

    /// Adds to `now` what step number `step` brought. Steps have to be taken in order.
    pub(super) fn step(&mut self, now: &mut Histogram, step: usize) {
        now.max = now.max.saturating_add(self.maxima.get(step).copied().unwrap_or(0));
        let mut weight = 0;
        for class in &mut self.classes {
            let given = class.give(step);
            weight += class.weight(&given);
            for (index, &count) in given.iter().enumerate().filter(|(_, count)| **count > 0) {
                let bucket = class.first + index;
                if now.buckets.len() <= bucket {
                    now.buckets.resize(bucket + 1, 0);
                }
                if let Some(sum) = now.buckets.get_mut(bucket) {
                    *sum = sum.saturating_add(count);
                }
            }
        }
        let share = (u128::from(self.sum) * weight).checked_div(self.weight).unwrap_or(0) as u64;
        self.weight = self.weight.saturating_sub(weight);
        self.sum = self.sum.saturating_sub(share);
        now.sum = now.sum.saturating_add(share);
    }
}

fn first_class(others: &[Vec<u64>], beyond: &[u64], expected: &[u64]) -> Vec<u64> {
    let of_step = |(step, &beyond): (usize, &u64)| {
        let all = expected.get(step).unwrap_or(&0).wrapping_sub(unzigzag(beyond).cast_unsigned());
        others.iter().fold(all, |left, class| left.wrapping_sub(class.get(step).copied().unwrap_or(0)))
    };
    beyond.iter().enumerate().map(of_step).collect()
}

fn add_up(counts: &[u64]) -> Option<u64> {
    // Sums of sums stay far from the end, too.
    counts.iter().try_fold(0u64, |sum, &count| sum.checked_add(count)).filter(|&sum| sum < 1 << 56)
}

impl Class {
    fn weight(&self, counts: &[u64]) -> u128 {
        let middle = |index: usize| u128::from(hist::midpoint(self.first + index).max(1));
        counts.iter().enumerate().map(|(index, &count)| u128::from(count) * middle(index)).sum()
    }

    /// The step's samples, mixed like what is left.
    fn give(&mut self, step: usize) -> Vec<u64> {
        let wanted = self.counts.get(step).copied().unwrap_or(0);
        let left: u64 = self.left.iter().sum();
        let share =
            |count: u64| (u128::from(wanted) * u128::from(count)).checked_div(u128::from(left)).unwrap_or(0);
        let mut given: Vec<u64> = self.left.iter().map(|&count| share(count) as u64).collect();
        let mut missing = wanted.saturating_sub(given.iter().sum::<u64>());
        // Each lost less than one by rounding; who lost most gets one first.
        let rest = |count: u64| u128::from(wanted) * u128::from(count) % u128::from(left.max(1));
        let mut order: Vec<usize> = (0..given.len()).collect();
        order.sort_by_key(|&index| std::cmp::Reverse(self.left.get(index).map(|&count| rest(count))));
        for index in order {
            if let (Some(given), Some(left)) = (given.get_mut(index), self.left.get(index)) {
                let more = u64::from(missing > 0 && *given < *left);
                *given += more;
                missing -= more;
            }
        }
        for (left, given) in self.left.iter_mut().zip(&given) {
            *left = left.saturating_sub(*given);
        }
        given
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that look like chance, and are always the same.
    fn mixed(seed: &mut u64) -> u64 {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *seed >> 33
    }

    fn readings(steps: usize, mut seed: u64) -> Vec<Histogram> {
        let most = [2, 900][seed as usize % 2];
        let mut now = Histogram { buckets: vec![3; hist::BUCKETS], sum: 1000, max: 77 };
        let mut readings = vec![now.clone()];
        for _ in 0..steps {
            for bucket in 0..hist::BUCKETS {
                let more = if mixed(&mut seed).is_multiple_of(3) { mixed(&mut seed) % most } else { 0 };
                now.buckets[bucket] += more;
                now.sum += more * hist::midpoint(bucket);
            }
            now.max += mixed(&mut seed) % 2;
            readings.push(now.clone());
        }
        readings
    }

    fn replayed(steps: &[Histogram]) -> Vec<Histogram> {
        let mut out = Vec::new();
        let expected = vec![5000; steps.len()];
        write(&mut out, &steps.iter().collect::<Vec<_>>(), &expected).unwrap();
        let mut bytes = Bytes(&out);
        let mut spread = Spread::read(&mut bytes, steps.len() - 1, &expected).unwrap();
        assert!(bytes.is_empty());
        let mut now = steps[0].clone();
        let step = |index: usize| {
            spread.step(&mut now, index);
            now.clone()
        };
        (0..steps.len() - 1).map(step).collect()
    }

    #[test]
    fn classes_are_exact_in_each_step_and_all_else_at_the_end() {
        for seed in 0..20 {
            let steps = readings(10, seed);
            let replayed = replayed(&steps);
            assert_eq!(replayed.last(), steps.last());
            let total = steps[10].buckets.iter().zip(&steps[0].buckets).map(|(end, start)| end - start);
            let classes = classes(&total.collect::<Vec<_>>(), 10).unwrap();
            assert!((3..=5).contains(&classes.len()), "{classes:?}");
            for (made, real) in replayed.iter().zip(&steps[1..]) {
                assert_eq!(made.max, real.max);
                for &(from, to) in &classes {
                    assert_eq!(within(made, from, to), within(real, from, to));
                }
            }
        }
    }

    #[test]
    fn a_block_of_one_step_is_exact() {
        for seed in 0..4 {
            let steps = readings(1, seed);
            assert_eq!(replayed(&steps), steps[1..]);
        }
    }

    #[test]
    fn what_shrinks_is_refused() {
        let steps = readings(2, 1);
        assert_eq!(write(&mut Vec::new(), &[&steps[2], &steps[1]], &[]), None);
    }

    #[test]
    fn classes_end_at_shares_of_the_block() {
        assert_eq!(classes(&[0, 500, 400, 90, 9, 1], 1).unwrap(), [(0, 2), (2, 3), (3, 4), (4, 5), (5, 6)]);
        assert_eq!(classes(&[0, 500, 400, 90, 9, 1], 10).unwrap(), [(0, 2), (2, 3), (3, 4), (4, 6)]);
        assert_eq!(classes(&[3], 2).unwrap(), [(0, 1)]);
        assert_eq!(classes(&[u64::MAX, 1], 2), None);
    }
}
