//! What is on the screen, and what a key changes about it. Knows no terminal.

use super::chooser::Chooser;
use super::habits::{Habits, Palette, Sort};
use super::history::{History, Moment, Row};
use super::keys::{self, Action, Key, Place};
use super::layout::{self, Field, Placed};
use iova_core::model::Step;
use std::cmp::Ordering;

/// Rows that a page key moves.
pub(super) const PAGE: usize = 10;

/// Which screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Screen {
    Overview,
    /// One device, by its address.
    Device(String),
    Findings,
}

/// Everything.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) history: History,
    pub(crate) screen: Screen,
    pub(crate) help: bool,
    pub(crate) palette: Palette,
    /// Nothing on the host may be changed from here.
    pub(crate) read_only: bool,
    pub(crate) sort: Sort,
    /// The columns of figures that are shown, from left to right.
    pub(crate) columns: Vec<usize>,
    /// The list of all columns, while one chooses.
    pub(crate) chooser: Option<Chooser>,
    /// Columns and lines of the terminal.
    pub(crate) size: (u16, u16),
    /// The first device of the table that is shown.
    pub(crate) top: usize,
    pub(crate) filter: String,
    /// The filter is being typed.
    pub(crate) typing: bool,
    pub(crate) hide_idle: bool,
    /// Address of the device under the cursor.
    pub(crate) selected: Option<String>,
    /// Scrolled down so many lines, on screens without a cursor.
    pub(crate) scroll: usize,
    /// Held still so many steps before the newest.
    pub(crate) paused: Option<usize>,
    /// Why nothing new comes.
    pub(crate) trouble: Option<String>,
    pub(crate) over: bool,
}

impl Default for State {
    fn default() -> Self {
        Self::new(Habits::default(), false)
    }
}

impl State {
    pub(crate) fn new(habits: Habits, read_only: bool) -> Self {
        Self {
            history: History::default(),
            screen: Screen::Overview,
            help: false,
            palette: habits.palette,
            read_only,
            sort: habits.sort,
            columns: habits.columns,
            chooser: None,
            // Until the terminal has said how large it is, there is room for everything.
            size: (u16::MAX, u16::MAX),
            top: 0,
            filter: String::new(),
            typing: false,
            hide_idle: habits.hide_idle,
            selected: None,
            scroll: 0,
            paused: None,
            trouble: None,
            over: false,
        }
    }

    /// A new interval.
    pub(crate) fn push(&mut self, step: Step, own_cpu: Option<f64>) {
        self.history.push(step, own_cpu);
        // What is looked at stays where it is while the newest moves on.
        let last = self.history.len().saturating_sub(1);
        self.paused = self.paused.map(|back| (back + 1).min(last));
        self.trouble = None;
        if self.selected.is_none() {
            self.selected = self.rows().first().map(|row| row.who.bdf.clone());
        }
        self.keep_in_sight();
    }

    /// The terminal has this size now.
    pub(crate) fn resize(&mut self, size: (u16, u16)) {
        if self.size != size {
            self.size = size;
            self.keep_in_sight();
        }
    }

    pub(crate) fn place(&self) -> Place {
        match self.screen {
            _ if self.chooser.is_some() => Place::Columns,
            Screen::Overview => Place::Overview,
            Screen::Device(_) => Place::Device,
            Screen::Findings => Place::Findings,
        }
    }

    /// How many steps before the newest the screen shows.
    pub(crate) fn steps_back(&self) -> usize {
        self.paused.unwrap_or(0)
    }

    /// What the screen shows.
    pub(crate) fn moment(&self) -> Option<&Moment> {
        self.history.back(self.steps_back())
    }

    /// The devices in the order of the screen.
    pub(crate) fn rows(&self) -> Vec<&Row> {
        let Some(moment) = self.moment() else { return Vec::new() };
        let wanted = self.filter.to_lowercase();
        let mut rows: Vec<&Row> = moment.rows.iter().filter(|row| self.shows(row, &wanted)).collect();
        rows.sort_by(|a, b| {
            let order = ascending(self.sort.by, a, b);
            let order = if self.sort.descending { order.reverse() } else { order };
            order.then_with(|| a.who.bdf.cmp(&b.who.bdf))
        });
        rows
    }

    /// How many things are wrong.
    pub(crate) fn wrong(&self) -> usize {
        self.moment().map_or(0, |moment| moment.findings.len())
    }

    /// What the table shows in a place so wide.
    pub(crate) fn fields(&self, width: u16) -> Vec<Placed> {
        layout::fields(width, &self.columns, self.sort.by)
    }

    fn shows(&self, row: &Row, wanted: &str) -> bool {
        if self.hide_idle && !row.active {
            return false;
        }
        let who = &row.who;
        [&who.bdf, &who.name, &who.driver, &who.policy]
            .iter()
            .any(|text| text.to_lowercase().contains(wanted))
    }

