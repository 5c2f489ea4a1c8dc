//! A picture with its axes. Words are HTML, so that they keep their size in any width; what is drawn is stretched.

use super::scale::Tick;
use super::write::Html;

/// Height of a drawing in its own units.
pub(super) const HEIGHT: f64 = 100.0;

/// Everything around a drawing.
pub(super) struct Plot<'a> {
    /// What the script knows it by.
    pub(super) kind: &'static str,
    pub(super) title: &'a str,
    /// What rows, columns and colours mean.
    pub(super) note: &'a str,
    /// In rem.
    pub(super) height: f64,
    /// From the bottom.
    pub(super) y: &'a [Tick],
    pub(super) x: &'a [Tick],
    /// Names of lines, where these end.
    pub(super) ends: &'a [(f64, &'static str)],
}

impl Plot<'_> {
    pub(super) fn write(&self, html: &mut Html, data: &[(&'static str, &str)], draw: impl FnOnce(&mut Html)) {
        let mut attributes = vec![("class", "plot"), ("data-plot", self.kind)];
        attributes.extend(data);
        html.open("figure", &attributes);
        html.raw("<figcaption><b>");
        html.text(self.title);
        html.raw("</b> ");
        html.text(self.note);
        html.raw("</figcaption>");
        html.open("div", &[("class", "frame"), ("style", &format!("--h:{}rem", self.height))]);
        html.raw("<div class=y>");
        self.y.iter().for_each(|(place, text)| label(html, "bottom", *place, "", text));
        html.raw("</div><div class=area>");
        if !matches!(self.kind, "heat" | "difference" | "map" | "events") {
            for (place, _) in self.y {
                html.element("i", &[("style", &format!("bottom:{:.2}%", place * 100.0))], "");
            }
        }
        html.raw("<div class=layer>");
        draw(html);
        html.raw("</div></div><div class=e>");
        apart(self.ends).iter().for_each(|(place, text)| label(html, "bottom", *place, text, text));
        html.raw("</div><div class=x><div class=layer>");
        self.x.iter().for_each(|(place, text)| label(html, "left", *place, inwards(*place), text));
        html.raw("</div></div></div></figure>\n");
    }
}

/// What stands at an end of an axis keeps to the inside.
fn inwards(place: f64) -> &'static str {
    match place {
        ..0.02 => "first",
        0.95.. => "last",
        _ => "",
    }
}

fn label(html: &mut Html, side: &str, place: f64, class: &str, text: &str) {
    html.element("span", &[("class", class), ("style", &format!("{side}:{:.2}%", place * 100.0))], text);
}

/// The same places, but far enough from each other to be read.
fn apart(ends: &[(f64, &'static str)]) -> Vec<(f64, &'static str)> {
    const LINE: f64 = 0.11;
    let mut ends = ends.to_vec();
    ends.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut least = f64::MIN;
    for (place, _) in &mut ends {
        *place = place.max(least);
        least = *place + LINE;
    }
    // Nothing sticks out at the top.
    let over = (least - LINE - 1.0).max(0.0);
    ends.iter().map(|(place, name)| ((place - over).max(0.0), *name)).collect()
}

/// A drawing of so many columns.
pub(super) fn svg(html: &mut Html, columns: usize, draw: impl FnOnce(&mut Html)) {
    let view = format!("0 0 {} {HEIGHT}", columns.max(1));
    html.open("svg", &[("viewBox", &view), ("preserveAspectRatio", "none"), ("aria-hidden", "true")]);
    draw(html);
    html.raw("</svg>");
}

/// A line of steps through shares of the height, one per column; with gaps where there is no value.
pub(super) fn steps(values: &[Option<f64>]) -> String {
    trace(values, |path, x, y| path.push_str(&format!("M{x} {y}")), |_| {})
}

/// The same, filled down to the ground.
pub(super) fn filled(values: &[Option<f64>]) -> String {
    let ground = HEIGHT as i64;
    trace(
        values,
        |path, x, y| path.push_str(&format!("M{x} {ground}V{y}")),
        |path| path.push_str(&format!("V{ground}z")),
    )
}

fn trace(
    values: &[Option<f64>],
    begin: impl Fn(&mut String, usize, i64),
    end: impl Fn(&mut String),
) -> String {
    let y = |share: f64| ((1.0 - share.clamp(0.0, 1.0)) * HEIGHT).round() as i64;
    let heights: Vec<Option<i64>> = values.iter().map(|value| value.map(y)).collect();
    let (mut path, mut x, mut before) = (String::new(), 0, None);
    for run in heights.chunk_by(|a, b| a == b) {
        match (before, run.first().copied().flatten()) {
            (None, Some(now)) => begin(&mut path, x, now),
            (Some(before), Some(now)) => path.push_str(&format!("v{}", now - before)),
            (Some(_), None) => end(&mut path),
            (None, None) => {}
        }
        before = run.first().copied().flatten();
        if before.is_some() {
            path.push_str(&format!("h{}", run.len()));
        }
        x += run.len();
    }
    if before.is_some() {
        end(&mut path);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_a_step_per_change_and_gaps() {
        let values = [Some(0.0), Some(0.0), Some(0.5), None, Some(1.0)];
        assert_eq!(steps(&values), "M0 100h2v-50h1M4 0h1");
        assert_eq!(filled(&values), "M0 100V100h2v-50h1V100zM4 100V0h1V100z");
        assert_eq!(steps(&[None, None]), "");
    }

    #[test]
    fn names_of_lines_do_not_cover_each_other() {
        let places = apart(&[(0.99, "max"), (0.98, "p99"), (0.5, "p50")]);
        let names: Vec<_> = places.iter().map(|(_, name)| *name).collect();
        assert_eq!(names, ["p50", "p99", "max"]);
        assert!(places.windows(2).all(|pair| pair[1].0 - pair[0].0 > 0.1), "{places:?}");
        assert!(places.iter().all(|(place, _)| (0.0..=1.0).contains(place)));
    }
}
