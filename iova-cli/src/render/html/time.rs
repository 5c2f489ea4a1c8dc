//! What else is seen over time: allocations per second, and the space below 4 GiB.

use super::colour::{CELLS, cell};
use super::image::Image;
use super::plot::{Plot, filled, svg};
use super::scale::{Tick, linear};
use super::series::{Series, pack};
use super::write::Html;
use iova_core::metric::Unit;
use iova_core::model::story::{Look, SpaceStory};

/// `most`: what the scale has to have room for.
pub(super) fn rate(html: &mut Html, series: &Series, most: f64, x: &[Tick]) {
    let (top, y) = linear(most, Unit::PerSecond);
    let title = format!("{}Allocations per second", series.rate_mark);
    let plot = Plot { kind: "rate", title: &title, note: "", height: 4.0, y: &y, x, ends: &[] };
    plot.write(html, &[("data-rate", &pack(series.rate.iter().copied()))], |html| {
        svg(html, series.rate.len(), |html| {
            let shares: Vec<_> = series.rate.iter().map(|rate| rate.map(|rate| rate / top)).collect();
            html.element("path", &[("class", "rate"), ("d", &filled(&shares))], "");
        });
    });
}

/// The map over time, and how much of the space is in use.
pub(super) fn space(html: &mut Html, story: &SpaceStory, columns: usize, x: &[Tick]) {
    let looks: Vec<Option<&Look>> = held(story, columns);
    let height = story.looks.first().map_or(0, |look| look.cells.len());
    let palette = CELLS.map(|(_, _, colour)| colour);
    let mut image = Image::new(columns, height, &palette);
    for (column, look) in looks.iter().enumerate() {
        // The highest address is at the top.
        for (line, held) in look.iter().flat_map(|look| look.cells.iter().rev().enumerate()) {
            image.set(column, line, cell(*held));
        }
    }
    let y = [0, 1, 2, 3, 4]
        .map(|gib| (f64::from(gib) / 4.0, if gib == 0 { "0".into() } else { format!("{gib} GiB") }));
    let unsure = story.looks.iter().filter(|look| !look.stable).count();
    let unsure = if unsure > 0 { format!(", ~ {unsure} of them while it changed") } else { String::new() };
    let note =
        format!("64 MiB per cell; looked at {} times{unsure}, each shown until the next", story.looks.len());
    let plot = Plot {
        kind: "map",
        title: "Space below 4 GiB over time",
        note: &note,
        height: 9.0,
        y: &y,
        x,
        ends: &[],
    };
    plot.write(html, &[], |html| image.draw(html, "px", "map of the space over time"));
    in_use(html, &looks, x);
}

fn in_use(html: &mut Html, looks: &[Option<&Look>], x: &[Tick]) {
    let shares: Vec<Option<f64>> = looks.iter().map(|look| look.and_then(|look| look.pressure)).collect();
    let y = [0.0, 0.5, 1.0].map(|share| (share, Unit::Ratio.render(Some(share))));
    let title = "In use of what can be had below 4 GiB";
    let plot = Plot { kind: "use", title, note: "", height: 3.5, y: &y, x, ends: &[] };
    plot.write(html, &[("data-use", &pack(shares.iter().copied()))], |html| {
        svg(html, shares.len(), |html| {
            html.element("path", &[("class", "use"), ("d", &filled(&shares))], "");
        });
    });
}

/// The look that holds in each column.
fn held(story: &SpaceStory, columns: usize) -> Vec<Option<&Look>> {
    let mut looks = story.looks.iter().peekable();
    let mut now = None;
    (0..columns as u32)
        .map(|column| {
            while let Some(look) = looks.next_if(|look| look.column <= column) {
                now = Some(look);
            }
            now
        })
        .collect()
}

/// What the colours of the maps mean.
pub(super) fn legend(html: &mut Html) {
    html.raw("<p class=legend>");
    for (_, name, colour) in CELLS {
        let style = format!("background-color:{}", super::colour::hex(colour));
        let class = if name == "not read" { "sw px none" } else { "sw px" };
        html.raw("<span>");
        html.element("i", &[("class", class), ("style", &style)], "");
        html.text(name);
        html.raw("</span> ");
    }
    html.raw("</p>\n");
}
