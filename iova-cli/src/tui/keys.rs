//! Every key there is: what it does, where, and in which words. Footer and help are made from this list.

use super::export::Kind;

/// A key, as no terminal library calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Char(char),
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
    Enter,
    Escape,
    Backspace,
    Tab,
    BackTab,
    Interrupt,
}

/// What was done with the mouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Touch {
    Click,
    WheelUp,
    WheelDown,
}

/// The same, and in which cell, counted from the top left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pointer {
    pub(crate) touch: Touch,
    pub(crate) x: u16,
    pub(crate) y: u16,
}

/// What the user wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Quit,
    Help,
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Open,
    Back,
    SortNext,
    SortBefore,
    /// By the column whose number the key is.
    SortNth,
    Reverse,
    Filter,
    Idle,
    Pause,
    Earlier,
    Later,
    Findings,
    /// Asks as what the last minutes are to be written.
    Write,
    WriteAs(Kind),
    /// The question is answered with no.
    No,
    Policy,
    Explain,
    Other,
    Try,
    Keep,
    TakeBack,
    NextPane,
    PaneBefore,
    ZoomIn,
    ZoomOut,
    Lower,
    Higher,
    Theme,
    Columns,
    /// Shows or hides the column under the cursor.
    Toggle,
    UsualColumns,
}

impl Action {
    /// It leads to a change on the host.
    fn changes(self) -> bool {
        use Action::{Explain, Keep, Other, Policy, TakeBack, Try};
        matches!(self, Policy | Explain | Other | Try | Keep | TakeBack)
    }
}

/// Where a key has a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// But not where something is chosen.
    Everywhere,
    Overview,
    /// One device, whatever is shown of it.
    Device,
    /// The map of its space.
    Space,
    Findings,
    Policy,
    /// The policy's screen while a trial runs.
    Trial,
    /// The chooser of columns, which takes all keys.
    Columns,
    /// The question as what to write the last minutes; takes all keys.
    Writing,
}

impl Place {
    /// True if a key of `self` has its meaning in `place`.
    fn holds_in(self, place: Self) -> bool {
        self == place
            || (self == Everywhere && !matches!(place, Columns | Writing))
            || (self, place) == (Device, Space)
    }
}

/// One line of the help.
pub(crate) struct Binding {
    pub(crate) place: Place,
    pub(crate) action: Action,
    pub(crate) keys: &'static [Key],
    /// As people see the keys.
    pub(crate) shown: &'static str,
    /// One or two words for the footer; empty for none.
    pub(crate) label: &'static str,
    pub(crate) help: &'static str,
}

const fn key(
    place: Place,
    action: Action,
    keys: &'static [Key],
    shown: &'static str,
    label: &'static str,
    help: &'static str,
) -> Binding {
    Binding { place, action, keys, shown, label, help }
}

use Key::Char;
use Place::{Columns, Device, Everywhere, Overview, Policy, Space, Trial, Writing};

const DIGITS: &[Key] =
    &[Char('1'), Char('2'), Char('3'), Char('4'), Char('5'), Char('6'), Char('7'), Char('8'), Char('9')];

