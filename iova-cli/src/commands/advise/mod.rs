//! `iova advise`: measure or read, judge, say what to set and where to write it down.

mod inputs;
mod write;

use super::live::Live;
use crate::args::advise::{AdviseArgs, Audience};
use crate::exit::{Exit, Stop};
use crate::output;
use crate::render::renderer;
use crate::session::{self, Plan, Until};
use crate::term::Term;
use iova_core::advise::distro::{Dossier, dossier};
use iova_core::advise::fleet::{self, Fleet, fleet};
use iova_core::advise::place::{Places, places};
use iova_core::advise::{Advice, advise};
use iova_core::compat::List;
use iova_core::kernel::Root;
use iova_core::model::Report;
use iova_core::probe::Profile;
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

const DEFAULT_DURATION: Duration = Duration::from_secs(30);

/// The JSON document of `iova advise`.
#[derive(Debug, Serialize)]
pub(crate) struct AdviceList {
    schema: &'static str,
    schema_version: u32,
    /// One per recording, or the host's.
    pub(crate) hosts: Vec<HostAdvice>,
}

/// What one measurement leads to.
#[derive(Debug, Serialize)]
pub(crate) struct HostAdvice {
    /// The recording; `None`: this host, now.
    pub(crate) file: Option<String>,
    pub(crate) host: String,
    pub(crate) kernel: String,
    /// Length of the measurement, s.
    pub(crate) duration_s: f64,
    /// Best first.
    pub(crate) advice: Vec<Advice>,
    /// How it is made to last.
    pub(crate) places: Places,
}

/// The JSON document of `iova advise --for fleet`.
#[derive(Debug, Serialize)]
pub(crate) struct FleetAdvice {
    schema: &'static str,
    schema_version: u32,
    #[serde(flatten)]
    pub(crate) fleet: Fleet,
}

/// The JSON document of `iova advise --for distro`.
#[derive(Debug, Serialize)]
pub(crate) struct DistroAdvice {
    schema: &'static str,
    schema_version: u32,
    #[serde(flatten)]
    pub(crate) dossier: Dossier,
}

pub(super) fn run(args: &AdviseArgs, term: Term) -> Result<Exit, Stop> {
    let renderer = renderer(args.format, term);
    if args.audience != Audience::Host && args.files.is_empty() {
        return Err(Stop::unusable(format!(
            "--for {} looks at files of many hosts: give recordings and reports",
            args.audience.name()
        )));
    }
    if args.audience != Audience::Distro && !args.known.is_empty() {
        return Err(Stop::unusable("--known is for --for distro, which asks how often iova verify is wrong"));
    }
    let text = match args.audience {
        Audience::Host => renderer.advice(&host(args)?)?,
        Audience::Fleet => {
            let fleet = many(args, args.out.as_deref())?;
            renderer.fleet(&FleetAdvice { schema: "iova.advice.fleet", schema_version: 1, fleet })?
        }
        Audience::Distro if args.out.is_some() => {
            return Err(Stop::unusable(
                "--for distro writes no files to install: leave out --out, or see --for fleet",
            ));
        }
        Audience::Distro => {
            let dossier = dossier(&inputs::evidence(args)?, &List::shipped());
            renderer.distro(&DistroAdvice { schema: "iova.advice.distro", schema_version: 1, dossier })?
        }
    };
    output::print(&text)?;
    Ok(Exit::Done)
}

fn host(args: &AdviseArgs) -> Result<AdviceList, Stop> {
    if args.out.is_some() && args.files.len() > 1 {
        return Err(Stop::unusable(
            "--out writes the files of one host: give one recording, or none; or see --for fleet",
        ));
    }
    let mut hosts = Vec::new();
    for file in &args.files {
        hosts.push(judged(Some(file), &inputs::report(file)?));
    }
    if args.files.is_empty() {
        hosts.push(judged(None, &measured(args)?));
    }
    let list = AdviceList { schema: "iova.advice", schema_version: 1, hosts };
    if let (Some(directory), [host]) = (&args.out, &list.hosts[..]) {
        write::directory(directory)?;
        write::places(directory, &host.places)?;
    }
    Ok(list)
}

fn measured(args: &AdviseArgs) -> Result<Report, Stop> {
    let until = Until::Time(args.duration.unwrap_or(DEFAULT_DURATION));
    super::report::announce(&until);
    session::measure(&mut Live::new()?, &Plan { until, profile: Profile::Default, devices: Vec::new() })
}

fn judged(file: Option<&Path>, report: &Report) -> HostAdvice {
    let advice = advise(report);
    HostAdvice {
        file: file.map(|file| file.display().to_string()),
        host: report.host.name.clone(),
        kernel: report.host.kernel.clone(),
        duration_s: report.duration_s,
        places: places(&advice, &Root::default()),
        advice,
    }
}

/// Files of many hosts: one directory for each group of hosts that are alike.
fn many(args: &AdviseArgs, directory: Option<&Path>) -> Result<Fleet, Stop> {
    let fleet = fleet(&inputs::evidence(args)?);
    if let Some(directory) = directory {
        write::directory(directory)?;
        for group in &fleet.groups {
            write::places(&directory.join(&group.name), &fleet::files(group))?;
        }
    }
    Ok(fleet)
}

#[cfg(test)]
mod tests;
