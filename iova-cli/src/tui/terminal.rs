//! The terminal: taken over, and given back as it was, however this ends.

use super::keys::{Key, Pointer, Touch};
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{
    DisableMouseCapture, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent,
    MouseEventKind,
};
use ratatui::crossterm::style::{Print, force_color_output};
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen};
use ratatui::crossterm::{cursor, execute, terminal};
use std::io::{self, Stdout, Write as _};
use std::mem::ManuallyDrop;

pub(crate) type Screen = ratatui::Terminal<CrosstermBackend<Stdout>>;

/// Clicks and the wheel, but not every movement, as crossterm's own command would have it: an event is a frame.
const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1006h";

/// The terminal while it is ours. Ratatui's own clean-up is left out: where the terminal is gone, it complains to standard
/// error, which is gone too, and panics.
pub(crate) struct Taken(pub(crate) ManuallyDrop<Screen>);

impl Taken {
    pub(crate) fn take(mouse: bool) -> io::Result<Self> {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            before(panic);
        }));
        // Whether there is colour is the theme's decision, and crossterm would look at NO_COLOR once more.
        force_color_output(true);
        terminal::enable_raw_mode()?;
        let mouse = if mouse { MOUSE_ON } else { "" };
        execute!(io::stdout(), EnterAlternateScreen, cursor::Hide, Print(mouse))
            .inspect_err(|_| give_back())?;
        let screen = ratatui::Terminal::new(CrosstermBackend::new(io::stdout()));
        screen.map(ManuallyDrop::new).map(Self).inspect_err(|_| give_back())
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        give_back();
    }
}

/// Best effort: there may be no terminal any more.
fn give_back() {
    let _ = execute!(io::stdout(), DisableMouseCapture, LeaveAlternateScreen, cursor::Show);
    let _ = terminal::disable_raw_mode();
    let _ = io::stdout().flush();
}

/// What an event of the terminal means; `None` for what we have no use for.
pub(crate) fn key(event: &Event) -> Option<Key> {
    let Event::Key(KeyEvent { code, modifiers, kind, .. }) = event else { return None };
    if *kind == KeyEventKind::Release {
        return None;
    }
    if modifiers.contains(KeyModifiers::CONTROL) {
        return matches!(code, KeyCode::Char('c' | 'd')).then_some(Key::Interrupt);
    }
    Some(match code {
        KeyCode::Char(c) => Key::Char(*c),
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Tab => Key::Tab,
        KeyCode::BackTab => Key::BackTab,
        _ => return None,
    })
}

/// What was done with the mouse.
pub(crate) fn pointer(event: &Event) -> Option<Pointer> {
    let Event::Mouse(MouseEvent { kind, column, row, .. }) = *event else { return None };
    let touch = match kind {
        MouseEventKind::Down(MouseButton::Left) => Touch::Click,
        MouseEventKind::ScrollUp => Touch::WheelUp,
        MouseEventKind::ScrollDown => Touch::WheelDown,
        _ => return None,
    };
    Some(Pointer { touch, x: column, y: row })
}
