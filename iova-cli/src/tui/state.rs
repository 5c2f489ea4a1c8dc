//! What is on the screen, and what a key changes about it. Knows no terminal.

use super::columns::{COUNT, MASK};
use super::desk::{Answer, Desk, Stage, Sure};
use super::history::{History, Moment, Row};
use super::keys::{self, Action, Key, Place};
use super::pane::Pane;
use super::window::Window;
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
    /// The policy of the desk's device.
    Policy,
}

/// Everything.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) history: History,
    pub(crate) screen: Screen,
    /// What is shown of a device.
    pub(crate) pane: Pane,
    /// The addresses on the map of its space.
    pub(crate) window: Window,
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
    pub(crate) desk: Desk,
    /// Nothing may be changed from here.
    pub(crate) read_only: bool,
    pub(crate) over: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            history: History::default(),
            screen: Screen::Overview,
            pane: Pane::default(),
            window: Window::default(),
            help: false,
            sort: (0, true),
            filter: String::new(),
            typing: false,
            hide_idle: false,
            selected: None,
            scroll: 0,
            paused: None,
            trouble: None,
            desk: Desk::default(),
            read_only: false,
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
            Screen::Device(_) if self.pane == Pane::Space => Place::Space,
            Screen::Device(_) => Place::Device,
            Screen::Findings => Place::Findings,
            Screen::Policy if self.desk.stage == Stage::Trial && self.desk.running().is_some() => {
                Place::Trial
            }
            Screen::Policy => Place::Policy,
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
        let who = &row.who;
        [&who.bdf, &who.name, &who.driver, &who.policy]
            .iter()
            .any(|text| text.to_lowercase().contains(wanted))
    }

    pub(crate) fn press(&mut self, key: Key) {
        if self.desk.sure.is_some() {
            // Ctrl-C again and again shall get out, which is safe: a trial is taken back.
            self.over |= key == Key::Interrupt || self.desk.answer(matches!(key, Key::Char('y' | 'Y')));
            return;
        }
        if self.desk.typed.is_some() {
            return self.type_policy(key);
        }
        if self.typing {
            return self.type_filter(key);
        }
        if let Some(action) = keys::action(key, self.place(), self.read_only) {
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
            Key::Interrupt => self.quit(),
            _ => {}
        }
        self.keep_cursor();
    }

    fn type_policy(&mut self, key: Key) {
        match key {
            Key::Char(letter) => self.desk.type_letter(letter),
            Key::Backspace => drop(self.desk.typed.as_mut().and_then(String::pop)),
            Key::Enter => self.desk.typed(),
            Key::Escape => self.desk.typed = None,
            Key::Interrupt => self.quit(),
            _ => {}
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Quit => self.quit(),
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
            Action::Policy => self.open_desk(),
            Action::Explain => self.desk.explain(),
            Action::Other => self.desk.typed = Some(String::new()),
            Action::Try => self.desk.ask(Sure::Try),
            Action::Keep => self.desk.ask(Sure::Keep),
            Action::TakeBack => self.desk.ask(Sure::TakeBack),
            Action::NextPane => self.turn(self.pane.next()),
            Action::PaneBefore => self.turn(self.pane.before()),
            Action::ZoomIn => self.window = self.window.zoom(true),
            Action::ZoomOut => self.window = self.window.zoom(false),
            Action::Lower => self.window = self.window.pan(false),
            Action::Higher => self.window = self.window.pan(true),
        }
        self.keep_cursor();
    }

    fn go(&mut self, screen: Screen) {
        self.screen = screen;
        self.scroll = 0;
    }

    fn turn(&mut self, pane: Pane) {
        self.pane = pane;
        self.scroll = 0;
    }

    fn back(&mut self) {
        if self.help {
            self.help = false;
        } else if self.screen == Screen::Policy && self.desk.back() {
            self.scroll = 0;
        } else if self.screen != Screen::Overview {
            self.go(Screen::Overview);
        } else {
            self.filter.clear();
        }
    }

    /// A trial that runs would be taken back: that is not for one key.
    fn quit(&mut self) {
        self.desk.ask(Sure::Quit);
        self.over = self.desk.sure.is_none();
    }

    /// What came back of a wish.
    pub(crate) fn hear(&mut self, answer: Answer) {
        self.desk.hear(answer);
    }

    fn open_desk(&mut self) {
        let bdf = match &self.screen {
            Screen::Device(bdf) => Some(bdf.clone()),
            _ => self.selected.clone(),
        };
        let Some(bdf) = bdf else { return };
        let mask = self.moment().and_then(|moment| moment.row(&bdf)?.value(MASK));
        self.desk.open(&bdf, mask);
        self.go(Screen::Policy);
    }

    fn open(&mut self) {
        if let Some(bdf) = self.selected.clone() {
            (self.pane, self.window) = (Pane::default(), Window::default());
            self.go(Screen::Device(bdf));
        }
    }

    /// Through the past: positive is back.
    fn travel(&mut self, steps: isize) {
        let last = self.history.len().saturating_sub(1);
        self.paused = Some(self.steps_back().saturating_add_signed(steps).min(last));
    }

    fn step(&mut self, by: isize) {
        if self.screen == Screen::Policy && self.desk.choose(by) {
            return;
        }
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
