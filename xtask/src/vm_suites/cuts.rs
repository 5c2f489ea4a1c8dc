//! The row of boots whose power is cut in the middle of `iova verify`: one state disk, one test disk, and a machine that
//! comes up again after each cut. The guest looks whether all is as booted and what the journal has; here it is seen
//! whether anything was written outside the scratch partition. The state disk forgets what was not flushed.

mod disk;
mod moments;
mod order;
mod tally;

use std::sync::Arc;

use anyhow::{Result, bail};
use iova_guest::cuts::{Deed, PARAMETER, STATE};
use iova_guest::random::Random;

use self::disk::Disk;
use self::moments::{Moments, Whole};
use self::tally::Cuts;
use super::matrix::Configuration;
use super::tally::{Tally, count, judge};
use super::{RUNNER, quote};
use crate::lab::{self, Fate, Forgetful, GuestSpec, Image, Io, Programs};
use crate::say;

/// Cuts of a usual run; the environment can ask for more.
const CUTS: usize = 4;

/// Of the disk that outlives the cuts.
const STATE_MIB: u64 = 64;

/// A number of the environment, else this one.
fn asked(name: &str, otherwise: u64) -> Result<u64> {
    match std::env::var(name) {
        Ok(text) => match text.parse() {
            Ok(number) => Ok(number),
            Err(_) => bail!("{name}={text} is no number; leave it out for {otherwise}"),
        },
        Err(_) => Ok(otherwise),
    }
}

/// Runs the row up to the first boot that fails a test, and adds what the guests said to `text`.
pub(super) fn run(
    configuration: Configuration,
    programs: &Programs,
    io: Io,
    text: &mut String,
) -> Result<Tally> {
    let (wanted, seed) = (usize::try_from(asked("IOVA_CUTS", CUTS as u64)?)?, asked("IOVA_CUTS_SEED", 1)?);
    let name = configuration.to_string();
    say(format_args!("{name}: {wanted} cuts, IOVA_CUTS_SEED={seed}"));
    let mut row = Row::new(configuration, programs, io, seed)?;
    let whole = row.whole(text)?;
    let mut moments = Moments::new(seed, whole);
    let mut cuts = Cuts::default();
    // A moment that is late falls behind the end of a run that is shorter: that is looked at as well, and does not count.
    while row.is_good() && cuts.within() < wanted && cuts.all() < 3 * wanted {
        row.cut(&mut moments, &mut cuts, text)?;
    }
    if row.is_good() {
        let said = row.orderly(Deed::Last, false, text)?;
        row.complain(cuts.left(&said), text);
    }
    let summary = cuts.summary();
    say(format_args!("{name}: {summary}"));
    text.push_str(&format!("# {summary}\n"));
    if row.is_good() && cuts.within() < wanted {
        bail!("of {} cuts only {} fell into a run, and {wanted} are wanted", cuts.all(), cuts.within());
    }
    Ok(row.total)
}

/// What all boots have in common.
struct Row {
    name: String,
    image: Image,
    spec: GuestSpec,
    /// What is verified.
    disk: Disk,
    /// What outlives a boot.
    state: Forgetful,
    /// What the state disk's cache forgets.
    chance: Random,
    total: Tally,
}

impl Row {
    fn new(configuration: Configuration, programs: &Programs, io: Io, seed: u64) -> Result<Self> {
        let (disk, state) = (Disk::new(seed)?, Forgetful::new(lab::state_disk(STATE_MIB, None)?)?);
        let mut spec = GuestSpec {
            io,
            disk: Some(disk.file()),
            state: Some(state.file()),
            ..configuration.guest(vec![RUNNER.to_owned()])
        };
        spec.env.push(("IOVA_STATE_DIR".into(), STATE.into()));
        let image = Image::lab(&spec, programs)?;
        let (name, chance) = (configuration.to_string(), Random::new(seed.wrapping_add(1)));
        Ok(Self { name, image, spec, disk, state, chance, total: Tally::default() })
    }

    fn is_good(&self) -> bool {
        self.total.failed.is_empty()
    }

    fn spec(&self, deed: Deed, strict: bool) -> GuestSpec {
        let mut spec = GuestSpec { strict, ..self.spec.clone() };
        spec.append.push(format!("{PARAMETER}{}", deed.name()));
        spec
    }

    /// How long a run takes that nobody cuts, and what happens in it.
    fn whole(&mut self, text: &mut String) -> Result<Whole> {
        let said = self.orderly(Deed::Whole, false, text)?;
        let whole = Whole::of(&said);
        match whole {
            Some(whole) => {
                say(format_args!(
                    "{}: a whole run takes {:.1} s and changes the device {} times",
                    self.name,
                    whole.lasts.as_secs_f32(),
                    whole.changes
                ));
                Ok(whole)
            }
            None => bail!("the run that nobody cut did not say how long it took:\n{said}"),
        }
    }

    /// A boot that ends by itself.
    fn orderly(&mut self, deed: Deed, strict: bool, text: &mut String) -> Result<String> {
        let result = self.image.boot(&self.spec(deed, strict))?;
        quote(&result, self.spec.io, text);
        self.total.add(judge(&format!("{} {}", self.name, deed.name()), &result, text));
        self.state.keep()?;
        self.check_disk(text)?;
        Ok(String::from_utf8_lossy(&result.stdout).into_owned())
    }

    /// A boot that ends by a cut.
    fn cut(&mut self, moments: &mut Moments, cuts: &mut Cuts, text: &mut String) -> Result<()> {
        let moment = moments.draw();
        let name = format!("{} cut {}", self.name, cuts.all() + 1);
        let log = Forgetful::log()?;
        let spec = GuestSpec { state_log: Some(Arc::clone(&log)), ..self.spec(moment.deed, moment.strict) };
        let severed = match self.image.boot_and_cut(&spec, &moment.cut)? {
            Fate::Cut(severed) => severed,
            Fate::Ended(result) => {
                quote(&result, self.spec.io, text);
                self.total.add(judge(&name, &result, text));
                self.total.failed.push(format!("{name}: the guest ended before its power was cut"));
                return Ok(());
            }
        };
        let said = String::from_utf8_lossy(&severed.stdout);
        if self.spec.io == Io::Capture {
            text.push_str(&said);
        }
        let forgotten = self.state.forget(&log, &mut self.chance)?;
        self.complain(cuts.left(&said), text);
        let where_it_was = cuts.add(&said, forgotten);
        let line =
            format!("{name}: {moment}, after {:.1} s: {where_it_was}", severed.spent.wall.as_secs_f32());
        say(format_args!("{line}"));
        text.push_str(&format!("# {line}\n"));
        self.total.add(count(&name, &said));
        self.total.spend(severed.spent);
        self.check_disk(text)
    }

    /// Nothing but the scratch partition was ever written.
    fn check_disk(&mut self, text: &mut String) -> Result<()> {
        let changed = self.disk.changed()?;
        self.complain(changed, text);
        Ok(())
    }

    /// Counts what was looked at on this side, and what is wrong with it.
    fn complain(&mut self, wrong: Option<String>, text: &mut String) {
        match wrong {
            None => self.total.passed += 1,
            Some(what) => {
                text.push_str(&format!("not ok {}: {what}\n", self.name));
                self.total.failed.push(format!("{}: {what}", self.name));
            }
        }
    }
}
