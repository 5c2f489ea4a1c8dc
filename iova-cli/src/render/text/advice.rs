//! `iova advise`: what to set, best first.

use super::page::{Page, Style};
use crate::commands::advise::{AdviceList, HostAdvice};
use iova_core::advise::{Advice, Setting};
use iova_core::metric::{self, Scope};

pub(super) fn write(page: &mut Page, list: &AdviceList) {
    for (index, host) in list.hosts.iter().enumerate() {
        if index > 0 {
            page.blank();
        }
        let file = host.file.as_ref().map(|file| format!("{file}: ")).unwrap_or_default();
        page.line(
            Style::Strong,
            &format!("{file}{}, kernel {}, {:.0} s measured", host.host, host.kernel, host.duration_s),
        );
        host.advice.iter().for_each(|advice| one(page, advice));
        lasting(page, host);
    }
}

fn one(page: &mut Page, advice: &Advice) {
    page.blank();
    page.put(Style::Strong, advice.id);
    page.put(Style::Plain, "  ");
    page.line(Style::Plain, &advice.setting.words());
    page.wrapped(Style::Plain, "  ", &advice.text);
    if let Some(gain) = &advice.gain {
        let show = |value| metric::render(Scope::Device, gain.metric, Some(value));
        let interval = format!(
            "{} from {} to {}..{}: {}",
            gain.metric,
            show(gain.now),
            show(gain.best),
            show(gain.worst),
            gain.how
        );
        page.wrapped(Style::Plain, "  gain      ", &interval);
    }
    page.wrapped(Style::Plain, "  sure      ", &format!("{}: {}", advice.sure.name(), advice.why));
    for (index, command) in advice.now.iter().enumerate() {
        page.wrapped(Style::Plain, if index == 0 { "  now       " } else { "            " }, command);
    }
    if let Some(risk) = &advice.risk {
        page.wrapped(Style::Plain, "  risk      ", risk);
    }
    if advice.setting != Setting::Nothing {
        page.wrapped(Style::Plain, "  back      ", &advice.revert);
    }
}

/// Where it is written down.
fn lasting(page: &mut Page, host: &HostAdvice) {
    let places = &host.places;
    if places.install.is_empty() {
        return;
    }
    page.section("TO MAKE IT LAST (--out DIR writes the files)");
    for file in &places.files {
        page.line(Style::Plain, &format!("/{}", file.path));
        file.text.lines().for_each(|line| page.line(Style::Plain, &format!("  {line}")));
    }
    places.install.iter().for_each(|line| page.wrapped(Style::Plain, "do    ", line));
    places.remove.iter().for_each(|line| page.wrapped(Style::Plain, "undo  ", line));
}
