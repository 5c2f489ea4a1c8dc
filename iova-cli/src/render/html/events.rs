//! Rare events: when there were how many, and what they were.

use super::colour::differences;
use super::heat;
use super::image::Image;
use super::plot::Plot;
use super::scale::Tick;
use super::write::Html;
use crate::render::items;
use iova_core::metric::Unit;
use iova_core::model::story::DeviceStory;
use iova_core::sample::What;

/// The name of a kind of event, short enough for an axis.
fn short(what: &What) -> &'static str {
    match what {
        What::SacFailed { .. } => "SAC fail",
        What::FellBack { .. } => "fell back",
        What::AllocFailed { .. } => "no addr.",
        What::CacheFlush => "flush",
        What::Fault { .. } => "fault",
        What::SlowCall { .. } | What::DeviceGone | What::DeviceNew => "-",
    }
}

/// The colour of a count: those of more, and half as many as for calls.
fn level(count: u64) -> u8 {
    heat::level(count).div_ceil(2)
}

/// A lane per kind; below, in words.
pub(super) fn write(html: &mut Html, device: &DeviceStory, columns: usize, start_ns: u64, x: &[Tick]) {
    let kinds = device.happened.len();
    if kinds == 0 {
        return;
    }
    let ramp = differences();
    let palette: Vec<_> = ramp.iter().take(1).chain(ramp.iter().skip(1 + ramp.len() / 2)).copied().collect();
    let mut image = Image::new(columns, kinds, &palette);
    let mut y: Vec<Tick> = Vec::new();
    for (lane, kind) in device.happened.iter().enumerate() {
        y.push((1.0 - (lane as f64 + 0.5) / kinds as f64, short(&kind.all.last).to_owned()));
        kind.columns.iter().for_each(|(column, count)| image.set(*column as usize, lane, level(*count)));
    }
    let note = "told one by one, per interval; pale: once, dark: often. There may have been more";
    let plot =
        Plot { kind: "events", title: "Rare events", note, height: 1.2 * kinds as f64, y: &y, x, ends: &[] };
    let names: Vec<&str> = y.iter().map(|(_, name)| name.as_str()).collect();
    plot.write(html, &[("data-kinds", &names.join("|"))], |html| {
        image.draw(html, "px", "rare events over time")
    });
    words(html, device, start_ns);
}

fn words(html: &mut Html, device: &DeviceStory, start_ns: u64) {
    let since = |ns: u64| Unit::Seconds.render(Some(ns.saturating_sub(start_ns) as f64 / 1e9));
    let rows = device.happened.iter().map(|kind| {
        let count = Unit::Count.render(Some(kind.all.count as f64));
        let what = items::incident(&kind.all.last, kind.all.sizes);
        vec![short(&kind.all.last).to_owned(), count, since(kind.first_ns), since(kind.all.ns), what]
    });
    let head = ["event", "told", "first", "last", "what (the last one)"];
    html.figures_and_words(&head, &rows.collect::<Vec<_>>());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_has_a_colour() {
        let colours = differences().len() / 2;
        assert_eq!((level(0), level(1)), (0, 1));
        assert!(usize::from(level(u64::MAX)) <= colours, "{}", level(u64::MAX));
    }
}
