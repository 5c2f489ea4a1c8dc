//! One device: what it did over time, and how it stood at the end.

use super::colour::CELLS;
use super::heat::{self, Looks};
use super::image::Image;
use super::plot::Plot;
use super::scale::{self, Tick};
use super::series::Series;
use super::write::Html;
use super::{Run, colour, events, exact, time};
use crate::render::items;
use crate::render::low_map::cells;
use crate::render::text::{identity, title, value};
use iova_core::metric::Unit;
use iova_core::model::story::Story;
use iova_core::model::{Device, Domain, Report};

/// Figures at the top of a block.
const FIGURES: [(&str, &str); 8] = [
    ("allocs/s", "alloc.per_second"),
    ("p50", "alloc.latency_ns.p50"),
    ("p99", "alloc.latency_ns.p99"),
    ("max", "alloc.latency_ns.max"),
    ("slow", "alloc.slow_ratio"),
    ("SAC failed", "alloc.sac_failed"),
    ("high", "policy.effective_high_ratio"),
    ("32-bit in use", "low_space.pressure"),
];

pub(super) fn write(html: &mut Html, run: Run<'_>, device: &Device, index: usize, looks: &Looks) {
    let Run { report, story, .. } = run;
    html.open("section", &[("class", "device"), ("id", &format!("d{index}")), ("data-axis", "0")]);
    html.element("h2", &[], &title(device));
    html.paragraph("identity", &identity(report, device).join(" · "));
    figures(html, device);
    over_time(html, story, device, looks);
    at_the_end(html, report, device);
    exact::write(html, run, device);
    html.raw("</section>\n");
}

fn figures(html: &mut Html, device: &Device) {
    html.raw("<ul class=figures>");
    for (name, metric) in FIGURES {
        html.open("li", &[("title", metric)]);
        html.element("span", &[], name);
        html.text(" ");
        html.element("b", &[], &value(device, metric));
        html.raw("</li>");
    }
    html.raw("</ul>\n");
}

fn over_time(html: &mut Html, story: &Story, device: &Device, looks: &Looks) {
    let columns = story.columns();
    let x = scale::times(columns);
    if columns.is_empty() {
        html.raw("<p class=note>No intervals were kept: this shows the end alone.</p>\n");
    }
    html.raw("<div class=time>\n");
    if let Some((own, series)) = story.device(&device.bdf).zip(Series::of(story, device)) {
        time::rate(html, &series, series.most(), &x);
        match heat::rows(series.latency.iter()) {
            Some(rows) => heat::write(html, &series, rows, &x, looks, &width(story)),
            None => html.raw("<p class=note>No allocation was timed.</p>\n"),
        }
        let start = columns.first().map_or(0, |column| column.from_ns);
        events::write(html, own, columns.len(), start, &x);
    }
    if let Some(space) = device.iovad.and_then(|iovad| story.space(iovad)).filter(|_| !columns.is_empty()) {
        time::space(html, space, columns.len(), &x);
    }
    html.raw("</div>\n");
}

/// What a column is.
pub(super) fn width(story: &Story) -> String {
    match story.intervals_per_column() {
        1 => "interval".to_owned(),
        several => format!("{several} intervals"),
    }
}

fn at_the_end(html: &mut Html, report: &Report, device: &Device) {
    let domain = report.domain_of(device);
    html.raw("<div class=end>\n");
    sizes(html, device, items::granule(domain));
    if let Some(domain) = domain.filter(|domain| domain.space.granule > 0) {
        map(html, report, domain);
    }
    html.raw("</div>\n");
}

fn sizes(html: &mut Html, device: &Device, granule: u64) {
    if device.alloc.by_order.is_empty() {
        return;
    }
    let all = device.alloc.count.max(1) as f64;
    html.raw("<figure class=sizes><figcaption><b>Sizes</b> allocations, rounded up to powers of two</figcaption><table>");
    for entry in &device.alloc.by_order {
        let share = entry.count as f64 / all;
        html.raw("<tr>");
        html.element("th", &[("scope", "row")], &items::size(granule, entry.order));
        html.raw("<td class=bar>");
        html.element("i", &[("style", &format!("width:{:.2}%", (share * 100.0).max(0.4)))], "");
        html.raw("</td>");
        html.element("td", &[("class", "n")], &Unit::Count.render(Some(entry.count as f64)));
        html.element("td", &[("class", "n")], &Unit::Ratio.render(Some(share)));
        html.raw("</tr>");
    }
    html.raw("</table></figure>\n");
}

