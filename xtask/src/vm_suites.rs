//! The suites that need a kernel: one boot per configuration of the matrix, all of its suites in it.

mod boots;
mod cuts;
mod matrix;
mod prometheus;
mod whodunit;

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};

use self::matrix::Configuration;
pub(crate) use self::matrix::Variant;
use crate::lab::{self, GuestResult, Interrupted, Io, Programs};
use crate::say;
use crate::setup::{self, Need};

/// The program in the guest that runs suites. It prints a line per test: `ok NAME`, `not ok NAME: WHY` or
/// `skip NAME: REASON`.
const RUNNER: &str = "guest-suite";

/// Guests at once.
const ABREAST: usize = 2;

/// What the tests of one or more guests came to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: usize,
    /// One line per failure, fit to be read on its own.
    failed: Vec<String>,
    ignored: usize,
}

/// Runs the configurations that the filters leave, and fails if a test, a guest or a kernel log did.
pub(crate) fn run(args: &crate::test::Args) -> Result<()> {
    let started = Instant::now();
    let matrix = matrix::wanted(args);
    if matrix.is_empty() {
        bail!("the matrix has no such combination of kernel, IOMMU and variant; it has: {}", matrix::known());
    }
    setup::ensure(&[
        Need::Qemu,
        Need::Kernels(matrix.iter().map(|configuration| configuration.line).collect()),
    ])?;
    if matrix.iter().any(|configuration| configuration.variant.has_systemd()) {
        setup::ensure(&[Need::Systemd])?;
    }
    if matrix.iter().any(|configuration| configuration.has_prometheus()) {
        setup::ensure(&[Need::Prometheus])?;
    }
    let programs = Programs::build()?;
    if !programs.has(RUNNER) {
        bail!("tests/guest builds no {RUNNER}, so there are no suites to run; add it to its Cargo.toml");
    }
    // One alone shows its tests as they end.
    let io = if matrix.len() == 1 { Io::Tee } else { Io::Capture };
    let total = abreast(matrix, |configuration| boot(configuration, &args.suite, &programs, io))?;
    conclude(&total, started.elapsed())
}

/// Boots the configurations, some at a time: half of a guest's time is waiting. What each has to say stays together.
fn abreast(
    matrix: Vec<Configuration>,
    boot: impl Fn(Configuration) -> Result<Tally> + Sync,
) -> Result<Tally> {
    let queue = Mutex::new(matrix.into_iter());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || -> Result<Tally> {
        let mut sum = Tally::default();
        while let Some(configuration) = next() {
            sum.add(boot(configuration)?);
        }
        Ok(sum)
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..ABREAST).map(|_| scope.spawn(work)).collect();
        let mut total = Tally::default();
        for worker in workers {
            total.add(worker.join().map_err(|_| anyhow!("a guest's thread panicked"))??);
        }
        Ok(total)
    })
}

/// Runs one configuration's suites; only an interruption is an error.
fn boot(configuration: Configuration, suites: &[String], programs: &Programs, io: Io) -> Result<Tally> {
    let name = configuration.to_string();
    say(format_args!("{name}: boots"));
    let started = Instant::now();
    let mut text = format!("\n{name}\n");
    let run = match configuration.variant {
        Variant::Boot => boots::run(configuration, programs, io, &mut text),
        Variant::Whodunit => whodunit::run(configuration, programs, io, &mut text),
        Variant::Cuts => cuts::run(configuration, programs, io, &mut text),
        _ => one_boot(configuration, suites, programs, io, &mut text),
    };
    let tally = match run {
        Ok(tally) => tally,
        Err(error) if error.is::<Interrupted>() => return Err(error),
        Err(error) => {
            let _ = writeln!(text, "not ok {name}: {error:#}");
            Tally { failed: vec![format!("{name}: {}", first_line(&error))], ..Tally::default() }
        }
    };
    let took = started.elapsed().as_secs_f32();
    println!("{text}{name}: {} in {took:.0} s", tally.summary());
    Ok(tally)
}

/// Boots the lab's own init and runs the suites.
fn one_boot(
    configuration: Configuration,
    suites: &[String],
    programs: &Programs,
    io: Io,
    text: &mut String,
) -> Result<Tally> {
    let mut argv = vec![RUNNER.to_owned()];
    argv.extend_from_slice(suites);
    let mut spec = configuration.guest(argv);
    spec.io = io;
    if configuration.has_prometheus() {
        spec.files = prometheus::files()?;
    }
    let mut result = lab::guest(&spec, programs)?;
    // A failed test stays failed, whatever else was wrong.
    if let (0, Some(line)) = (result.code, result.log.impossible_flags()) {
        say(format_args!("{configuration}: flags that no CPU has ({line}); once more"));
        let _ = writeln!(
            text,
            "# all tests passed, but with flags that no CPU has, so it was booted once more: {line}"
        );
        result = lab::guest(&spec, programs)?;
    }
    quote(&result, io, text);
    let _ = writeln!(text, "# booted in {:.1} s", result.boot.as_secs_f32());
    let mut tally = judge(&configuration.to_string(), &result, text);
    if let Some((option, promise)) = advised(&String::from_utf8_lossy(&result.stdout)) {
        tally.add(once_more(configuration, programs, io, text, (option, promise))?);
    }
    Ok(tally)
}

