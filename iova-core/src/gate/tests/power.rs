//! How often the gate is right: on runs that differ by chance alone, and on a planted change.

use super::*;

/// Gates per statement.
const TIMES: usize = 1000;

/// How runs are made, and how they are judged.
#[derive(Clone, Copy)]
struct Plan {
    metrics: usize,
    runs: usize,
    /// Of the log-normal values.
    spread: f64,
    /// Candidate / baseline in truth.
    planted: f64,
    bound: &'static str,
    resamples: usize,
}

/// Shares of [`TIMES`] gates.
#[derive(Debug)]
struct Shares {
    failed: f64,
    unsure: f64,
}

/// Normal enough: the sum of twelve uniform numbers.
fn noise(random: &mut Random) -> f64 {
    let uniform = || (random.next() >> 11) as f64 / (1_u64 << 53) as f64;
    std::iter::repeat_with(uniform).take(12).sum::<f64>() - 6.0
}

impl Plan {
    fn side(&self, random: &mut Random, factor: f64) -> Vec<Run> {
        let mut list = |_| -> Vec<f64> {
            (0..self.runs).map(|_| 400.0 * factor * (self.spread * noise(random)).exp()).collect()
        };
        let values = (0..self.metrics).map(|metric| (format!("m{metric}"), json!(list(metric))));
        let values: serde_json::Map<String, Value> = values.collect();
        Run::from_json(&json!({"schema": "iova.values", "values": values}), "run").unwrap()
    }

    fn shares(&self) -> Shares {
        let mut random = Random::new(5);
        // The line is drawn exactly where the rule says, where false alarms are most likely.
        let mut rules = Rules { min_effect: 0.0, ..Rules::default() };
        for metric in 0..self.metrics {
            rules.add(&format!("m{metric} <= {}", self.bound), "test").unwrap();
        }
        let settings = Settings { resamples: self.resamples, ..Settings::default() };
        let mut counts = [0.0; 2];
        for _ in 0..TIMES {
            let (before, now) = (self.side(&mut random, 1.0), self.side(&mut random, self.planted));
            match judge(&rules, Some(&before), &now, settings).unwrap().verdict {
                Verdict::Regression => counts[0] += 1.0,
                Verdict::CannotJudge => counts[1] += 1.0,
                Verdict::Pass => {}
            }
        }
        let [failed, unsure] = counts.map(|count| count / TIMES as f64);
        Shares { failed, unsure }
    }
}

#[test]
fn false_alarms_stay_below_alpha() {
    for (metrics, runs) in [(1, 5), (1, 10), (6, 10)] {
        let plan = Plan { metrics, runs, spread: 0.2, planted: 1.0, bound: "baseline", resamples: 1 };
        let shares = plan.shares();
        println!("{metrics} metrics, {runs} runs: {shares:?}");
        assert!(shares.failed <= 0.05, "{metrics} metrics, {runs} runs: {shares:?}");
    }
}

#[test]
fn five_percent_are_seen_through_two_percent_of_noise_with_ten_runs() {
    let plan =
        Plan { metrics: 3, runs: 10, spread: 0.02, planted: 1.05, bound: "1.02 x baseline", resamples: 100 };
    let planted = plan.shares();
    let nothing = Plan { planted: 1.0, ..plan }.shares();
    println!("planted: {planted:?}; nothing planted: {nothing:?}");
    assert!(planted.failed >= 0.95, "{planted:?}");
    assert!(nothing.failed == 0.0 && nothing.unsure <= 0.2, "{nothing:?}");
}
