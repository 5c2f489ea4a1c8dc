//! Where settings are written down on a distribution, so that they last.

pub(crate) mod command_line;
pub(crate) mod udev;

pub use command_line::CommandLine;

use super::{Advice, Setting};
use crate::kernel::Root;
use serde::Serialize;

/// A file to be put into place by the administrator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct File {
    /// Below the root, without a leading slash.
    pub path: String,
    /// All of it.
    pub text: String,
}

/// How what was advised is made to last here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Places {
    /// Files to install.
    pub files: Vec<File>,
    /// Commands that make them count, and what has no file.
    pub install: Vec<String>,
    /// Commands that take it back.
    pub remove: Vec<String>,
}

/// Where all of this advice goes on the host below `root`.
pub fn places(list: &[Advice], root: &Root) -> Places {
    let mut places = Places::default();
    for advice in list {
        if let Setting::Policy { device, policy } = &advice.setting {
            places.install.push(format!(
                "iova policy try {device} {policy} --flush, keep it, and then iova policy persist {device}"
            ));
            places.remove.push(format!("iova policy forget {device}; iova policy revert {device}"));
        }
    }
    let mut options: Vec<&str> = Vec::new();
    for advice in list {
        match advice.setting {
            Setting::BootOption { option } if !options.contains(&option) => options.push(option),
            _ => {}
        }
    }
    if !options.is_empty() {
        CommandLine::of(root).put(&options, root, &mut places);
    }
    udev_rules(list, &mut places);
    places
}

fn udev_rules(list: &[Advice], places: &mut Places) {
    let rules: Vec<(&str, String)> = list.iter().filter_map(udev::rule).collect();
    if rules.is_empty() {
        return;
    }
    let mut text = String::new();
    let mut subsystems = String::new();
    for (subsystem, rule) in &rules {
        // A group of several devices, or two pieces of advice for one disk, may say the same.
        if !text.contains(rule.as_str()) {
            text.push_str(rule);
        }
        let matching = format!(" --subsystem-match={subsystem}");
        if !subsystems.contains(&matching) {
            subsystems.push_str(&matching);
        }
    }
    places.files.push(File { path: udev::FILE.to_owned(), text });
    places
        .install
        .push(format!("udevadm control --reload; udevadm trigger --action=change{subsystems} --settle"));
    places.remove.push(format!(
        "rm /{}; udevadm control --reload; what was set stays until the next boot",
        udev::FILE
    ));
}

#[cfg(test)]
mod tests;