/// The map of the space as it was last seen.
fn map(html: &mut Html, report: &Report, domain: &Domain) {
    const ACROSS: usize = 256;
    let pixels = cells(&domain.space, ACROSS).into_iter().map(colour::cell).collect();
    let palette = CELLS.map(|(_, _, colour)| colour);
    let image = Image { width: ACROSS, pixels, palette: &palette };
    let x: Vec<Tick> = [0, 1, 2, 3, 4]
        .map(|gib| (f64::from(gib) / 4.0, if gib == 0 { "0".into() } else { format!("{gib} GiB") }))
        .into();
    let others: Vec<String> = report.devices_of(domain).map(title).collect();
    let shared = if others.len() > 1 { format!(", shared by {}", others.join(", ")) } else { String::new() };
    let unsure =
        if domain.consistency == Some("approximate") { " ~ it changed while it was read" } else { "" };
    let note = format!("as last seen, 16 MiB per cell{shared}{unsure}");
    let plot = Plot {
        kind: "strip",
        title: "Space below 4 GiB",
        note: &note,
        height: 1.6,
        y: &[],
        x: &x,
        ends: &[],
    };
    html.raw("<div class=space>");
    plot.write(html, &[], |html| image.draw(html, "px", "map of the space below 4 GiB"));
    let lines = [
        ("", items::holders(domain)),
        ("", items::use_of_space(domain)),
        ("flush queue: ", items::flush_queue(domain)),
        ("free aligned blocks: ", items::scarce(domain)),
        ("cached: ", items::cached(domain)),
    ];
    for (name, items) in lines.iter().filter(|(_, items)| !items.is_empty()) {
        html.paragraph("items", &format!("{name}{}", items.join(", ")));
    }
    html.raw("</div>");
}

/// What the colours mean, and what the script needs to read them.
pub(super) fn legend(html: &mut Html, looks: &Looks, stories: &[&Story]) {
    html.raw("<section id=colours><h2>Over time</h2>\n<div class=legends>");
    if looks.most > 0 {
        html.raw("<p class=legend><span>timed calls per cell</span> <span>1</span> ");
        let levels = looks.palette.len().saturating_sub(1);
        let pixels = (1..=levels).map(|level| level as u8).collect();
        let image = Image { width: levels, pixels, palette: &looks.palette };
        image.draw(html, "px ramp", "from pale to dark");
        html.text(&format!(
            " {} (logarithmic, the same for all devices)",
            Unit::Count.render(Some(looks.most as f64))
        ));
        html.raw("</p>");
    }
    time::legend(html);
    html.raw("</div></section>\n");
    let list = |colours: &mut dyn Iterator<Item = colour::Rgb>| {
        colours.map(colour::hex).collect::<Vec<_>>().join(" ")
    };
    let counts = list(&mut looks.palette.iter().copied());
    let held = list(&mut CELLS.iter().map(|(_, _, colour)| *colour));
    let names = CELLS.map(|(_, name, _)| name).join("|");
    let differences =
        if stories.len() > 1 { list(&mut colour::differences().into_iter()) } else { String::new() };
    html.element(
        "div",
        &[
            ("id", "read"),
            ("hidden", "hidden"),
            ("data-counts", &counts),
            ("data-cells", &held),
            ("data-names", &names),
            ("data-differences", &differences),
        ],
        "",
    );
    for story in stories {
        let ends = story.columns().iter().map(|column| (column.seconds() * 1000.0).round().to_string());
        let ends: Vec<String> = ends.collect();
        html.element("div", &[("class", "axis"), ("hidden", "hidden"), ("data-ms", &ends.join(" "))], "");
    }
}

/// Busy devices without pictures.
pub(super) fn left_out(html: &mut Html, report: &Report, pictured: &[&Device]) {
    let missing = report.devices.iter().filter(|device| device.active()).count() - pictured.len();
    if missing > 0 {
        html.paragraph(
            "note",
            &format!("{missing} more active devices are in the table alone: see --device."),
        );
    }
}
