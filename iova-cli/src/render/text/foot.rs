//! What has no value, and why.

use super::page::{Page, Style};
use iova_core::model::Report;

pub(super) fn write(page: &mut Page, report: &Report) {
    if report.quality.unknown.is_empty() {
        return;
    }
    page.section("NOT MEASURED (shown as \"-\" or left out)");
    for unknown in &report.quality.unknown {
        page.wrapped(Style::Plain, &format!("{}: ", unknown.metric), &unknown.why);
    }
}