/// All keys, in the order of the footer.
pub(crate) const BINDINGS: &[Binding] = &[
    key(Everywhere, Action::Help, &[Char('?'), Char('h')], "?", "help", "show or hide this help"),
    key(Overview, Action::Open, &[Key::Enter, Char('l'), Key::Right], "Enter", "open", "look at one device"),
    key(
        Everywhere,
        Action::Back,
        &[Key::Escape, Key::Backspace],
        "Esc",
        "back",
        "back, or forget the filter",
    ),
    key(Overview, Action::SortNext, &[Char('s'), Char('>')], "s", "sort", "sort by the next column"),
    key(Overview, Action::SortBefore, &[Char('S'), Char('<')], "S", "", "sort by the column before"),
    key(
        Overview,
        Action::SortNth,
        DIGITS,
        "1-9",
        "",
        "sort by the column with this number; again: turn it round",
    ),
    key(Overview, Action::Reverse, &[Char('r')], "r", "", "turn the order round"),
    key(Overview, Action::Filter, &[Char('/')], "/", "filter", "show only what has this text"),
    key(Overview, Action::Idle, &[Char('i')], "i", "idle", "show or hide devices that do nothing"),
    key(
        Policy,
        Action::Explain,
        &[Key::Enter],
        "Enter",
        "dry run",
        "what the chosen policy would do; changes nothing",
    ),
    key(Policy, Action::Try, &[Char('t')], "t", "try", "try it for 10 minutes, after a question"),
    key(Trial, Action::Keep, &[Char('K')], "K", "keep", "keep what is on trial, after a question"),
    key(Trial, Action::TakeBack, &[Char('R')], "R", "take back", "end the trial, after a question"),
    key(Policy, Action::Other, &[Char('o')], "o", "other", "type another policy"),
    key(
        Everywhere,
        Action::Policy,
        &[Char('P')],
        "P",
        "policy",
        "a policy for the device under the cursor (among findings: the worst); or the trial",
    ),
    key(Device, Action::NextPane, &[Key::Tab], "Tab", "pane", "the next pane"),
    key(Device, Action::PaneBefore, &[Key::BackTab], "S-Tab", "", "the pane before"),
    key(Space, Action::ZoomIn, &[Char('+'), Char('=')], "+", "zoom", "half the addresses, closer"),
    key(Space, Action::ZoomOut, &[Char('-')], "-", "", "twice the addresses"),
    key(Space, Action::Lower, &[Key::Left, Char('H')], "Left H", "move", "to lower addresses"),
    key(Space, Action::Higher, &[Key::Right, Char('L')], "Right L", "", "to higher addresses"),
    key(Everywhere, Action::Findings, &[Char('f')], "f", "findings", "what is wrong, and what to do"),
    key(Everywhere, Action::Pause, &[Char('p'), Char(' ')], "p", "pause", "hold the screen still, or go on"),
    key(Overview, Action::Columns, &[Char('c')], "c", "columns", "choose columns, and read what each is"),
    key(Everywhere, Action::Earlier, &[Char('['), Char(',')], "[", "earlier", "one interval back"),
    key(Everywhere, Action::Later, &[Char(']'), Char('.')], "]", "later", "one interval forward"),
    key(Everywhere, Action::Up, &[Key::Up, Char('k')], "Up k", "", "up"),
    key(Everywhere, Action::Down, &[Key::Down, Char('j')], "Down j", "", "down"),
    key(Everywhere, Action::PageUp, &[Key::PageUp], "PgUp", "", "a page up"),
    key(Everywhere, Action::PageDown, &[Key::PageDown], "PgDn", "", "a page down"),
    key(Everywhere, Action::First, &[Key::Home, Char('g')], "Home g", "", "to the first"),
    key(Everywhere, Action::Last, &[Key::End, Char('G')], "End G", "", "to the last"),
    key(
        Everywhere,
        Action::Write,
        &[Char('e')],
        "e",
        "report",
        "write the last minutes into this directory, as what is asked next",
    ),
    key(Everywhere, Action::Theme, &[Char('T')], "T", "", "colours for a dark or light background, or none"),
    key(Everywhere, Action::Quit, &[Char('q'), Key::Interrupt], "q", "quit", "quit"),
    key(Columns, Action::Toggle, &[Char(' '), Key::Enter], "Space", "show/hide", "show or hide this column"),
    key(Columns, Action::UsualColumns, &[Char('u')], "u", "usual", "show the usual columns"),
    key(Columns, Action::Back, &[Key::Escape, Char('c'), Char('q')], "Esc", "close", "back to the table"),
    key(Columns, Action::Up, &[Key::Up, Char('k')], "Up k", "", "up"),
    key(Columns, Action::Down, &[Key::Down, Char('j')], "Down j", "", "down"),
    key(Columns, Action::PageUp, &[Key::PageUp], "PgUp", "", "a page up"),
    key(Columns, Action::PageDown, &[Key::PageDown], "PgDn", "", "a page down"),
    key(Columns, Action::First, &[Key::Home, Char('g')], "Home g", "", "to the first"),
    key(Columns, Action::Last, &[Key::End, Char('G')], "End G", "", "to the last"),
    key(Columns, Action::Quit, &[Key::Interrupt], "Ctrl-C", "", "quit"),
    key(Writing, Action::WriteAs(Kind::Text), &[Char('t')], "t", "text", "a report for people"),
    key(Writing, Action::WriteAs(Kind::Json), &[Char('j')], "j", "JSON", "a report for programs"),
    key(Writing, Action::WriteAs(Kind::Html), &[Char('h')], "h", "HTML", "a page with pictures over time"),
    key(Writing, Action::WriteAs(Kind::Recording), &[Char('r')], "r", "recording", "for iova replay"),
    key(Writing, Action::No, &[Key::Escape], "Esc", "no", "nothing"),
    key(Writing, Action::Quit, &[Key::Interrupt], "Ctrl-C", "", "quit"),
];

/// What a key does in a place.
pub(crate) fn action(key: Key, place: Place, read_only: bool) -> Option<Action> {
    of(place, read_only).find(|binding| binding.keys.contains(&key)).map(|binding| binding.action)
}

/// The keys of a place, in order; where nothing may be changed, without those that lead there.
pub(crate) fn of(place: Place, read_only: bool) -> impl Iterator<Item = &'static Binding> {
    let here = move |binding: &&Binding| binding.place.holds_in(place);
    BINDINGS.iter().filter(here).filter(move |binding| !(read_only && binding.action.changes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things_in_one_place() {
        for place in [Overview, Device, Space, Place::Findings, Policy, Trial, Columns, Writing] {
            let keys: Vec<Key> = of(place, false).flat_map(|binding| binding.keys).copied().collect();
            for (index, key) in keys.iter().enumerate() {
                assert!(!keys[..index].contains(key), "{key:?} in {place:?}");
            }
        }
    }

    #[test]
    fn where_nothing_may_be_changed_no_key_leads_there() {
        for place in [Overview, Device, Place::Findings, Policy, Trial] {
            assert!(of(place, true).all(|binding| !binding.action.changes()), "{place:?}");
        }
        assert_eq!(action(Char('P'), Overview, true), None);
    }
}
