//! What needs a kernel: the suites, one boot per configuration of the matrix with all of its suites in it; the lab as it is
//! without arguments; and the instruction counts.

mod boots;
mod cuts;
mod matrix;
mod prometheus;
mod tally;
mod times;
mod whodunit;

use std::fmt::Write as _;
use std::time::Instant;

use anyhow::{Result, bail};

use self::matrix::Configuration;
pub(crate) use self::matrix::Variant;
use self::tally::{Tally, judge};
use self::times::Ran;
use crate::bench::{self, Pair};
use crate::kernels::Line;
use crate::lab::{self, GuestResult, Interrupted, Io, Programs, Spent};
use crate::setup::{self, Need};
use crate::{pool, say};

/// The program in the guest that runs suites.
const RUNNER: &str = "guest-suite";

/// What the lab takes without arguments, about.
const LAB_SECONDS: u32 = 60;

/// What a guest, or a row of them, is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Job {
    /// The suites of a configuration.
    Suites(Configuration),
    /// What `cargo xtask lab` shows.
    Lab,
    /// The instruction counts of a kernel.
    Bench(Line),
}

/// What a job came to.
struct Answer {
    ran: Ran,
    /// Of the bench.
    pair: Option<Pair>,
}

/// Runs what the filters leave, and fails if a test, a guest or a kernel log did, or if a count is higher than it was.
pub(crate) fn run(args: &crate::test::Args) -> Result<()> {
    let started = Instant::now();
    let jobs = jobs(args)?;
    let programs = prepare(&jobs, if args.all { Programs::shipped } else { Programs::in_guest_profile })?;
    // One alone shows its tests as they end.
    let io = if jobs.len() == 1 { Io::Tee } else { Io::Capture };
    let suites = if args.all && args.suite.is_empty() { &["--all".to_owned()][..] } else { &args.suite };
    let answers = pool::run(jobs, |job| job.seconds(), |job| job.run(suites, &programs, io))?;
    let (ran, pairs): (Vec<Ran>, Vec<_>) =
        answers.into_iter().map(|answer| (answer.ran, answer.pair)).unzip();
    let counts = counts(pairs.into_iter().flatten().collect());
    print!("{}", times::render(&ran));
    let mut total = counts;
    ran.into_iter().for_each(|ran| total.add(ran.tally));
    total.conclude(started.elapsed())
}

/// What there is to do: without filters the lab and the bench, too.
fn jobs(args: &crate::test::Args) -> Result<Vec<Job>> {
    let matrix = matrix::wanted(args);
    if matrix.is_empty() {
        bail!("the matrix has no such combination of kernel, IOMMU and variant; it has: {}", matrix::known());
    }
    let mut jobs: Vec<_> = matrix.into_iter().map(Job::Suites).collect();
    if args.is_whole() {
        let lines = if args.kernel.is_empty() { &Line::COUNTED[..] } else { &args.kernel };
        jobs.push(Job::Lab);
        jobs.extend(lines.iter().copied().map(Job::Bench));
    }
    Ok(jobs)
}

/// Finds, installs and builds what the jobs need.
fn prepare(jobs: &[Job], build: fn() -> Result<Programs>) -> Result<Programs> {
    let any = |is: fn(Configuration) -> bool| {
        jobs.iter().any(|job| matches!(job, Job::Suites(configuration) if is(*configuration)))
    };
    let mut needs = vec![Need::Qemu, Need::Kernels(jobs.iter().map(|job| job.line()).collect())];
    needs.extend(any(|configuration| configuration.variant.has_systemd()).then_some(Need::Systemd));
    needs.extend(any(Configuration::has_prometheus).then_some(Need::Prometheus));
    setup::ensure(&needs)?;
    let programs = build()?;
    if !programs.has(RUNNER) {
        bail!("tests/guest builds no {RUNNER}, so there are no suites to run; add it to its Cargo.toml");
    }
    if any(|configuration| configuration.variant == Variant::BpfLog) {
        programs.logging()?;
    }
    if jobs.iter().any(|job| matches!(job, Job::Bench(_))) {
        bench::prepare(&programs)?;
    }
    Ok(programs)
}

