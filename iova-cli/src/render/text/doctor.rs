//! `iova doctor`: one line per ability; for what is lacking, what is lost and how to get it.

use super::page::{Page, Style};
use crate::commands::doctor::{Survey, Verdict};
use iova_core::doctor::{Ability, State};

pub(super) fn write(page: &mut Page, survey: &Survey) {
    let host = &survey.host;
    let iommu = host.iommu.as_deref().unwrap_or("no IOMMU");
    let kernel = format!("Linux {} {}", host.kernel, host.arch);
    page.words(Style::Strong, &["iova doctor".to_owned(), host.name.clone(), kernel, iommu.to_owned()]);
    page.blank();
    let width = survey.abilities.iter().map(|ability| ability.name.chars().count()).max().unwrap_or(0);
    for ability in &survey.abilities {
        one(page, ability, width);
    }
    page.blank();
    let (style, sentence) = match survey.verdict {
        Verdict::Ok => (Style::Good, "Everything that iova report uses works here."),
        Verdict::Limited => {
            (Style::Warn, "iova report works here; what is marked above will be missing in it.")
        }
        Verdict::Unusable => {
            (Style::Bad, "Nothing can be measured here, until what is marked missing above is mended.")
        }
    };
    page.wrapped(style, "", sentence);
}

fn one(page: &mut Page, ability: &Ability, width: usize) {
    let (style, word) = match ability.state {
        State::Ok => (Style::Good, "ok"),
        State::Limited => (Style::Warn, "limited"),
        State::Missing => (Style::Bad, "missing"),
    };
    page.put(style, &format!("{word:<8}"));
    page.wrapped(Style::Plain, &format!("{:<width$}  ", ability.name), &ability.found);
    for (label, text) in [("lost", &ability.lost), ("do", &ability.remedy)] {
        if !text.is_empty() {
            page.wrapped(Style::Plain, &format!("{:8}{label:<5} ", ""), text);
        }
    }
}
