//! What a setting should bring: an interval over a metric of the table, computed from the distribution that was measured.

use crate::model::{Bucket, Latency};
use serde::Serialize;

/// Where a metric of a device stands, and between which two values it should stand afterwards under the same load.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gain {
    /// Name in the table of metrics, of the device's scope.
    pub metric: &'static str,
    /// Now.
    pub now: f64,
    /// Afterwards at best.
    pub best: f64,
    /// Afterwards at worst.
    pub worst: f64,
    /// How the two were computed.
    pub how: String,
}

/// How far the mean of what stays as it is may move from one measurement to the next, on a quiet host.
const DRIFT: f64 = 0.25;
/// With fewer samples left, their percentiles say nothing.
const FEWEST: u64 = 100;

impl Gain {
    /// The middle of what is saved, as a share of what there is now; 0 to 1.
    pub(super) fn share(&self) -> f64 {
        if self.now <= 0.0 {
            0.0
        } else {
            (1.0 - f64::midpoint(self.best, self.worst) / self.now).clamp(0.0, 1.0)
        }
    }

    /// The mean of a latency once its slowest calls, `vain` of `all` that were counted, timed or not, take as long as
    /// others: between the median and the 99th percentile of those.
    pub(super) fn without_slowest(
        metric: &'static str,
        latency: &Latency,
        (vain, all): (u64, u64),
    ) -> Option<Self> {
        Self::without_walks(metric, latency, (vain, all), &Walks::default())
    }

    /// The same where those calls each walked past `walks.nodes` nodes in vain, and where each call may at worst walk past
    /// `walks.left` of them afterwards.
    pub(super) fn without_walks(
        metric: &'static str,
        latency: &Latency,
        (vain, all): (u64, u64),
        walks: &Walks,
    ) -> Option<Self> {
        let (samples, sum) = (latency.samples?, latency.sum?);
        let timed = (vain as f64 * samples as f64 / all.max(1) as f64).round() as u64;
        let rest = Rest::of(&latency.buckets, samples.checked_sub(timed)?)?;
        let (n, slow) = (samples as f64, timed as f64);
        let in_vain = (sum as f64 - (n - slow) * rest.mean).max(0.0) / slow.max(1.0);
        let left = walks.left.min(walks.nodes);
        let walk = if walks.nodes == 0 { 0.0 } else { in_vain / walks.nodes as f64 * left as f64 };
        let mean = |replaced: f64, drift: f64| ((n - slow) * rest.mean * drift + slow * replaced) / n;
        let share = slow * 100.0 / n;
        let walked = format!(", and at worst every call walks past {left} addresses of a full flush queue");
        Some(Self {
            metric,
            now: sum as f64 / n,
            best: mean(rest.p50, 1.0 - DRIFT),
            worst: mean(rest.p99, 1.0 + DRIFT) + walk,
            how: format!(
                "the {share:.1} % that are slowest now then take as long as the others, between their median and their p99{}",
                if walk > 0.0 { walked.as_str() } else { "" }
            ),
        })
    }

    /// Between two values of which the measurement only shows that the truth lies between them.
    pub(super) fn between(metric: &'static str, now: f64, best: f64, how: impl Into<String>) -> Self {
        Self { metric, now, best: best.min(now), worst: now, how: how.into() }
    }
}

/// Nodes of the tree that searches walk past.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Walks {
    /// By each search in vain: it looks at all that is below 4 GiB.
    pub(super) nodes: u64,
    /// By a search that finds something, at worst.
    pub(super) left: u64,
}

/// The quickest samples of a distribution.
struct Rest {
    mean: f64,
    p50: f64,
    p99: f64,
}

impl Rest {
    /// The `count` quickest.
    fn of(buckets: &[Bucket], count: u64) -> Option<Self> {
        if count < FEWEST {
            return None;
        }
        let at = |share: f64| value(buckets, (count as f64 * share) as u64);
        let (mut left, mut sum) = (count, 0.0);
        for bucket in buckets {
            let taken = bucket.count.min(left);
            sum += taken as f64 * middle(bucket);
            left -= taken;
        }
        Some(Self { mean: sum / count as f64, p50: at(0.5), p99: at(0.99) })
    }
}

/// Of the sample of this rank.
fn value(buckets: &[Bucket], rank: u64) -> f64 {
    let mut seen = 0;
    let found = buckets.iter().find(|bucket| {
        seen += bucket.count;
        seen > rank
    });
    found.or(buckets.last()).map_or(0.0, middle)
}

fn middle(bucket: &Bucket) -> f64 {
    iova_common::hist::midpoint(iova_common::hist::index(bucket.from_ns)) as f64
}
