//! What is on the screen, and what a key changes about it. Knows no terminal.

use super::columns::COUNT;
use super::history::{History, Moment, Row};
use super::keys::{self, Action, Key, Place};
use iova_core::model::Step;

/// Rows that a page key moves.
const PAGE: usize = 10;

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
    /// Index of the column, and whether the largest comes first.
    pub(crate) sort: (usize, bool),
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
        Self {
            history: History::default(),
            screen: Screen::Overview,
            help: false,
            sort: (0, true),
            filter: String::new(),
            typing: false,
            hide_idle: false,
            selected: None,
            scroll: 0,
            paused: None,
            trouble: None,
            over: false,
        }
    }
}

impl State {
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
    }

    pub(crate) fn place(&self) -> Place {
        match self.screen {
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
        let (column, descending) = self.sort;
        rows.sort_by(|a, b| {
            let [x, y] = [a, b].map(|row| row.value(column).unwrap_or(f64::NEG_INFINITY));
            let order = if descending { y.total_cmp(&x) } else { x.total_cmp(&y) };
            order.then_with(|| a.who.bdf.cmp(&b.who.bdf))
        });
        rows
    }

    fn shows(&self, row: &Row, wanted: &str) -> bool {
        if self.hide_idle && !row.active {
            return false;
        }
        if wanted.is_empty() {
            return true;
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
        if let Some(action) = keys::action(key, self.place()) {
            self.act(action);
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
            Action::Help => self.help = !self.help,
            Action::Back => self.back(),
            Action::Open => self.open(),
            Action::Findings => {
                self.go(if self.screen == Screen::Findings { Screen::Overview } else { Screen::Findings })
            }
            Action::SortNext => self.sort = ((self.sort.0 + 1) % COUNT, true),
            Action::SortBefore => self.sort = ((self.sort.0 + COUNT - 1) % COUNT, true),
            Action::Reverse => self.sort.1 = !self.sort.1,
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
        } else if self.screen != Screen::Overview {
            self.go(Screen::Overview);
        } else {
            self.filter.clear();
        }
    }

    fn open(&mut self) {
        if let Some(bdf) = self.selected.clone() {
            self.go(Screen::Device(bdf));
        }
    }

    /// Through the past: positive is back.
    fn travel(&mut self, steps: isize) {
        let last = self.history.len().saturating_sub(1);
        self.paused = Some(self.steps_back().saturating_add_signed(steps).min(last));
    }

    fn step(&mut self, by: isize) {
        if self.screen != Screen::Overview {
            // The view knows how many lines there are, and shows the last ones if this is more.
            self.scroll = self.scroll.saturating_add_signed(by).min(1000);
            return;
        }
        let rows = self.rows();
        let Some(last) = rows.len().checked_sub(1) else { return };
        let at = rows.iter().position(|row| Some(&row.who.bdf) == self.selected.as_ref()).unwrap_or(0);
        let target = at.saturating_add_signed(by).min(last);
        self.selected = rows.get(target).map(|row| row.who.bdf.clone());
    }

    /// The cursor is always on a device that can be seen.
    fn keep_cursor(&mut self) {
        let rows = self.rows();
        let is_there = rows.iter().any(|row| Some(&row.who.bdf) == self.selected.as_ref());
        if !is_there {
            self.selected = rows.first().map(|row| row.who.bdf.clone());
        }
    }
}
