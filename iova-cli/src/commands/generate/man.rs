//! Manual pages of the text that `--help` shows.

use clap::Command;
use clap::builder::Resettable;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};
use std::io;

/// The section for what users call.
const SECTION: &str = "1";

/// Where a paragraph of a help text goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Notes,
    Examples,
    ExitStatus,
}

/// In the order in which manual pages have them.
const PARTS: [(Part, &str); 3] =
    [(Part::Notes, "NOTES"), (Part::Examples, "EXAMPLES"), (Part::ExitStatus, "EXIT STATUS")];

/// File name and text of a page for each command, that of `iova` first.
pub(super) fn pages(command: Command) -> io::Result<Vec<(String, String)>> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    add(&command, None, &mut pages)?;
    Ok(pages)
}

fn add(command: &Command, parent: Option<&str>, pages: &mut Vec<(String, String)>) -> io::Result<()> {
    pages.push((format!("{}.{SECTION}", name(command)), page(command, parent)?));
    shown(command).try_for_each(|below| add(below, Some(name(command)), pages))
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|below| !below.is_hide_set())
}

/// `iova-policy-try`.
fn name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

fn page(command: &Command, parent: Option<&str>) -> io::Result<String> {
    let help = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    // The generator would run examples together into a paragraph; the version stands at the foot of the page.
    let bare = command.clone().after_long_help(Resettable::Reset).version(Resettable::Reset);
    let man = Man::new(bare).section(SECTION).source(concat!("iova ", env!("CARGO_PKG_VERSION")));
    let mut page = Vec::new();
    man.render(&mut page)?;
    let mut rest = Roff::new();
    for (part, title) in PARTS {
        section(&mut rest, title, &paragraphs(&help, part));
    }
    see_also(&mut rest, command, parent);
    page.extend(rest.to_roff().into_bytes());
    String::from_utf8(page).map_err(io::Error::other)
}

/// The paragraphs of a part, without its heading.
fn paragraphs(help: &str, wanted: Part) -> Vec<&str> {
    let all = help.split("\n\n").map(|text| {
        let text = text.trim_end();
        if let Some(rest) = text.strip_prefix("Examples:\n") {
            (Part::Examples, rest)
        } else if let Some(rest) =
            text.strip_prefix("Exit codes:\n").or_else(|| text.strip_prefix("Exit codes: "))
        {
            (Part::ExitStatus, rest)
        } else {
            (Part::Notes, text)
        }
    });
    all.filter(|(part, text)| *part == wanted && !text.is_empty()).map(|(_, text)| text).collect()
}

fn section(roff: &mut Roff, title: &str, paragraphs: &[&str]) {
    if paragraphs.is_empty() {
        return;
    }
    roff.control("SH", [title]);
    for (index, paragraph) in paragraphs.iter().enumerate() {
        if index > 0 {
            roff.control("PP", []);
        }
        lines(roff, paragraph);
    }
}

/// What is indented stays as it is; everything else is filled.
fn lines(roff: &mut Roff, paragraph: &str) {
    let mut kept = false;
    for line in paragraph.lines() {
        let indented = line.starts_with(' ');
        if indented != kept {
            roff.control(if indented { "nf" } else { "fi" }, []);
            kept = indented;
        }
        roff.text([roman(line)]);
    }
    if kept {
        roff.control("fi", []);
    }
}

fn see_also(roff: &mut Roff, command: &Command, parent: Option<&str>) {
    let names: Vec<&str> = parent.into_iter().chain(shown(command).map(name)).collect();
    if names.is_empty() {
        return;
    }
    roff.control("SH", ["SEE ALSO"]);
    let last = names.len() - 1;
    let each = names.iter().enumerate().flat_map(|(index, name)| {
        let end = if index == last { ")" } else { "), " };
        [bold(*name), roman(format!("({SECTION}{end}"))]
    });
    roff.text(each.collect::<Vec<Inline>>());
}
