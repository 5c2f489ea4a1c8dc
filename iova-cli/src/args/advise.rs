//! `iova advise`.

use super::Format;
use crate::duration;
use clap::{Args as ClapArgs, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

pub(super) const HELP: &str = "\
Examples:
  iova advise                       measure 30 s, then say what to set
  iova advise slow.iova             from a recording, on any machine
  iova advise --out advice          and write the files that make it last, into a
                                    new directory
  iova advise --format json day.iova
  iova advise --for fleet *.iova --out fleet
                                    what to set on many hosts, a directory of files
                                    for each group of hosts that are alike
  iova advise --for distro *.iova *.json --known edu36.json=36
                                    what a distribution asks before it changes a
                                    default: how often space runs out, what high
                                    addresses cost and save, how safe they are,
                                    how often iova verify is wrong, what the list
                                    touches; each answer with its files

Each piece of advice is one setting: why, what it should bring as an interval,
what it may break, how to take it back, and how sure it is. Nothing on this host
is changed, and --out never writes into /etc: INSTALL in the new directory says
what to copy where. Measure under the usual load: an idle host needs nothing.

FILE is a recording, or JSON of iova report; for fleet and distro also of
iova report --compat and iova verify.

Exit codes: 0 done, 2 wrong usage, a host that cannot be measured, a file that
cannot be used, or a directory that is there already, 3 an internal error.";

/// Who is advised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Audience {
    /// Whoever runs one host
    #[default]
    Host,
    /// Whoever runs many hosts
    Fleet,
    /// Whoever decides on the defaults of a distribution
    Distro,
}

impl Audience {
    /// As the command line spells it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Fleet => "fleet",
            Self::Distro => "distro",
        }
    }
}

/// What is known about the device of a verification.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) file: PathBuf,
    pub(crate) bits: u8,
}

/// FILE=BITS.
fn known(text: &str) -> Result<Known, String> {
    let parts = text.rsplit_once('=').filter(|(file, _)| !file.is_empty());
    let bits = parts.and_then(|(_, bits)| bits.parse().ok()).filter(|bits| (1..=64).contains(bits));
    let (Some((file, _)), Some(bits)) = (parts, bits) else {
        return Err("write it as FILE=BITS, such as edu36.json=36, with 1 to 64 bits".to_owned());
    };
    Ok(Known { file: file.into(), bits })
}

#[derive(Debug, ClapArgs)]
pub(crate) struct AdviseArgs {
    /// Files to take instead of this host; for a host, each is judged by itself.
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Who is advised.
    #[arg(long = "for", value_name = "WHOM", default_value = "host")]
    pub(crate) audience: Audience,
    /// The device that this file of iova verify is about is known to keep so many bits [for distro].
    #[arg(long, value_name = "FILE=BITS", value_parser = known)]
    pub(crate) known: Vec<Known>,
    /// How long to measure: 10, 10s, 500ms, 2m [default: 30s].
    #[arg(long, value_name = "TIME", value_parser = duration::parse, conflicts_with = "files")]
    pub(crate) duration: Option<Duration>,
    /// Write the files that make it last into this new directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Output format.
    #[arg(long, default_value = "text")]
    pub(crate) format: Format,
}
