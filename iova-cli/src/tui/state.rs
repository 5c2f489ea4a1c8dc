//! What is on the screen, and what a key changes about it. Knows no terminal.

use super::chooser::Chooser;
use super::columns::{self, MASK};
use super::desk::{Answer, Desk, Stage, Sure};
use super::export::Kind;
use super::habits::{Habits, Palette, Sort};
use super::history::{History, Moment, Row};
use super::keys::{self, Action, Key, Place};
use super::layout::{self, Field, Placed};
use super::pane::Pane;
use super::window::Window;
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
    /// The policy of the desk's device.
    Policy,
}

/// Where the intervals come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Origin {
    #[default]
    Live,
    /// A recording that is played.
    Played,
    /// One that is over.
    Ended,
}

/// Everything.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) origin: Origin,
    pub(crate) history: History,
    pub(crate) screen: Screen,
    /// What is shown of a device.
    pub(crate) pane: Pane,
    /// The addresses on the map of its space.
    pub(crate) window: Window,
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
    pub(crate) desk: Desk,
    /// As what the last minutes are to be written is being asked.
    pub(crate) writing: bool,
    /// They are to be written as this.
    pub(crate) wanted: Option<Kind>,
    /// A sentence for the last line, until a key is pressed.
    pub(crate) notice: Option<String>,
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
            origin: Origin::Live,
            history: History::default(),
            screen: Screen::Overview,
            pane: Pane::default(),
            window: Window::default(),
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
            desk: Desk::default(),
            writing: false,
            wanted: None,
            notice: None,
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
            _ if self.writing => Place::Writing,
            _ if self.chooser.is_some() => Place::Columns,
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
        if wanted.is_empty() {
            return true;
        }
        let who = &row.who;
        [&who.bdf, &who.name, &who.driver, &who.policy]
            .iter()
            .any(|text| text.to_lowercase().contains(wanted))
    }

    pub(crate) fn press(&mut self, key: Key) {
        self.notice = None;
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
        let action = keys::action(key, self.place(), self.read_only);
        // Any other key is a no.
        if std::mem::take(&mut self.writing) {
            return action.into_iter().for_each(|action| self.act(action));
        }
        match (action, key) {
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
            Action::Write => self.writing = true,
            Action::WriteAs(kind) => self.want(kind),
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
            Action::Theme => self.palette = self.palette.next(),
            Action::Columns => self.chooser = Some(Chooser::default()),
            // They mean something elsewhere.
            Action::SortNth | Action::Toggle | Action::UsualColumns | Action::No => {}
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
            self.scroll = 0;
        } else if self.screen == Screen::Policy && self.desk.back() {
            self.scroll = 0;
        } else if self.screen != Screen::Overview {
            self.go(Screen::Overview);
        } else {
            self.filter.clear();
        }
    }

    /// A trial that runs would be taken back: that is not for one key.
    pub(super) fn quit(&mut self) {
        self.desk.ask(Sure::Quit);
        self.over = self.desk.sure.is_none();
    }

    fn want(&mut self, kind: Kind) {
        self.wanted = Some(kind);
        self.notice = Some("writing the last minutes".to_owned());
    }

    /// What came back of a wish.
    pub(crate) fn hear(&mut self, answer: Answer) {
        if let Answer::Written(sentence) = &answer {
            self.notice = Some(sentence.clone());
        }
        self.desk.hear(answer);
    }

    /// The device that the worst finding is about.
    fn worst(&self) -> Option<String> {
        self.moment()?.findings.iter().find_map(|finding| finding.device.clone())
    }

    fn open_desk(&mut self) {
        let bdf = match &self.screen {
            Screen::Device(bdf) => Some(bdf.clone()),
            // What stands at the top is what one has read.
            Screen::Findings => self.worst().or_else(|| self.selected.clone()),
            _ => self.selected.clone(),
        };
        let Some(bdf) = bdf else { return };
        let mask = self.moment().and_then(|moment| moment.row(&bdf)?.value(columns::find(MASK)?));
        self.desk.open(&bdf, mask);
        self.go(Screen::Policy);
    }

    pub(super) fn open(&mut self) {
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

    pub(super) fn step(&mut self, by: isize) {
        if self.screen == Screen::Policy && !self.help && self.desk.choose(by) {
            return;
        }
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
