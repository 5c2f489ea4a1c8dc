//! `iova policy explain`.

use crate::commands::policy::Explanation;
use crate::render::text::page::{Page, Style};
use crate::render::text::short;
use iova_core::metric::Unit;

pub(in crate::render::text) fn write(page: &mut Page, explanation: &Explanation) {
    let plan = &explanation.plan;
    let now = plan.now.as_ref().map_or_else(|| "as it is".to_owned(), |now| now.policy.to_string());
    let words = [
        "iova policy explain".to_owned(),
        format!("{} {}", short(&plan.device), plan.name),
        format!("{now} -> {}", plan.policy),
    ];
    page.words(Style::Strong, &words);
    match &explanation.refused {
        Some(why) => page.wrapped(Style::Bad, "no: ", why),
        None => page.line(Style::Good, "it would be done; nothing was changed"),
    }
    if let Some(listed) = &plan.listed {
        page.wrapped(Style::Plain, "list: ", listed);
    }
    list(page, "changes", &plan.changes);
    list(page, "what a revert leaves", &plan.lasting);
    if !plan.hazards.is_empty() {
        page.section("hazards");
        for hazard in &plan.hazards {
            page.put(Style::of(hazard.severity), &format!("{:<9}", hazard.severity.name()));
            page.wrapped(Style::Plain, "", &hazard.text);
        }
    }
    low_space(page, explanation);
}

fn list(page: &mut Page, title: &str, sentences: &[String]) {
    if sentences.is_empty() {
        return;
    }
    page.section(title);
    for sentence in sentences {
        page.wrapped(Style::Plain, "  ", sentence);
    }
}

fn low_space(page: &mut Page, explanation: &Explanation) {
    let Some(low) = &explanation.plan.low_space else { return };
    page.section("space below 4 GiB now");
    let bytes = |bytes: u64| Unit::Bytes.render(Some(bytes as f64));
    let items = [
        ("usable", low.capacity_bytes),
        ("mapped", low.live_bytes),
        ("cached", low.cached_bytes),
        ("pending", low.pending_bytes),
        ("held", low.held_bytes),
        ("free", low.free_bytes),
    ];
    let mut items: Vec<String> =
        items.iter().map(|(name, count)| format!("{name} {}", bytes(*count))).collect();
    items.push(format!("in use above {}", bytes(low.high_bytes)));
    page.items("  ", &items);
}
