//! Every key there is: what it does, where, and in which words. Footer and help are made from this list.

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
    Theme,
    Columns,
    /// Shows or hides the column under the cursor.
    Toggle,
    UsualColumns,
}

/// Where a key has a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// But not where something is chosen.
    Everywhere,
    Overview,
    Device,
    Findings,
    /// The chooser of columns, which takes all keys.
    Columns,
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
use Place::{Columns, Device, Everywhere, Overview};

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
    key(Device, Action::Back, &[Key::Left], "Left", "", "back to the overview"),
    key(Everywhere, Action::Theme, &[Char('T')], "T", "", "colours for a dark or light background, or none"),
    key(Everywhere, Action::Quit, &[Char('q'), Key::Interrupt], "q", "quit", "quit"),
    key(
        Columns,
        Action::Toggle,
        &[Char(' '), Key::Enter],
        "Space",
        "show or hide",
        "show or hide this column",
    ),
    key(Columns, Action::UsualColumns, &[Char('u')], "u", "the usual ones", "show the usual columns"),
    key(Columns, Action::Back, &[Key::Escape, Char('c'), Char('q')], "Esc", "close", "back to the table"),
    key(Columns, Action::Up, &[Key::Up, Char('k')], "Up k", "", "up"),
    key(Columns, Action::Down, &[Key::Down, Char('j')], "Down j", "", "down"),
    key(Columns, Action::PageUp, &[Key::PageUp], "PgUp", "", "a page up"),
    key(Columns, Action::PageDown, &[Key::PageDown], "PgDn", "", "a page down"),
    key(Columns, Action::First, &[Key::Home, Char('g')], "Home g", "", "to the first"),
    key(Columns, Action::Last, &[Key::End, Char('G')], "End G", "", "to the last"),
    key(Columns, Action::Quit, &[Key::Interrupt], "Ctrl-C", "", "quit"),
];

impl Binding {
    fn is_for(&self, place: Place) -> bool {
        self.place == place || (self.place == Everywhere && place != Columns)
    }
}

/// What a key does in a place.
pub(crate) fn action(key: Key, place: Place) -> Option<Action> {
    of(place).find(|binding| binding.keys.contains(&key)).map(|binding| binding.action)
}

/// The keys of a place, in order.
pub(crate) fn of(place: Place) -> impl Iterator<Item = &'static Binding> {
    BINDINGS.iter().filter(move |binding| binding.is_for(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things_in_one_place() {
        for place in [Overview, Device, Place::Findings, Columns] {
            let keys: Vec<Key> = of(place).flat_map(|binding| binding.keys).copied().collect();
            for (index, key) in keys.iter().enumerate() {
                assert!(!keys[..index].contains(key), "{key:?} in {place:?}");
            }
        }
    }
}
