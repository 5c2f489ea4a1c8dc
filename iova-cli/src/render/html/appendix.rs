//! What has no value, how to read the pictures, and what every metric is.

use super::write::Html;
use iova_core::metric::{self, Scope, Unit};
use iova_core::model::Report;

pub(super) fn write(html: &mut Html, report: &Report) {
    html.raw("<section id=appendix><h2>Appendix</h2>\n");
    unknown(html, "Not measured", report);
    reading(html);
    html.raw(
        "<h3>Metrics</h3>\n<p class=note>Names are those of <code>iova report --format json</code>.</p>\n",
    );
    for (scope, title) in [
        (Scope::Report, "Of the report"),
        (Scope::Device, "Of each device"),
        (Scope::Domain, "Of each IOVA domain"),
    ] {
        definitions(html, scope, title);
    }
    html.raw("</section>\n");
}

/// That of a comparison.
pub(super) fn of_comparison(html: &mut Html, a: &Report, b: &Report) {
    html.raw("<section id=appendix><h2>Appendix</h2>\n");
    unknown(html, "Not measured in A", a);
    unknown(html, "Not measured in B", b);
    reading(html);
    definitions(html, Scope::Device, "Metrics of each device");
    html.raw("</section>\n");
}

fn unknown(html: &mut Html, title: &str, report: &Report) {
    if report.quality.unknown.is_empty() {
        return;
    }
    html.element("h3", &[], title);
    let rows = report.quality.unknown.iter().map(|unknown| vec![unknown.metric.clone(), unknown.why.clone()]);
    html.words(&["metric", "why"], &rows.collect::<Vec<_>>());
}

fn reading(html: &mut Html) {
    html.raw("<h3>How to read the pictures</h3>\n<p>A column is an interval, or several where a measurement is long: counts and ");
    html.raw("distributions are added then, and of the space the fullest state is kept. Columns are equally wide. ");
    html.raw("In the heatmap, colour is the number of timed calls on a logarithmic scale; a row begins at the latency ");
    html.raw("beside it and ends where the next begins. Percentiles follow the nearest rank and are at most 6.25 % off; ");
    html.raw("what hovering shows is rounded to 0.4 %, counts of a cell to 4.5 %, and is marked with ≈ then. In the map of ");
    html.raw(
        "the space, a cell shows what holds most of it; paler, if an eighth or more of it is free. What ",
    );
    html.raw("<code>iova_policy</code> holds looks live.</p>\n");
}

fn definitions(html: &mut Html, scope: Scope, title: &'static str) {
    html.element("h4", &[], title);
    let rows = metric::all().filter(|metric| metric.scope() == scope).map(|metric| {
        let what = format!("{} {}", metric.definition, metric.source);
        vec![metric.name.to_owned(), unit(metric.unit).to_owned(), what]
    });
    html.open("div", &[("class", "definitions")]);
    html.words(&["metric", "unit", "what it is, and how it is measured"], &rows.collect::<Vec<_>>());
    html.raw("</div>");
}

fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Count => "count",
        Unit::Bytes => "bytes",
        Unit::Nanoseconds => "ns",
        Unit::Seconds => "s",
        Unit::PerSecond => "per second",
        Unit::Ratio => "ratio",
        Unit::Bits => "bits",
        Unit::Number => "number",
    }
}
