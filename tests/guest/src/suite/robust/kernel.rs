//! Kernels that lack something.

use std::fs;

use anyhow::{Context, Result, ensure};

use super::run::{answer, iova, unknown};
use super::sandbox::View;
use super::symbols::Hidden;
use crate::Outcome;

pub(super) fn without_btf() -> Result<Outcome> {
    fs::create_dir_all("/tmp/no-btf")?;
    let run = |args: &[&str]| -> Result<_> {
        answer(View::default().with("/tmp/no-btf", "/sys/kernel/btf")?.of(iova(args)))
    };
    run(&["doctor"])?.code(2)?.says(&["missing btf", "CONFIG_DEBUG_INFO_BTF=y"])?;
    run(&["devices"])?.code(0)?.says(&["00:04.0", "nvme0n1", "CONFIG_DEBUG_INFO_BTF=y"])?;
    let report = run(&["report", "--duration", "10ms"])?.code(2)?;
    report.sentence(&["no type information", "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y"])?;
    Ok(Outcome::Passed)
}

/// debugfs, tracefs and bpffs are nice to have on other tools; nothing here needs them.
pub(super) fn without_file_systems() -> Result<Outcome> {
    let run = |args: &[&str]| -> Result<_> {
        let view = View::default().without("/sys/kernel/debug")?.without("/sys/kernel/tracing")?;
        let view = view.without("/sys/fs/bpf")?.without("/sys/kernel/security")?;
        answer(view.of(iova(args)))
    };
    let doctor = run(&["doctor"])?;
    ensure!(matches!(doctor.status.code(), Some(0 | 1)), "doctor: {}", doctor.status);
    doctor.says(&["ok lockdown none known", "securityfs is not mounted"])?;
    let report = run(&["report", "--format", "json", "--profile", "light", "--duration", "10ms"])?;
    let report = report.code(0)?.quiet()?.json()?;
    ensure!(unknown(&report, "alloc.count").is_err(), "counts are missing");
    Ok(Outcome::Passed)
}

/// The compiler leaves only `name.part.0` of a function, or nothing.
pub(super) fn inlined() -> Result<Outcome> {
    let listing = fs::read_to_string("/proc/kallsyms")?;
    // The kernel's own index would not be deceived.
    let _hidden = Hidden::now()?;
    let flushes = symbols_without(&listing, "/tmp/kallsyms-flush", &["free_cpu_cached_iovas"])?;
    let run = |args: &[&str], symbols: &str| -> Result<_> {
        answer(View::default().with(symbols, "/proc/kallsyms")?.of(iova(args)))
    };
    let doctor = run(&["doctor"], flushes)?.code(1)?;
    let part = "free_cpu_cached_iovas exists only as free_cpu_cached_iovas.part.0";
    doctor.says(&["missing hook cache.flushes", part, "lost"])?;
    let args = ["report", "--format", "json", "--profile", "light", "--duration", "10ms"];
    let report = run(&args, flushes)?.code(0)?.json()?;
    let why = unknown(&report, "cache.flushes")?;
    ensure!(why.contains(part), "doctor says that {part}, the report: {why}");
    let first = report["devices"].get(0).context("no device")?;
    ensure!(first["cache"]["flushes"].is_null(), "flushes from nowhere: {}", first["cache"]);

    let blind =
        symbols_without(&listing, "/tmp/kallsyms-alloc", &["iommu_dma_alloc_iova", "intel_alloc_iova"])?;
    let part = "iommu_dma_alloc_iova exists only as iommu_dma_alloc_iova.part.0";
    run(&["doctor"], blind)?.code(2)?.says(&["missing hook alloc.count", part])?;
    run(&args, blind)?.code(2)?.sentence(&["no hook for IOVA allocations", part, "run `iova doctor`"])?;
    Ok(Outcome::Passed)
}

/// A copy of the symbols in which these are there in part only.
fn symbols_without<'a>(listing: &str, path: &'a str, names: &[&str]) -> Result<&'a str> {
    let mut text = listing.to_owned();
    for name in names {
        text = text.replace(&format!(" {name}\n"), &format!(" {name}.part.0\n"));
    }
    fs::write(path, text)?;
    Ok(path)
}
