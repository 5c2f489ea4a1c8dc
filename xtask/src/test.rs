//! `cargo xtask test`: the stages on the host, then the suites in virtual machines, with a time for each.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::bpf::Object;
use crate::build::cargo;
use crate::checks::{checkpatch, deny, pages, sizes};
use crate::kernels::Line;
use crate::lab::Iommu;
use crate::setup::{self, Need};
use crate::vm_suites::{self, Variant};
use crate::{bench, bpf, cmd, paths, say};

/// What to test.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only what needs no virtual machine
    #[arg(long)]
    pub(crate) host_only: bool,
    /// Only the suites in virtual machines
    #[arg(long, conflicts_with = "host_only")]
    pub(crate) vm_only: bool,
    /// Before anything else: what is quick on the host, and a few tests of everything in one virtual machine
    #[arg(long, conflicts_with_all = ["all", "kernel", "iommu", "variant", "suite"])]
    pub(crate) quick: bool,
    /// The long guests too, which seldom find anything: CONTRIBUTING.md names them
    #[arg(long)]
    pub(crate) all: bool,
    /// Only these kernels
    #[arg(long, value_enum, value_name = "LINE")]
    pub(crate) kernel: Vec<Line>,
    /// Only these IOMMUs
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) iommu: Vec<Iommu>,
    /// Only guests booted in these ways
    #[arg(long, value_enum, value_name = "VARIANT")]
    pub(crate) variant: Vec<Variant>,
    /// Only suites whose name contains one of these
    #[arg(long, value_name = "TEXT")]
    pub(crate) suite: Vec<String>,
}

impl Args {
    /// True if nothing was left out but kernels, and each has a baseline.
    pub(crate) fn is_whole(&self) -> bool {
        !self.quick
            && !self.has_filters_beside_kernels()
            && self.kernel.iter().all(|line| Line::COUNTED.contains(line))
    }

    /// True if something was named, which then runs however long it takes.
    pub(crate) fn has_filters(&self) -> bool {
        !self.kernel.is_empty() || self.has_filters_beside_kernels()
    }

    fn has_filters_beside_kernels(&self) -> bool {
        !(self.iommu.is_empty() && self.variant.is_empty() && self.suite.is_empty())
    }
}

/// Runs every stage. The quick ones all get their say before it fails; virtual machines start only if they pass.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut stages = Stages::default();
    if !args.vm_only {
        host(&mut stages, args.quick);
    }
    if !args.host_only && stages.failed.is_empty() {
        stages.run("virtual machines", || vm_suites::run(args));
    }
    stages.finish()
}

/// With the bench, which nothing else compiles here.
const CLIPPY: [&str; 5] = ["clippy", "--workspace", "--all-targets", "--features", "iova-cli/bench"];

fn host(stages: &mut Stages, quick: bool) {
    stages.run("setup", || setup::ensure(&[Need::Bpf, Need::Lints, Need::Prometheus]));
    if !quick {
        stages.run("setup of the rest", || {
            setup::duckdb::ensure();
            setup::ensure(&[Need::Browser, Need::Chroots(Line::ALL.to_vec())])
        });
    }
    stages.run("format", format);
    stages.run("file lengths", sizes::check);
    stages.run("dependencies", deny::check);
    stages.run("kernel C style", checkpatch::check);
    stages.run("eBPF object", || bpf::object(Object::Iova).map(drop));
    stages.run("lints", || workspace(&CLIPPY, &["-D", "warnings"]));
    stages.run("unit tests", || workspace(&["test", "--workspace"], &[]));
    if !quick {
        stages.run("HTML reports in a browser", pages::check);
        stages.run("time and memory of iova top", bench::check_top);
    }
}

fn format() -> Result<()> {
    let root = paths::root();
    let workspace = cmd::show(cargo().current_dir(&root).args(["fmt", "--all", "--check"]));
    let programs = cmd::show(cargo().current_dir(root.join("iova-ebpf")).args(["fmt", "--check"]));
    workspace.and(programs)
}

/// A cargo command on our terminal, over the whole workspace.
fn workspace(arguments: &[&str], after_dashes: &[&str]) -> Result<()> {
    let mut cargo = cargo();
    // A missing Prometheus fails its tests then, instead of skipping them.
    cargo.env("IOVA_NEED_PROMETHEUS", "1");
    if let Some(python) = setup::duckdb::found() {
        cargo.env("IOVA_DUCKDB", python);
    }
    cargo.current_dir(paths::root()).args(arguments).arg("--target-dir").arg(paths::target());
    if !after_dashes.is_empty() {
        cargo.arg("--").args(after_dashes);
    }
    cmd::show(&mut cargo)
}

#[derive(Default)]
struct Stages {
    done: Vec<(&'static str, Duration)>,
    /// With what is wrong: who reads only the end of a long log reads that.
    failed: Vec<(&'static str, anyhow::Error)>,
}

impl Stages {
    fn run(&mut self, name: &'static str, stage: impl FnOnce() -> Result<()>) {
        say(format_args!("== {name}"));
        let started = Instant::now();
        if let Err(error) = stage() {
            say(format_args!("== {name} FAILED: {error:#}"));
            self.failed.push((name, error));
        }
        self.done.push((name, started.elapsed()));
    }

    fn finish(self) -> Result<()> {
        let Self { done, failed } = self;
        for (name, took) in &done {
            let verdict = if failed.iter().any(|(failed, _)| failed == name) { "FAILED" } else { "ok" };
            say(format_args!("{:>7.1} s  {name}: {verdict}", took.as_secs_f32()));
        }
        let total: Duration = done.iter().map(|(_, took)| *took).sum();
        say(format_args!("{:>7.1} s  in all", total.as_secs_f32()));
        if !failed.is_empty() {
            let lines: Vec<_> = failed.iter().map(|(name, error)| format!("{name}: {error:#}")).collect();
            bail!("failed: {}", lines.join("\n"));
        }
        Ok(())
    }
}