/// A boot option that a suite was advised, and what was promised of it: `# boot once more with OPTION PROMISE`.
fn advised(output: &str) -> Option<(&str, &str)> {
    output.lines().find_map(|line| line.strip_prefix("# boot once more with ")?.split_once(' '))
}

/// The same guest with that option: is the promise kept?
fn once_more(
    configuration: Configuration,
    programs: &Programs,
    io: Io,
    text: &mut String,
    (option, promise): (&str, &str),
) -> Result<Tally> {
    let mut spec = configuration.guest(vec![RUNNER.to_owned()]);
    spec.io = io;
    spec.append.push(option.to_owned());
    spec.env.retain(|(name, _)| name != "IOVA_LAB_VARIANT");
    spec.env.push(("IOVA_LAB_VARIANT".into(), "advised".into()));
    spec.env.push(("IOVA_LAB_PROMISE".into(), promise.to_owned()));
    let result = lab::guest(&spec, programs)?;
    quote(&result, io, text);
    Ok(judge(&format!("{configuration} {option}"), &result, text))
}

/// Adds what one boot of a row has said and come to; false if that ends the row.
fn goes_on(name: &str, result: &GuestResult, io: Io, text: &mut String, total: &mut Tally) -> bool {
    quote(result, io, text);
    total.add(judge(name, result, text));
    total.failed.is_empty()
}

/// Adds what the guest said, unless that was shown as it came.
fn quote(result: &GuestResult, io: Io, text: &mut String) {
    if io == Io::Capture {
        text.push_str(&String::from_utf8_lossy(&result.stdout));
        text.push_str(&String::from_utf8_lossy(&result.stderr));
    }
}

fn first_line(error: &anyhow::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// Counts the runner's lines, and whatever else must not be in a good run, which is added to `text`.
fn judge(name: &str, result: &GuestResult, text: &mut String) -> Tally {
    let mut tally = count(name, &String::from_utf8_lossy(&result.stdout));
    let mut problems = result.problems.clone();
    if result.code != 0 && tally.failed.is_empty() {
        let stderr = String::from_utf8_lossy(&result.stderr);
        let last = stderr.lines().last().unwrap_or("nothing on stderr");
        problems.push(format!("{RUNNER} ended with code {} and named no failure: {last}", result.code));
    }
    if let Err(error) = lab::splat_check(result) {
        problems.push(format!("{error:#}"));
    }
    for problem in problems {
        let _ = writeln!(text, "not ok {name}: {problem}");
        tally.failed.push(format!("{name}: {}", problem.lines().next().unwrap_or_default()));
    }
    if !tally.failed.is_empty() {
        for line in result.log.warnings() {
            let _ = writeln!(text, "# kernel: {line}");
        }
    }
    tally
}

fn count(name: &str, output: &str) -> Tally {
    let mut tally = Tally::default();
    for line in output.lines() {
        if line.starts_with("ok ") {
            tally.passed += 1;
        } else if line.starts_with("skip ") {
            tally.ignored += 1;
        } else if let Some(failure) = line.strip_prefix("not ok ") {
            tally.failed.push(format!("{name}: {failure}"));
        }
    }
    tally
}

impl Tally {
    fn add(&mut self, mut more: Self) {
        self.passed += more.passed;
        self.ignored += more.ignored;
        self.failed.append(&mut more.failed);
    }

    fn summary(&self) -> String {
        format!("{} passed; {} failed; {} ignored", self.passed, self.failed.len(), self.ignored)
    }
}

fn conclude(total: &Tally, took: Duration) -> Result<()> {
    let verdict = if total.failed.is_empty() { "ok" } else { "FAILED" };
    println!("\ntest result: {verdict}. {}; finished in {:.2}s", total.summary(), took.as_secs_f32());
    if !total.failed.is_empty() {
        let named = total.failed.join("\n    ");
        bail!("{} of the tests in virtual machines failed:\n    {named}", total.failed.len());
    }
    if total.passed == 0 {
        bail!("no test ran; does --suite name one? A run of nothing proves nothing");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_runner_are_counted() {
        let tally =
            count("6.1 intel", "# a remark\nok a\nok b\nskip c: needs 6.12\nnot ok d: 3 != 4\nokay\n");
        assert_eq!((tally.passed, tally.ignored), (2, 1));
        assert_eq!(tally.failed, ["6.1 intel: d: 3 != 4"]);
        assert_eq!(tally.summary(), "2 passed; 1 failed; 1 ignored");
    }

    #[test]
    fn a_suite_may_ask_for_one_more_boot() {
        let output = "ok a\n# boot once more with intel_iommu=forcedac 500..900\n";
        assert_eq!(advised(output), Some(("intel_iommu=forcedac", "500..900")));
        assert_eq!(advised("ok boot once more with\n"), None);
    }

    #[test]
    fn nothing_run_is_no_success() {
        assert!(conclude(&Tally::default(), Duration::ZERO).is_err());
        assert!(conclude(&Tally { passed: 1, ..Tally::default() }, Duration::ZERO).is_ok());
        let failed = Tally { passed: 1, failed: vec!["x".into()], ignored: 0 };
        assert!(conclude(&failed, Duration::ZERO).is_err());
    }
}
