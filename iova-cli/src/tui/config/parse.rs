//! From text to settings. Whatever is wrong is named with its line, its key and what is allowed.

use super::super::columns::{self, COLUMNS};
use super::super::habits::{Habits, Palette, Sort};
use super::super::layout::Field;
use super::Config;
use crate::duration;
use iova_core::probe::Profile;
use std::collections::BTreeMap;
use std::path::Path;
use toml::{Spanned, Value};

/// One setting.
struct Key {
    name: &'static str,
    /// As it stands in the file that is written.
    usual: fn() -> String,
    /// What it is, for people who write it.
    about: &'static str,
    /// Takes a value over, or says what is allowed.
    take: fn(&Value, &mut Wanted) -> Result<(), String>,
}

/// What the file says so far.
#[derive(Default)]
struct Wanted {
    config: Config,
    sort: Option<Field>,
    descending: Option<bool>,
}

const KEYS: &[Key] = &[
    Key {
        name: "interval",
        usual: || "\"1s\"".into(),
        about: "Time between two looks: \"500ms\", \"1s\", \"1m\".",
        take: |value, wanted| {
            let text = value.as_str().ok_or("use a time in quotes, as in \"500ms\", \"1s\" or \"1m\"")?;
            wanted.config.interval = duration::parse(text)?;
            Ok(())
        },
    },
    Key {
        name: "profile",
        usual: || quoted(Profile::Default.name()),
        about: "How closely to look: \"light\", \"default\" or \"full\".",
        take: |value, wanted| {
            wanted.config.profile = one_of(value, &Profile::ALL, |profile| profile.name())?;
            Ok(())
        },
    },
    Key {
        name: "theme",
        usual: || quoted(Palette::default().name()),
        about: "Colours for a \"dark\" or a \"light\" background, or none: \"mono\". NO_COLOR always means mono.",
        take: |value, wanted| {
            wanted.config.habits.palette = one_of(value, &Palette::ALL, |palette| palette.name())?;
            Ok(())
        },
    },
    Key {
        name: "ascii",
        usual: || false.to_string(),
        about: "ASCII characters only.",
        take: |value, wanted| yes_or_no(value, &mut wanted.config.ascii),
    },
    Key {
        name: "mouse",
        usual: || false.to_string(),
        about: "Take clicks and the wheel; the terminal selects text with Shift then.",
        take: |value, wanted| yes_or_no(value, &mut wanted.config.habits.mouse),
    },
    Key {
        name: "hide-idle",
        usual: || false.to_string(),
        about: "Hide devices that do nothing.",
        take: |value, wanted| yes_or_no(value, &mut wanted.config.habits.hide_idle),
    },
    Key {
        name: "sort",
        usual: || quoted(Habits::default().sort.by.title()),
        about: "Column to sort by: \"device\", \"name\", \"driver\", \"policy\", or one of those in columns.",
        take: |value, wanted| {
            let field = value.as_str().and_then(Field::find);
            let field = field.ok_or_else(|| format!("use device, name, driver, policy, {}", titles()))?;
            wanted.sort = Some(field);
            Ok(())
        },
    },
    Key {
        name: "order",
        usual: || quoted("descending"),
        about: "Largest first: \"descending\"; or \"ascending\".",
        take: |value, wanted| {
            let descending =
                one_of(
                    value,
                    &[true, false],
                    |descending| {
                        if descending { "descending" } else { "ascending" }
                    },
                )?;
            wanted.descending = Some(descending);
            Ok(())
        },
    },
    Key {
        name: "columns",
        usual: || {
            let titles = Habits::default().columns.into_iter().map(|column| Field::Figure(column).title());
            format!("[{}]", titles.map(quoted).collect::<Vec<_>>().join(", "))
        },
        about: "Columns of figures from left to right, by title or name of the metric.",
        take: |value, wanted| {
            wanted.config.habits.columns = column_list(value)?;
            Ok(())
        },
    },
    Key {
        name: "read-only",
        usual: || false.to_string(),
        about: "Change nothing on this host, whatever is pressed.",
        take: |value, wanted| yes_or_no(value, &mut wanted.config.read_only),
    },
];

