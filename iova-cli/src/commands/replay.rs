//! `iova replay`: a recording as if it were this host, now.

use super::devices::DeviceList;
#[cfg(feature = "parquet")]
use super::table;
use super::{calls, export, report, top, trace};
use crate::args::record::{ReplayArgs, ReplayCommand};
use crate::exit::{Exit, Stop};
use crate::output;
use crate::render::{html, renderer};
use crate::session::{self, Piece, Plan, Played, Source as _, Until};
use crate::term::Term;
use iova_core::model::Report;
use iova_core::model::story::Story;
use std::path::Path;

pub(super) fn run(args: &ReplayArgs, term: Term) -> Result<Exit, Stop> {
    let piece = args.piece();
    match &args.command {
        ReplayCommand::Report { devices, format, versus, fail_on } => {
            let (report, text) = match (format.plain(), versus) {
                (_, Some(_)) if args.from.or(args.until).is_some() => {
                    return Err(Stop::unusable(
                        "--versus compares whole recordings: leave out --from and --until",
                    ));
                }
                (None, versus) => page(&piece, versus.as_deref(), devices)?,
                (Some(_), Some(_)) => {
                    return Err(Stop::unusable(
                        "--versus is for --format html: say that too, or see iova gate compare",
                    ));
                }
                (Some(format), None) => {
                    let (mut played, plan) = open(&piece, devices)?;
                    let report = session::measure(&mut played, &plan)?;
                    played.flaw().into_iter().for_each(|flaw| output::complain(&flaw));
                    let text = renderer(format, term).report(&report)?;
                    (report, text)
                }
            };
            output::print(&text)?;
            report::verdict(&report, *fail_on)
        }
        ReplayCommand::Export(options) => export::replay(&piece, options),
        ReplayCommand::Events(options) => calls::run(&piece, options),
        ReplayCommand::Trace(options) => trace::run(&piece, options),
        #[cfg(feature = "parquet")]
        ReplayCommand::Table(options) => table::run(&piece, options),
        ReplayCommand::Top(options) => top::replay(&piece, options, term),
        ReplayCommand::Devices(options) => {
            let mut played = piece.open()?;
            while played.moment()?.is_some() {}
            played.flaw().into_iter().for_each(|flaw| output::complain(&flaw));
            let inventory = played.inventory();
            let wanted = played.select(&inventory, &options.devices)?;
            let list = DeviceList::new(&inventory, &wanted, played.sac_control(&inventory));
            output::print(&renderer(options.format, term).devices(&list)?)?;
            Ok(Exit::Done)
        }
    }
}

/// What a whole recording says.
pub(super) fn report(file: &Path) -> Result<Report, Stop> {
    let (mut played, plan) = open(&file.into(), &[])?;
    let report = session::measure(&mut played, &plan)?;
    played.flaw().into_iter().for_each(|flaw| output::complain(&flaw));
    Ok(report)
}

fn open(piece: &Piece, devices: &[String]) -> Result<(Played, Plan), Stop> {
    let played = piece.open()?;
    let plan = Plan { until: Until::Over, profile: played.profile()?, devices: devices.to_vec() };
    Ok((played, plan))
}

/// What a page is made of.
struct Told {
    report: Report,
    story: Story,
    begun_ns: u64,
}

impl Told {
    fn read(piece: &Piece, devices: &[String]) -> Result<Self, Stop> {
        let (mut played, plan) = open(piece, devices)?;
        let begun_ns = played.begun_unix_ns();
        let (report, story) = report::told(&mut played, &plan)?;
        played.flaw().into_iter().for_each(|flaw| output::complain(&flaw));
        Ok(Self { report, story, begun_ns })
    }

    fn run(&self) -> html::Run<'_> {
        html::Run { report: &self.report, story: &self.story, begun_ns: Some(self.begun_ns) }
    }
}

/// A page of a recording, or of two.
pub(super) fn page(
    piece: &Piece,
    versus: Option<&Path>,
    devices: &[String],
) -> Result<(Report, String), Stop> {
    let one = Told::read(piece, devices)?;
    let Some(versus) = versus else {
        let text = html::page(one.run());
        return Ok((one.report, text));
    };
    let other = Told::read(&versus.into(), devices)?;
    let text = html::comparison(&one.run(), &other.run());
    Ok((other.report, text))
}
