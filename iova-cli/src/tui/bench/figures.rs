//! Durations, and the memory of this process.

use std::time::Duration;

/// Measurements of one thing, ms.
#[derive(Default)]
pub(super) struct Times(Vec<f64>);

impl Times {
    pub(super) fn add(&mut self, time: Duration) {
        self.0.push(time.as_secs_f64() * 1e3);
    }

    fn at(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let index = (share * sorted.len() as f64) as usize;
        sorted.get(index.min(sorted.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
    }

    /// What is judged: whatever else runs on the machine only adds to it.
    pub(super) fn quartile(&self) -> f64 {
        self.at(0.25)
    }

    /// Two after each other, and half of that: what is done every other time counts half.
    pub(super) fn in_pairs(self) -> Self {
        Self(self.0.chunks_exact(2).map(|pair| pair.iter().sum::<f64>() / 2.0).collect())
    }

    pub(super) fn line(&self, name: &str) -> String {
        let [quartile, median, slow, max] = [0.25, 0.5, 0.99, 1.0].map(|share| self.at(share));
        format!("{name:44} {quartile:8.2} {median:8.2} {slow:8.2} {max:8.2} ms")
    }
}

/// CPU time that this thread has used.
pub(super) fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid timespec; Linux has this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// What `work` made, and the CPU time it took.
pub(super) fn timed<T>(times: &mut Times, work: impl FnOnce() -> T) -> T {
    let before = cpu_time();
    let made = work();
    times.add(cpu_time().saturating_sub(before));
    made
}

/// A line of /proc/self/status, MiB.
pub(super) fn memory(line: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = status.lines().find_map(|text| text.strip_prefix(line));
    let kib = found.and_then(|text| text.trim_matches([':', '\t', ' ', 'k', 'B']).parse::<f64>().ok());
    kib.map_or(f64::NAN, |kib| kib / 1024.0)
}

/// How long the fixed job takes where reading 64 CPUs takes 3.1 ms, as on the machine of the documents in its quiet hours, ms.
const USUAL: f64 = 2.6;
/// Bytes of the fixed job that do not fit into a cache, and of a piece that does.
const FAR: usize = 16 << 20;
const NEAR: usize = 96 << 10;
/// Numbers that it writes as text.
const NUMBERS: u64 = 12_000;

/// The fixed job: half memory, half instructions, as what is judged, and none of it ours. It tells how slow the machine
/// is just now.
pub(super) struct Pace {
    far: Vec<u64>,
    times: Times,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { far: (0..FAR as u64 / 8).collect(), times: Times::default() }
    }

    /// Does it once.
    pub(super) fn measure(&mut self) {
        let mut near = vec![0u64; NEAR / 8];
        let far = &self.far;
        let sum = timed(&mut self.times, || {
            let mut sum = 0u64;
            for piece in far.chunks_exact(near.len()) {
                near.copy_from_slice(piece);
                sum = near.iter().fold(sum, |sum, number| sum.rotate_left(1).wrapping_add(*number));
            }
            let texts: Vec<String> = (0..NUMBERS).map(|number| (number ^ sum).to_string()).collect();
            texts.iter().fold(sum, |sum, text| sum.wrapping_add(text.len() as u64))
        });
        std::hint::black_box(sum);
    }

    /// How many times as long as usual everything takes now; never less than one.
    pub(super) fn factor(&self) -> f64 {
        (self.times.quartile() / USUAL).max(1.0)
    }

    pub(super) fn times(&self) -> &Times {
        &self.times
    }
}
