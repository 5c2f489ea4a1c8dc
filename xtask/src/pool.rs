//! Guests side by side, the longest first, so that none is left to run alone in the end.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, anyhow, ensure};

/// Says how many guests run at once.
const ABREAST: &str = "IOVA_ABREAST";

/// Guests at once.
fn abreast() -> Result<usize> {
    let Ok(text) = std::env::var(ABREAST) else {
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        // A third of a guest's time is waiting; with two guests to a CPU tests run into their time-outs, and nothing is gained.
        return Ok((cpus + cpus / 2).max(2));
    };
    let number = text.parse().with_context(|| format!("{ABREAST}={text} is no number"))?;
    ensure!(number > 0, "{ABREAST}=0 runs nothing");
    Ok(number)
}

/// Does all jobs; answers come in the order in which the jobs end. After an error no more jobs begin.
pub(crate) fn run<Job: Send, Answer: Send>(
    jobs: Vec<Job>,
    seconds: impl Fn(&Job) -> u32,
    work: impl Fn(Job) -> Result<Answer> + Sync,
) -> Result<Vec<Answer>> {
    run_abreast(abreast()?, jobs, seconds, work)
}

fn run_abreast<Job: Send, Answer: Send>(
    abreast: usize,
    mut jobs: Vec<Job>,
    seconds: impl Fn(&Job) -> u32,
    work: impl Fn(Job) -> Result<Answer> + Sync,
) -> Result<Vec<Answer>> {
    // Taken from the end.
    jobs.sort_by_key(seconds);
    let (queue, answers) = (Mutex::new(jobs), Mutex::new(Vec::new()));
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let worker = || -> Result<()> {
        while let Some(job) = next() {
            match work(job) {
                Ok(answer) => answers.lock().unwrap_or_else(PoisonError::into_inner).push(answer),
                Err(error) => {
                    queue.lock().unwrap_or_else(PoisonError::into_inner).clear();
                    return Err(error);
                }
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..abreast).map(|_| scope.spawn(worker)).collect();
        let ends = workers.into_iter().map(|worker| worker.join());
        // All are waited for before the first error counts.
        let ends: Vec<_> = ends.map(|end| end.map_err(|_| anyhow!("a guest's thread panicked"))?).collect();
        ends.into_iter().collect::<Result<()>>()
    })?;
    Ok(answers.into_inner().unwrap_or_else(PoisonError::into_inner))
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn the_longest_begin_first() {
        let jobs = vec![("a", 10), ("b", 30), ("c", 20)];
        let order = run_abreast(1, jobs, |(_, seconds)| *seconds, |(name, _)| Ok(name)).unwrap();
        assert_eq!(order, ["b", "c", "a"]);
    }

    #[test]
    fn all_are_done_by_any_number() {
        for abreast in [1, 3, 50] {
            let mut done = run_abreast(abreast, (0..20).collect(), |job| *job, Ok).unwrap();
            done.sort_unstable();
            assert_eq!(done, (0..20).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_error_ends_it() {
        let begun = Mutex::new(0);
        let work = |job: u32| -> Result<()> {
            *begun.lock().unwrap() += 1;
            if job == 8 { bail!("interrupted") } else { Ok(()) }
        };
        assert!(run_abreast(1, (0..10).collect(), |job| *job, work).is_err());
        assert_eq!(*begun.lock().unwrap(), 2);
    }
}
