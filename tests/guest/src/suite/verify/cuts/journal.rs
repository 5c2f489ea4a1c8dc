//! The journals of the disk's verifications as they stand there, read by other means than `iova`'s.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use iova_guest::cuts::{NOTES, Notes};
use serde_json::Value;

use crate::policy::device::NVME;

/// What there is.
pub(super) struct Left {
    /// The last verification in the journal, event by event.
    events: Vec<Value>,
    /// Bytes behind the last whole line.
    torn: usize,
    /// Lines that an earlier cut has torn.
    spoiled: usize,
    /// Journals that are put aside.
    aside: usize,
}

impl Left {
    pub(super) fn read(state: &str) -> Result<Self> {
        let place = Path::new(state).join("verify");
        let text = match fs::read(place.join(format!("{}.jsonl", NVME.0))) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).context("reading the journal"),
        };
        let names = fs::read_dir(&place)
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let aside = names.filter(|name| name.starts_with(NVME.0) && name.ends_with(".done.jsonl")).count();
        let left = Self { aside, ..Self::of(&text) };
        ensure!(left.spoiled == 0, "{} lines of the journal can't be read:\n{text}", left.spoiled);
        Ok(left)
    }

    fn of(text: &str) -> Self {
        let (whole, torn) = text.rsplit_once('\n').unwrap_or(("", text));
        let mut left = Self { events: Vec::new(), torn: torn.len(), spoiled: 0, aside: 0 };
        for line in whole.lines().filter(|line| !line.is_empty()) {
            match serde_json::from_str::<Value>(line) {
                Ok(entry) => {
                    if entry["event"] == "begun" {
                        left.events.clear();
                    }
                    left.events.push(entry);
                }
                Err(_) => left.spoiled += 1,
            }
        }
        left
    }

    fn last(&self) -> Option<&str> {
        self.events.last()?["event"].as_str()
    }

    /// A verification has begun and is not closed.
    pub(super) fn is_open(&self) -> bool {
        self.last().is_some_and(|last| last != "closed")
    }

    /// Journals that are closed, put aside or not.
    pub(super) fn closed(&self) -> usize {
        self.aside + usize::from(self.last() == Some("closed"))
    }

    /// Widths of the steps that ended.
    pub(super) fn steps(&self) -> Vec<u64> {
        let ended = self.events.iter().filter(|entry| entry["event"] == "ended");
        ended.filter_map(|entry| entry["width"].as_u64()).collect()
    }

    /// What the host compares with what it has seen.
    pub(super) fn tell(&self) -> Result<()> {
        let steps = self.events.iter().filter(|entry| entry["event"] == "step");
        let begun = steps.filter(|_| self.is_open()).filter_map(|entry| entry["width"].as_u64());
        let notes = Notes { closed: self.closed(), begun: begun.collect() };
        println!("{NOTES}{}", serde_json::to_string(&notes)?);
        Ok(())
    }

    /// The width at which the power was cut twice; at 32 bits the kernel does as ever.
    pub(super) fn deadly(&self) -> Option<u64> {
        let mut cut = Vec::new();
        for (index, entry) in self.events.iter().enumerate().filter(|(_, entry)| entry["event"] == "step") {
            let rest = &self.events[index + 1..];
            let next = rest
                .iter()
                .find(|entry| entry["event"] != "ladder")
                .and_then(|entry| entry["event"].as_str());
            if next != Some("ended") {
                cut.extend(entry["width"].as_u64());
            }
        }
        let twice = |width: &u64| *width > 32 && cut.iter().filter(|other| *other == width).count() > 1;
        cut.iter().copied().find(twice)
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = self.events.iter().rev().find(|entry| entry["event"] == "step");
        let width = open.map_or(0, |entry| entry["width"].as_u64().unwrap_or(0));
        match self.last() {
            None => write!(f, "nothing is open"),
            Some("begun") => write!(f, "begun, no step"),
            Some("resumed") => write!(f, "gone on with, no step"),
            Some("step" | "ladder") => write!(f, "in the step of {width} bits"),
            Some("ended") => write!(f, "after the step of {width} bits"),
            Some("closed") => write!(f, "closed, not yet put aside"),
            Some(other) => write!(f, "{other}"),
        }?;
        if self.torn > 0 { write!(f, ", {} bytes of a torn line", self.torn) } else { Ok(()) }
    }
}
