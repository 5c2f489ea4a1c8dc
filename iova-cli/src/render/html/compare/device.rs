//! One device in both measurements.

use super::super::heat::{self, Looks};
use super::super::scale;
use super::super::series::Series;
use super::super::write::Html;
use super::super::{Run, device::width, time};
use super::difference;
use crate::render::text::{title, value};
use iova_core::metric::{self, Scope, Unit};
use iova_core::model::Device;
use iova_core::model::story::Story;

/// Metrics that are compared, and whether less is better.
const COMPARED: [(&str, bool); 14] = [
    ("alloc.count", false),
    ("alloc.per_second", false),
    ("alloc.latency_ns.p50", true),
    ("alloc.latency_ns.p90", true),
    ("alloc.latency_ns.p99", true),
    ("alloc.latency_ns.p999", true),
    ("alloc.latency_ns.max", true),
    ("alloc.latency_ns.mean", true),
    ("alloc.slow_ratio", true),
    ("alloc.sac_failed", true),
    ("alloc.failed", true),
    ("policy.effective_high_ratio", false),
    ("low_space.pressure", true),
    ("faults.count", true),
];

/// A device in a run.
pub(super) type Seen<'a> = (&'a Run<'a>, &'a Device);

pub(super) fn write(html: &mut Html, a: Seen<'_>, b: Seen<'_>, index: usize, looks: &Looks) {
    html.open("section", &[("class", "device"), ("id", &format!("d{index}"))]);
    html.element("h2", &[], &title(b.1));
    let name = if a.1.name == b.1.name { b.1.name.clone() } else { format!("{} · {}", a.1.name, b.1.name) };
    html.paragraph("identity", &name);
    html.raw("<div class=\"end changes\">");
    changes(html, a.1, b.1);
    difference::of_all(html, &a.1.alloc.latency_ns, &b.1.alloc.latency_ns);
    html.raw("</div>\n");
    over_time(html, a, b, looks);
    html.raw("</section>\n");
}

fn changes(html: &mut Html, a: &Device, b: &Device) {
    html.raw("<table><thead><tr><th>metric<th class=n>A<th class=n>B<th class=n>change</tr></thead><tbody>");
    for (name, less_is_better) in COMPARED {
        let Some(metric) = metric::find(Scope::Device, name) else { continue };
        let (before, now) = (metric.of_device(a), metric.of_device(b));
        html.raw("<tr>");
        html.element("td", &[("title", metric.definition)], name);
        [a, b].iter().for_each(|device| html.element("td", &[("class", "n")], &value(device, name)));
        let class = match (before, now) {
            (Some(before), Some(now)) if less_is_better && now > before => "n worse",
            (Some(before), Some(now)) if less_is_better && now < before => "n better",
            _ => "n",
        };
        html.element("td", &[("class", class)], &change(metric.unit, before, now));
        html.raw("</tr>\n");
    }
    html.raw("</tbody></table>\n");
}

/// Of shares in points, of all else in percent.
fn change(unit: Unit, before: Option<f64>, now: Option<f64>) -> String {
    let (Some(before), Some(now)) = (before, now) else { return "-".to_owned() };
    match unit {
        _ if before == now => "=".to_owned(),
        Unit::Ratio => format!("{} points", difference::points(now - before)),
        _ if before == 0.0 => "new".to_owned(),
        _ => {
            let percent = (now / before - 1.0) * 100.0;
            if percent.abs() < 999.5 { format!("{percent:+.1}%") } else { format!("x{:.0}", now / before) }
        }
    }
}

fn over_time(html: &mut Html, a: Seen<'_>, b: Seen<'_>, looks: &Looks) {
    let series = |(run, device): Seen<'_>| Series::of(run.story, device);
    let (Some(in_a), Some(in_b)) = (series(a), series(b)) else {
        html.raw("<p class=note>No intervals were kept of one of them.</p>\n");
        return;
    };
    // One scale for both.
    let rows = heat::rows(in_a.latency.iter().chain(&in_b.latency));
    let most = in_a.most().max(in_b.most());
    html.raw("<div class=pair>\n");
    for (axis, side, series, (run, device)) in [("0", "A", &in_a, a), ("1", "B", &in_b, b)] {
        html.open("div", &[("data-axis", axis)]);
        html.element("h3", &[], side);
        let x = scale::times(run.story.columns());
        time::rate(html, series, most, &x);
        if let Some(rows) = rows {
            heat::write(html, series, rows, &x, looks, &width(run.story));
        }
        space(html, run.story, device, &x);
        html.raw("</div>\n");
    }
    html.raw("</div>\n");
    if let Some(rows) = rows {
        difference::over_time(html, &in_a, &in_b, rows);
    }
}

fn space(html: &mut Html, story: &Story, device: &Device, x: &[scale::Tick]) {
    if let Some(space) = device.iovad.and_then(|iovad| story.space(iovad)) {
        time::space(html, space, story.columns().len(), x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_says_how_much() {
        let ns = |before, now| change(Unit::Nanoseconds, Some(before), Some(now));
        assert_eq!(
            (ns(100.0, 112.0), ns(100.0, 40.0), ns(100.0, 100.0)),
            ("+12.0%".into(), "-60.0%".into(), "=".into())
        );
        assert_eq!((ns(0.0, 4.0), ns(10.0, 900.0)), ("new".into(), "x90".into()));
        assert_eq!(change(Unit::Ratio, Some(0.10), Some(0.125)), "+2.5 points");
        assert_eq!(change(Unit::Count, None, Some(1.0)), "-");
    }
}
