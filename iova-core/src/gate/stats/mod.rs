//! The statistics of the gate: pure functions over slices. Each is checked against SciPy and NumPy on the cases of
//! `testdata/vectors.txt`, which `testdata/vectors.py` makes.

mod bootstrap;
mod holm;
mod proportion;
mod random;
mod rank;
mod shift;
mod spread;

pub use bootstrap::{Interval, interval};
pub use holm::holm;
pub use proportion::{none_of, proportion};
pub use rank::{EXACT_UP_TO, Method, RankTest, Tail, rank_test, runs_to_reach};
pub use shift::{ratio, shift};
pub use spread::{Spread, median, outliers};

pub(super) use rank::least_p;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) use random::Random;
