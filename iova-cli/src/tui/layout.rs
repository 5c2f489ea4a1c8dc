//! Where things are on the screen, in cells: what draws them and what a click means both ask here.

use super::columns::{COLUMNS, COUNT};

/// Lines above the body.
pub(crate) const HEAD: u16 = 2;
/// The line of keys below it.
pub(crate) const FOOT: u16 = 1;
/// Names of the fields in front of the figures and behind them, with their widths.
const DEVICE: u16 = 12;
const NAME: u16 = 12;
const DRIVER: u16 = 10;
const POLICY: u16 = 14;
/// From this width on, findings stand beside the table.
const BESIDE: u16 = 170;
/// Between table and findings.
const BETWEEN: u16 = 2;
/// What the chooser of columns takes at the right.
const CHOOSER: u16 = 46;

/// Lines for the explanation of one column, with the gap above it.
const EXPLAINED: u16 = 5;

/// A rectangle in cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Area {
    pub(crate) x: u16,
    pub(crate) y: u16,
    pub(crate) width: u16,
    pub(crate) height: u16,
}

impl Area {
    /// The place inside, counted from its corner.
    pub(crate) fn inside(self, x: u16, y: u16) -> Option<(u16, u16)> {
        let (x, y) = (x.checked_sub(self.x)?, y.checked_sub(self.y)?);
        (x < self.width && y < self.height).then_some((x, y))
    }
}

/// What a column of the table shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Device,
    Name,
    Driver,
    /// Index of a column of figures.
    Figure(usize),
    Policy,
}

impl Field {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Name => "name",
            Self::Driver => "driver",
            Self::Figure(column) => COLUMNS.get(column).map_or("", |column| column.title),
            Self::Policy => "policy",
        }
    }

    /// The field with this title, or of the metric with this name.
    pub(crate) fn find(word: &str) -> Option<Self> {
        let names = [Self::Device, Self::Name, Self::Driver, Self::Policy];
        let name = names.into_iter().find(|field| field.title().eq_ignore_ascii_case(word));
        name.or_else(|| super::columns::find(word).map(Self::Figure))
    }
}

/// A field and where it is in the table's lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) field: Field,
    pub(crate) x: u16,
    pub(crate) width: u16,
}

/// The body of a screen of this size.
pub(crate) fn body((width, height): (u16, u16)) -> Area {
    Area { x: 0, y: HEAD, width, height: height.saturating_sub(HEAD + FOOT) }
}

/// The table and the findings in an overview of this size, when so many things are wrong.
pub(crate) fn overview(width: u16, height: u16, wrong: usize) -> (Area, Area) {
    if width >= BESIDE {
        let table = (u32::from(width) * 3 / 5) as u16;
        let x = table + BETWEEN;
        let findings = Area { x, y: 0, width: width - x, height };
        return (Area { x: 0, y: 0, width: table, height }, findings);
    }
    let below = if wrong == 0 { 1 } else { (height / 3).min(2 * wrong as u16 + 1) };
    let y = height.saturating_sub(below);
    (Area { x: 0, y: 0, width, height: y }, Area { x: 0, y, width, height: below })
}

/// The chooser of columns in a body of this size: its heading, then one column a line.
pub(crate) fn chooser(width: u16, height: u16) -> Area {
    let own = width.min(CHOOSER);
    Area { x: width - own, y: 0, width: own, height }
}

/// How many columns the chooser shows; below them is room to say what the one under the cursor is.
pub(crate) fn chooser_lines(chooser: Area) -> u16 {
    let below = if chooser.height > 2 * EXPLAINED { EXPLAINED } else { 0 };
    chooser.height.saturating_sub(1 + below).min(COUNT as u16)
}

/// The first of the lines to show, so that the cursor is among them and as little as possible moves.
pub(crate) fn first(before: usize, cursor: usize, room: usize) -> usize {
    before.min(cursor).max((cursor + 1).saturating_sub(room))
}

/// What fits of the table, from left to right. Of the figures those go first that matter least; the one that the table
/// is sorted by stays.
pub(crate) fn fields(width: u16, columns: &[usize], sorted: Field) -> Vec<Placed> {
    let mut fields = vec![];
    if width >= 60 {
        fields.push((Field::Device, DEVICE));
    }
    fields.push((Field::Name, NAME));
    if width >= 90 {
        fields.push((Field::Driver, DRIVER));
    }
    let names: u16 = fields.iter().map(|(_, width)| width + 1).sum();
    let policy = if width >= 60 { POLICY } else { 0 };
    fields.extend(figures(width.saturating_sub(names + policy), columns, sorted));
    if policy > 0 {
        fields.push((Field::Policy, POLICY));
    }
    let mut x = 0;
    let place = |(field, width)| {
        let placed = Placed { field, x, width };
        x += width + 1;
        placed
    };
    let mut fields: Vec<Placed> = fields.into_iter().map(place).collect();
    // A policy and its state can be long, and the rest of the line is free.
    if let Some(last) = fields.last_mut().filter(|last| last.field == Field::Policy) {
        last.width = width.saturating_sub(last.x);
    }
    fields
}

/// The figures that fit, in the order of `columns`.
fn figures(mut room: u16, columns: &[usize], sorted: Field) -> Vec<(Field, u16)> {
    let known = |&column: &usize| COLUMNS.get(column).map(|entry| (column, entry));
    let mut by_rank: Vec<_> = columns.iter().filter_map(known).enumerate().collect();
    by_rank.sort_by_key(|(_, (column, entry))| (Field::Figure(*column) != sorted, entry.rank));
    let mut fitting = Vec::new();
    for (place, (column, entry)) in by_rank {
        let Some(left) = room.checked_sub(entry.width + 1) else { break };
        room = left;
        fitting.push((place, (Field::Figure(column), entry.width)));
    }
    fitting.sort_unstable_by_key(|(place, _)| *place);
    fitting.into_iter().map(|(_, field)| field).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_table_is_sorted_by_is_shown_wherever_one_figure_fits() {
        let all: Vec<usize> = (0..COUNT).collect();
        for &sorted in &all {
            for width in 40..250 {
                let placed = fields(width, &all, Field::Figure(sorted));
                assert!(
                    placed.iter().any(|placed| placed.field == Field::Figure(sorted)),
                    "{sorted} {width}"
                );
                let figures = placed.iter().filter(|placed| matches!(placed.field, Field::Figure(_)));
                assert!(figures.clone().all(|placed| placed.x + placed.width <= width), "{sorted} {width}");
            }
        }
    }

    #[test]
    fn the_order_is_as_chosen() {
        let chosen = [12, 0, 4];
        let placed = fields(120, &chosen, Field::Device);
        let figures: Vec<_> = placed.iter().filter(|p| matches!(p.field, Field::Figure(_))).collect();
        assert_eq!(figures.iter().map(|p| p.field).collect::<Vec<_>>(), chosen.map(Field::Figure));
        assert!(figures.windows(2).all(|pair| pair[0].x + pair[0].width < pair[1].x));
    }

    #[test]
    fn lines_move_only_when_the_cursor_would_leave() {
        assert_eq!([first(0, 3, 5), first(0, 5, 5), first(4, 6, 5), first(4, 2, 5)], [0, 1, 4, 2]);
        assert_eq!(first(7, 0, 0), 1, "no room at all");
    }
}