/// Judges the instruction counts, if there are any.
fn counts(mut pairs: Vec<Pair>) -> Tally {
    let mut tally = Tally::default();
    if !pairs.is_empty() {
        println!();
        match bench::judge(&mut pairs) {
            Ok(()) => tally.passed += 1,
            Err(error) => tally.failed.push(format!("instruction counts: {error:#}")),
        }
    }
    tally
}

impl Job {
    /// So long it takes, about.
    fn seconds(self) -> u32 {
        match self {
            Self::Suites(configuration) => configuration.seconds(),
            Self::Lab => LAB_SECONDS,
            Self::Bench(_) => bench::SECONDS,
        }
    }

    fn line(self) -> Line {
        match self {
            Self::Suites(configuration) => configuration.line,
            Self::Lab => Line::V6_12,
            Self::Bench(line) => line,
        }
    }

    /// Boots its guests and says what they came to; only an interruption is an error.
    fn run(self, suites: &[String], programs: &Programs, io: Io) -> Result<Answer> {
        let name = self.to_string();
        say(format_args!("{name}: boots"));
        let started = Instant::now();
        let (mut text, mut pair) = (format!("\n{name}\n"), None);
        let run = match self {
            Self::Suites(configuration) => boot(configuration, suites, programs, io, &mut text),
            Self::Lab => usual(&name, programs, &mut text),
            Self::Bench(line) => bench::guest(line, programs).map(|(counted, spent)| {
                pair = Some(counted);
                Tally { spent: Some(spent), ..Tally::default() }
            }),
        };
        let tally = match run {
            Ok(tally) => tally,
            Err(error) if error.is::<Interrupted>() => return Err(error),
            Err(error) => {
                let mut tally = Tally { spent: Some(Spent::only(started.elapsed())), ..Tally::default() };
                tally.fail(&name, &format!("{error:#}"), &mut text);
                tally
            }
        };
        let took = started.elapsed().as_secs_f32();
        println!("{text}{name}: {} in {took:.0} s", tally.summary());
        Ok(Answer { ran: Ran { name, line: self.line(), tally }, pair })
    }
}

impl std::fmt::Display for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Suites(configuration) => configuration.fmt(f),
            Self::Lab => f.write_str("cargo xtask lab"),
            Self::Bench(line) => write!(f, "{line} instruction counts"),
        }
    }
}

/// Boots a configuration's guests.
fn boot(
    configuration: Configuration,
    suites: &[String],
    programs: &Programs,
    io: Io,
    text: &mut String,
) -> Result<Tally> {
    match configuration.variant {
        Variant::Boot | Variant::BootDies | Variant::BootAdvice => {
            boots::run(configuration, programs, io, text)
        }
        Variant::Whodunit => whodunit::run(configuration, programs, io, text),
        Variant::Cuts => cuts::run(configuration, programs, io, text),
        Variant::BpfLog => one_boot(configuration, suites, &programs.logging()?, io, text),
        _ => one_boot(configuration, suites, programs, io, text),
    }
}

/// The lab as it is without arguments.
fn usual(name: &str, programs: &Programs, text: &mut String) -> Result<Tally> {
    let result = lab::guest(&lab::usual()?, programs)?;
    quote(&result, Io::Capture, text);
    let mut tally = judge(name, &result, text);
    tally.passed += usize::from(tally.failed.is_empty());
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
    let (mut result, mut tally) = (lab::guest(&spec, programs)?, Tally::default());
    // A failed test stays failed, whatever else was wrong.
    if let (0, Some(line)) = (result.code, result.log.impossible_flags()) {
        say(format_args!("{configuration}: flags that no CPU has ({line}); once more"));
        let _ = writeln!(
            text,
            "# all tests passed, but with flags that no CPU has, so it was booted once more: {line}"
        );
        tally.spend(result.spent);
        result = lab::guest(&spec, programs)?;
    }
    quote(&result, io, text);
    let _ = writeln!(text, "# booted in {:.1} s", result.boot().as_secs_f32());
    tally.add(judge(&configuration.to_string(), &result, text));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_may_ask_for_one_more_boot() {
        let output = "ok a\n# boot once more with intel_iommu=forcedac 500..900\n";
        assert_eq!(advised(output), Some(("intel_iommu=forcedac", "500..900")));
        assert_eq!(advised("ok boot once more with\n"), None);
    }
}
