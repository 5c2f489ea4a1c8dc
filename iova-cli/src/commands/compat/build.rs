//! `iova compat build`.

use crate::args::compat::{BuildArgs, BuildFormat};
use crate::exit::{Exit, Stop};
use crate::output;
use iova_core::compat::{Record, build};
use std::fs;
use std::path::PathBuf;

pub(super) fn run(args: &BuildArgs) -> Result<Exit, Stop> {
    let list = super::list(args.list.as_deref())?;
    let records: Vec<&Record> = list.records().collect();
    let text = match args.format {
        BuildFormat::Hwdb => build::hwdb(&records),
        BuildFormat::Rules => build::rules(),
        BuildFormat::C => build::c(&records),
        BuildFormat::Markdown => build::markdown(&records),
        BuildFormat::Json => build::json(&records).map_err(Stop::internal)?,
    };
    match place(args)? {
        None => output::print(&text)?,
        Some(path) => fs::write(&path, text).map_err(|error| {
            Stop::unusable(format!("{} can't be written ({error}): choose another place", path.display()))
        })?,
    }
    Ok(Exit::Done)
}

/// Where to; `None`: standard output.
fn place(args: &BuildArgs) -> Result<Option<PathBuf>, Stop> {
    let Some(dir) = &args.out else { return Ok(args.file.clone()) };
    fs::create_dir_all(dir).map_err(|error| {
        Stop::unusable(format!(
            "--out {}: it can't be made ({error}): choose another directory",
            dir.display()
        ))
    })?;
    Ok(Some(dir.join(name(args.format))))
}

fn name(format: BuildFormat) -> &'static str {
    match format {
        BuildFormat::Hwdb => "60-iova-policy.hwdb",
        BuildFormat::Rules => "61-iova-policy.rules",
        BuildFormat::C => "iova_policy_list.h",
        BuildFormat::Markdown => "compat.md",
        BuildFormat::Json => "compat.json",
    }
}
