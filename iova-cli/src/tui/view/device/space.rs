//! The space of a device's domain: who holds which address, what still fits, and what waits in caches and queues.

use super::super::super::state::State;
use super::super::super::theme::Role;
use super::super::lines::{self, Line, line, paragraph};
use super::super::pen::Pen;
use super::super::strip::{self, UNREADABLE, readable};
use super::{Now, TWO_COLUMNS, now, seen};
use crate::render::bar::bar;
use crate::render::items;
use crate::render::low_map::LOW_END;
use iova_core::metric::{self, Scope, Unit};
use iova_core::model::{Domain, OrderCount};

/// The pane; says how far down it can be scrolled.
pub(super) fn draw(state: &State, bdf: &str, pen: &mut Pen<'_>) -> usize {
    let (width, height) = (pen.width(), pen.height());
    let now = now(state, bdf);
    let Some((now, domain)) = now.as_ref().and_then(|now| Some((now, now.domain?))) else {
        pen.put(0, 0, Role::Dim, UNREADABLE);
        return 0;
    };
    let y = match readable(Some(domain)) {
        Some(domain) => picture(state, domain, pen),
        // Counters and timers are known all the same.
        None => pen.wrap(0, 0, Role::Dim, UNREADABLE),
    };
    lists(state, now, domain, &mut pen.part(0, y, width, height.saturating_sub(y)))
}

/// The map with its bounds and its legend; says how many lines they take.
fn picture(state: &State, domain: &Domain, pen: &mut Pen<'_>) -> u16 {
    let (width, height) = (pen.width(), pen.height());
    // The lists below get what they need, if there is that much.
    let lines = (height / 9).max(height.saturating_sub(26) / 2).clamp(1, 8);
    heading(state, domain, lines, pen);
    bounds(state, &mut pen.part(0, 1, width, 1));
    strip::map(&domain.space, state.window.range(), lines, true, &mut pen.part(0, 2, width, 2 * lines));
    strip::legend(2 + 2 * lines, pen);
    3 + 2 * lines
}

fn lists(state: &State, now: &Now<'_>, domain: &Domain, pen: &mut Pen<'_>) -> usize {
    let (width, height, unicode) = (pen.width(), pen.height(), pen.theme.unicode);
    if width < TWO_COLUMNS {
        let mut all = figures(now, domain, width);
        all.extend(blocks(domain, width, unicode));
        return lines::draw(&all, state.scroll, pen);
    }
    let left = (width / 2).min(70);
    let blocks = blocks(domain, left, unicode);
    let figures = figures(now, domain, width - left - 2);
    let lower = lines::draw(&blocks, state.scroll, &mut pen.part(0, 0, left, height));
    lower.max(lines::draw(&figures, state.scroll, &mut pen.part(left + 2, 0, width - left - 2, height)))
}

fn heading(state: &State, domain: &Domain, lines: u16, pen: &mut Pen<'_>) {
    let window = state.window.range();
    let cells = u64::from(pen.width().max(1)) * u64::from(lines);
    let cell = Unit::Bytes.render(Some((window.end - window.start) as f64 / cells as f64));
    let text = format!("{}; a cell is {cell}, under it the longest gap", seen(state, Some(domain)));
    pen.put(0, 0, Role::Strong, &text);
}

/// First and last address that are shown, and between them where that is in the whole.
fn bounds(state: &State, pen: &mut Pen<'_>) {
    let (width, window) = (pen.width(), state.window.range());
    let x = pen.put(0, 0, Role::Plain, &format!("{:#010x} ", window.start));
    let last = format!(" {:#010x}", window.end - 1);
    let room = u64::from(width.saturating_sub(x + last.len() as u16));
    let at = |address: u64| address * room / LOW_END;
    let (on, off) = if pen.theme.unicode { ("━", "·") } else { ("=", ".") };
    for cell in 0..room {
        let inside = cell >= at(window.start) && cell <= at(window.end - 1);
        let (role, glyph) = if inside { (Role::Strong, on) } else { (Role::Dim, off) };
        pen.put(x + cell as u16, 0, role, glyph);
    }
    pen.put_right(width, 0, Role::Plain, &last);
}

/// What still fits, per order: a bar is how much of the free space is in blocks of at least that size.
fn blocks(domain: &Domain, width: u16, unicode: bool) -> Vec<Line> {
    if domain.aligned_blocks.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![line(Role::Strong, "free blocks, share of the free space")];
    if domain.low_space.held_bytes > Some(0) {
        lines.push(line(Role::Dim, "  few, because iova_policy holds the rest"));
    }
    let granule = items::granule(Some(domain));
    let free = domain.low_space.free_bytes.unwrap_or(0) as f64;
    let fits = |entry: &&OrderCount| entry.count > 0;
    let room = usize::from(width).saturating_sub(30);
    for entry in domain.aligned_blocks.iter().take_while(fits) {
        let bytes = entry.count as f64 * granule as f64 * 2_f64.powi(entry.order as i32);
        let share = if free > 0.0 { (bytes / free).min(1.0) } else { 0.0 };
        let count = Unit::Count.render(Some(entry.count as f64));
        let size = items::size(granule, entry.order);
        lines.push(vec![
            (Role::Plain, format!("{size:>9} {count:>11} {:>6} ", Unit::Ratio.render(Some(share)))),
            (Role::Live, bar(share, room, unicode)),
        ]);
    }
    if let Some(entry) = domain.aligned_blocks.iter().find(|entry| entry.count == 0) {
        let size = items::size(granule, entry.order);
        lines.push(line(Role::Bad, format!("{size:>9}           0 and none larger")));
    }
    lines
}

fn figures(now: &Now<'_>, domain: &Domain, width: u16) -> Vec<Line> {
    let value = |name: &str| {
        let value = metric::find(Scope::Device, name).and_then(|metric| metric.of_device(now.device));
        metric::render(Scope::Device, name, value)
    };
    let caches = [
        format!("hit rate {}", value("cache.hit_ratio")),
        format!("flushes of all CPUs' caches {}", value("cache.flushes")),
        format!("by the whole domain {}", metric::render_domain("cache_flushes", domain)),
    ];
    let mut lines = paragraph("use", &items::use_of_space(domain), width);
    lines.extend(paragraph("who holds it", &items::holders(domain), width));
    lines.extend(paragraph("shared with", &others(now, domain), width));
    lines.extend(paragraph("caches, in the last interval", &caches, width));
    lines.extend(paragraph("addresses in the caches", &items::cached(domain), width));
    lines.extend(paragraph("magazines in the depot", &items::depot(domain), width));
    lines.extend(paragraph("flush queue", &items::flush_queue(domain), width));
    lines
}

/// The other devices of the domain.
fn others(now: &Now<'_>, domain: &Domain) -> Vec<String> {
    let others = now.report.devices_of(domain).filter(|device| device.bdf != now.device.bdf);
    let names = others.map(|device| match device.functions.first() {
        Some(function) => format!("{} {function}", device.bdf),
        None => device.bdf.clone(),
    });
    let mut names: Vec<String> = names.collect();
    if names.is_empty() {
        names.push("no other device".to_owned());
    }
    names
}