/// What is wrong with a file, and in which line of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    line: usize,
    what: String,
}

impl Fault {
    pub(super) fn of(&self, path: &Path) -> String {
        format!("{}, line {}: {}", path.display(), self.line, self.what)
    }
}

pub(super) fn parse(text: &str) -> Result<Config, Fault> {
    let fault = |at: usize, what: String| Fault { line: line(text, at), what };
    let entries: BTreeMap<Spanned<String>, Spanned<Value>> = toml::from_str(text).map_err(|error| {
        fault(error.span().map_or(0, |span| span.start), error.message().replace('\n', ", "))
    })?;
    let mut entries: Vec<_> = entries.into_iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    let mut wanted = Wanted::default();
    for (name, value) in &entries {
        let Some(key) = KEYS.iter().find(|key| key.name == name.get_ref()) else {
            let names: Vec<_> = KEYS.iter().map(|key| key.name).collect();
            let what = format!("'{}' is no key here: use {}", brief(name.get_ref()), names.join(", "));
            return Err(fault(name.span().start, what));
        };
        (key.take)(value.get_ref(), &mut wanted)
            .map_err(|allowed| fault(value.span().start, format!("{}: {allowed}", key.name)))?;
    }
    Ok(finish(wanted))
}

/// What the table is sorted by is shown.
fn finish(wanted: Wanted) -> Config {
    let Wanted { mut config, sort, descending } = wanted;
    let habits = &mut config.habits;
    let first = habits.columns.first().map_or(Field::Device, |&column| Field::Figure(column));
    habits.sort = Sort::by(sort.unwrap_or(first));
    habits.sort.descending = descending.unwrap_or(habits.sort.descending);
    if let Field::Figure(column) = habits.sort.by
        && !habits.columns.contains(&column)
    {
        habits.columns.push(column);
    }
    config
}

/// Counted from 1.
fn line(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|&byte| byte == b'\n').count() + 1
}

/// Enough to find it again.
fn brief(text: &str) -> String {
    text.chars().take(40).collect()
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

fn yes_or_no(value: &Value, to: &mut bool) -> Result<(), String> {
    *to = value.as_bool().ok_or("use true or false, without quotes")?;
    Ok(())
}

fn one_of<T: Copy>(value: &Value, all: &[T], name: fn(T) -> &'static str) -> Result<T, String> {
    let found = value.as_str().and_then(|text| all.iter().copied().find(|&one| name(one) == text));
    found.ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|&one| quoted(name(one))).collect();
        format!("use one of {}", names.join(", "))
    })
}

fn titles() -> String {
    COLUMNS.iter().map(|column| column.title).collect::<Vec<_>>().join(", ")
}

fn column_list(value: &Value) -> Result<Vec<usize>, String> {
    let words = value.as_array().ok_or("use a list of columns, as in [\"allocs/s\", \"p99\"]")?;
    let mut found = Vec::new();
    for word in words {
        let column = word.as_str().and_then(columns::find).ok_or_else(|| {
            format!("{} is no column of figures: use {}", brief(&word.to_string()), titles())
        })?;
        if found.contains(&column) {
            return Err(format!("{} is there twice: once is enough", brief(&word.to_string())));
        }
        found.push(column);
    }
    Ok(found)
}

/// A file in which everything is as it is without one, and explained.
pub(super) fn usual() -> String {
    let mut text = "# iova top: what it does unless the command line says otherwise.\n\
                    # Take the # away from a line to change it.\n"
        .to_owned();
    for key in KEYS {
        text += &format!("\n# {}\n", key.about);
        if key.name == "columns" {
            text += &every_column();
        }
        text += &format!("#{} = {}\n", key.name, (key.usual)());
    }
    text
}

fn every_column() -> String {
    let line = |column: &columns::Column| format!("#   {:11} {}\n", column.title, column.metric);
    COLUMNS.iter().map(line).collect()
}
