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
    Tab,
    BackTab,
    Interrupt,
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
    Reverse,
    Filter,
    Idle,
    Pause,
    Earlier,
    Later,
    Findings,
    NextPane,
    PaneBefore,
    ZoomIn,
    ZoomOut,
    Lower,
    Higher,
}

/// Where a key has a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Everywhere,
    Overview,
    /// One device, whatever is shown of it.
    Device,
    /// The map of its space.
    Space,
    Findings,
}

impl Place {
    /// True if a key of `self` has its meaning in `place`.
    fn holds_in(self, place: Self) -> bool {
        self == place || self == Everywhere || (self, place) == (Device, Space)
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
use Place::{Device, Everywhere, Overview, Space};

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
    key(Overview, Action::Reverse, &[Char('r')], "r", "", "turn the order round"),
    key(Overview, Action::Filter, &[Char('/')], "/", "filter", "show only what has this text"),
    key(Overview, Action::Idle, &[Char('i')], "i", "idle", "show or hide devices that do nothing"),
    key(Device, Action::NextPane, &[Key::Tab], "Tab", "pane", "the next pane"),
    key(Device, Action::PaneBefore, &[Key::BackTab], "S-Tab", "", "the pane before"),
    key(Space, Action::ZoomIn, &[Char('+'), Char('=')], "+", "zoom", "half the addresses, closer"),
    key(Space, Action::ZoomOut, &[Char('-')], "-", "", "twice the addresses"),
    key(Space, Action::Lower, &[Key::Left, Char('H')], "Left H", "move", "to lower addresses"),
    key(Space, Action::Higher, &[Key::Right, Char('L')], "Right L", "", "to higher addresses"),
    key(Everywhere, Action::Findings, &[Char('f')], "f", "findings", "what is wrong, and what to do"),
    key(Everywhere, Action::Pause, &[Char('p'), Char(' ')], "p", "pause", "hold the screen still, or go on"),
    key(Everywhere, Action::Earlier, &[Char('['), Char(',')], "[", "earlier", "one interval back"),
    key(Everywhere, Action::Later, &[Char(']'), Char('.')], "]", "later", "one interval forward"),
    key(Everywhere, Action::Up, &[Key::Up, Char('k')], "Up k", "", "up"),
    key(Everywhere, Action::Down, &[Key::Down, Char('j')], "Down j", "", "down"),
    key(Everywhere, Action::PageUp, &[Key::PageUp], "PgUp", "", "a page up"),
    key(Everywhere, Action::PageDown, &[Key::PageDown], "PgDn", "", "a page down"),
    key(Everywhere, Action::First, &[Key::Home, Char('g')], "Home g", "", "to the first"),
    key(Everywhere, Action::Last, &[Key::End, Char('G')], "End G", "", "to the last"),
    key(Everywhere, Action::Quit, &[Char('q'), Key::Interrupt], "q", "quit", "quit"),
];

/// What a key does in a place.
pub(crate) fn action(key: Key, place: Place) -> Option<Action> {
    let here = |binding: &&Binding| binding.place.holds_in(place);
    BINDINGS.iter().filter(here).find(|binding| binding.keys.contains(&key)).map(|binding| binding.action)
}

/// The keys of a place, in order.
pub(crate) fn of(place: Place) -> impl Iterator<Item = &'static Binding> {
    BINDINGS.iter().filter(move |binding| binding.place.holds_in(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things_in_one_place() {
        for place in [Overview, Device, Space, Place::Findings] {
            let keys: Vec<Key> = of(place).flat_map(|binding| binding.keys).copied().collect();
            for (index, key) in keys.iter().enumerate() {
                assert!(!keys[..index].contains(key), "{key:?} in {place:?}");
            }
        }
    }
}
