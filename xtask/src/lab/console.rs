//! The guest's console: shown on an interactive run, otherwise kept for the case that the guest fails.

use std::collections::VecDeque;
use std::io::Write;

use super::kmsg;

const KEPT_LINES: usize = 400;
const SHOWN_LINES: usize = 30;

/// What was seen on a guest's console, and QEMU's own words.
pub(crate) struct Console {
    show: bool,
    lines: VecDeque<String>,
    partial: Vec<u8>,
    complaints: Vec<String>,
    panicked: bool,
}

impl Console {
    /// An empty console; with `show` its bytes go to our stdout too.
    pub(crate) fn new(show: bool) -> Self {
        Self { show, lines: VecDeque::new(), partial: Vec::new(), complaints: Vec::new(), panicked: false }
    }

    /// The command has ended: what the kernel still has to say is nothing for the user's terminal.
    pub(crate) fn hide(&mut self) {
        self.show = false;
    }

    /// Takes what the guest wrote.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        if self.show {
            let mut stdout = std::io::stdout().lock();
            // A terminal that is gone raises SIGHUP, which ends the run; nothing to add to that here.
            let _ = stdout.write_all(bytes).and_then(|()| stdout.flush());
        }
        for byte in bytes {
            match byte {
                b'\n' => self.line(),
                byte => self.partial.push(*byte),
            }
        }
    }

    fn line(&mut self) {
        let text = String::from_utf8_lossy(&self.partial);
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        self.panicked |= text.contains("Kernel panic - not syncing");
        self.partial.clear();
        self.lines.push_back(text);
        if self.lines.len() > KEPT_LINES {
            self.lines.pop_front();
        }
    }

    /// Takes a line that QEMU wrote about itself.
    pub(crate) fn complaint(&mut self, line: String) {
        // What the translator lacks of `-cpu max` is nobody's concern.
        if !line.contains("TCG doesn't support requested feature") {
            self.complaints.push(line);
        }
    }

    /// Whether the kernel gave up.
    pub(crate) fn panicked(&self) -> bool {
        self.panicked
    }

    /// QEMU's complaints and what matters of the console, for an error message: the start of a panic, else the end.
    pub(crate) fn excerpt(&self) -> String {
        let mut text: Vec<String> = self.complaints.iter().map(|line| format!("QEMU: {line}")).collect();
        let partial = String::from_utf8_lossy(&self.partial);
        let lines = self.lines.iter().map(String::as_str).chain((!partial.is_empty()).then_some(&*partial));
        let lines: Vec<_> = lines.collect();
        let last = lines.len().saturating_sub(SHOWN_LINES);
        // A panic says why at its start, and then a hundred lines of where.
        let start = lines.iter().position(|line| self.panicked && kmsg::is_splat(line)).unwrap_or(last);
        if lines.is_empty() {
            text.push("(its console is empty; `--append loglevel=7` lets the kernel say more)".into());
        } else {
            text.push(format!(
                "{} lines of its console:",
                if start < last { "The telling" } else { "The last" }
            ));
        }
        text.extend(lines[start..].iter().take(SHOWN_LINES).map(|line| (*line).to_owned()));
        format!("    {}", text.join("\n    "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panic_is_seen_across_chunks() {
        let mut console = Console::new(false);
        console.add(b"[    1.0] Kernel panic - not");
        assert!(!console.panicked());
        console.add(b" syncing: Attempted to kill init!\r\n");
        assert!(console.panicked());
        assert!(
            console.excerpt().ends_with("    [    1.0] Kernel panic - not syncing: Attempted to kill init!")
        );
    }

    #[test]
    fn a_panic_is_shown_from_its_start() {
        let mut console = Console::new(false);
        console.add(b"BUG: kernel NULL pointer dereference, address: 0\n");
        (0..100).for_each(|n| console.add(format!(" ? function_{n}+0x1\n").as_bytes()));
        assert!(!console.excerpt().contains("BUG"));
        console.add(b"Kernel panic - not syncing: Fatal exception\n");
        assert!(console.excerpt().contains("BUG: kernel NULL"));
    }

    #[test]
    fn only_the_last_lines_are_shown() {
        let mut console = Console::new(false);
        (0..500).for_each(|n| console.add(format!("line {n}\n").as_bytes()));
        let text = console.excerpt();
        assert!(text.contains("line 499") && text.contains("line 470") && !text.contains("line 469"));
    }
}