    pub(crate) fn press(&mut self, key: Key) {
        if self.typing {
            return self.type_filter(key);
        }
        match (keys::action(key, self.place()), key) {
            (Some(Action::SortNth), Key::Char(digit)) => self.sort_nth(digit),
            (Some(action), _) if self.chooser.is_some() => self.choose(action),
            (Some(action), _) => self.act(action),
            (None, _) => {}
        }
    }

    fn type_filter(&mut self, key: Key) {
        match key {
            Key::Char(c) => self.filter.push(c),
            Key::Backspace => {
                self.filter.pop();
            }
            Key::Enter => self.typing = false,
            Key::Escape => {
                self.filter.clear();
                self.typing = false;
            }
            Key::Interrupt => self.over = true,
            _ => {}
        }
        self.keep_cursor();
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Quit => self.over = true,
            Action::Help => {
                self.help = !self.help;
                self.scroll = 0;
            }
            Action::Back => self.back(),
            Action::Open => self.open(),
            Action::Findings => {
                self.go(if self.screen == Screen::Findings { Screen::Overview } else { Screen::Findings })
            }
            Action::SortNext => self.sort_next(1),
            Action::SortBefore => self.sort_next(-1),
            Action::Reverse => self.sort.descending = !self.sort.descending,
            Action::Filter => self.typing = true,
            Action::Idle => self.hide_idle = !self.hide_idle,
            Action::Pause => self.paused = if self.paused.is_some() { None } else { Some(0) },
            Action::Earlier => self.travel(1),
            Action::Later => self.travel(-1),
            Action::Up => self.step(-1),
            Action::Down => self.step(1),
            Action::PageUp => self.step(-(PAGE as isize)),
            Action::PageDown => self.step(PAGE as isize),
            Action::First => self.step(isize::MIN / 2),
            Action::Last => self.step(isize::MAX / 2),
            Action::Theme => self.palette = self.palette.next(),
            Action::Columns => self.chooser = Some(Chooser::default()),
            // They mean something elsewhere.
            Action::SortNth | Action::Toggle | Action::UsualColumns => {}
        }
        self.keep_cursor();
    }

    fn go(&mut self, screen: Screen) {
        self.screen = screen;
        self.scroll = 0;
    }

    fn back(&mut self) {
        if self.help {
            self.help = false;
            self.scroll = 0;
        } else if self.screen != Screen::Overview {
            self.go(Screen::Overview);
        } else {
            self.filter.clear();
        }
    }

    pub(super) fn open(&mut self) {
        if let Some(bdf) = self.selected.clone() {
            self.go(Screen::Device(bdf));
        }
    }

    /// Through the past: positive is back.
    fn travel(&mut self, steps: isize) {
        let last = self.history.len().saturating_sub(1);
        self.paused = Some(self.steps_back().saturating_add_signed(steps).min(last));
    }

    pub(super) fn step(&mut self, by: isize) {
        if self.help || self.screen != Screen::Overview {
            // The view knows how many lines there are, and shows the last ones if this is more.
            self.scroll = self.scroll.saturating_add_signed(by).min(1000);
            return;
        }
        let rows = self.rows();
        let Some(last) = rows.len().checked_sub(1) else { return };
        let target = self.cursor(&rows).saturating_add_signed(by).min(last);
        self.selected = rows.get(target).map(|row| row.who.bdf.clone());
    }

    /// The cursor is always on a device that can be seen.
    pub(super) fn keep_cursor(&mut self) {
        let rows = self.rows();
        let is_there = rows.iter().any(|row| Some(&row.who.bdf) == self.selected.as_ref());
        if !is_there {
            self.selected = rows.first().map(|row| row.who.bdf.clone());
        }
        self.keep_in_sight();
    }

    fn keep_in_sight(&mut self) {
        let cursor = self.cursor(&self.rows());
        let body = layout::body(self.size);
        let (table, _) = layout::overview(body.width, body.height, self.wrong());
        self.top = layout::first(self.top, cursor, usize::from(table.height.saturating_sub(1)));
    }

    /// Where the selected device is among these.
    pub(crate) fn cursor(&self, rows: &[&Row]) -> usize {
        rows.iter().position(|row| Some(&row.who.bdf) == self.selected.as_ref()).unwrap_or(0)
    }
}

/// What is unknown is less than anything.
fn ascending(by: Field, a: &Row, b: &Row) -> Ordering {
    let [x, y] = [a, b].map(|row| &row.who);
    match by {
        Field::Device => x.bdf.cmp(&y.bdf),
        Field::Name => x.name.cmp(&y.name),
        Field::Driver => x.driver.cmp(&y.driver),
        Field::Policy => x.policy.cmp(&y.policy),
        Field::Figure(column) => {
            let [x, y] = [a, b].map(|row| row.value(column).unwrap_or(f64::NEG_INFINITY));
            x.total_cmp(&y)
        }
    }
}
