//! Steps of something that takes minutes, some of them side by side: which are done, and what is left.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::say;

/// What takes less was there already, and is not worth a line.
const SHORT: Duration = Duration::from_secs(5);

/// Steps by name.
pub(crate) struct Steps {
    all: usize,
    left: Mutex<Vec<String>>,
}

impl Steps {
    pub(crate) fn new(names: &[&str]) -> Self {
        Self { all: names.len(), left: Mutex::new(names.iter().map(|name| (*name).to_owned()).collect()) }
    }

    /// Does one of them. A failure is told at once, since others may go on for minutes.
    pub(crate) fn run<T>(&self, name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let started = Instant::now();
        let result = work();
        let took = started.elapsed();
        match &result {
            Ok(_) => {
                let line = self.done(name, took);
                if took > SHORT {
                    say(line);
                }
            }
            Err(error) => say(format_args!("{name} FAILED: {error:#}")),
        }
        result
    }

    /// Takes it off the list.
    fn done(&self, name: &str, took: Duration) -> String {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.retain(|other| other != name);
        let (done, rest) = (self.all - left.len(), left.join(", "));
        let rest = if rest.is_empty() { String::new() } else { format!("; left: {rest}") };
        format!("{done} of {}: {name} ready ({:.0} s){rest}", self.all, took.as_secs_f32())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_told() {
        let steps = Steps::new(&["packages", "kernel 6.12", "iova"]);
        let second = Duration::from_secs(1);
        assert_eq!(
            steps.done("kernel 6.12", second),
            "1 of 3: kernel 6.12 ready (1 s); left: packages, iova"
        );
        steps.done("packages", second);
        assert_eq!(steps.done("iova", 20 * second), "3 of 3: iova ready (20 s)");
    }

    #[test]
    fn a_failed_step_is_not_done() {
        let steps = Steps::new(&["a", "b"]);
        assert!(steps.run("a", || -> Result<()> { anyhow::bail!("no network") }).is_err());
        assert_eq!(steps.run("b", || Ok(5)).unwrap(), 5);
        assert_eq!(*steps.left.lock().unwrap(), ["a"]);
    }
}
