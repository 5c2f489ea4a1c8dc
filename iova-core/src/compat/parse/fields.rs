//! Reading a TOML table key by key. Whatever is wrong becomes a complaint with its line, and reading goes on, so that one
//! run of the linter names everything.

use std::cell::RefCell;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::super::complaint::{Complaint, line, shown};

/// A file, and what is wrong with it so far.
pub(super) struct Reader<'t> {
    pub(super) file: &'t str,
    pub(super) text: &'t str,
    complaints: RefCell<Vec<Complaint>>,
}

/// A table of it.
pub(super) struct Fields<'r, 't> {
    reader: &'r Reader<'t>,
    table: &'r DeTable<'t>,
    /// Where it begins.
    pub(super) at: usize,
    /// Its heading, for people.
    heading: &'static str,
}

/// A value and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) at: usize,
}

impl<'t> Reader<'t> {
    pub(super) fn new(file: &'t str, text: &'t str) -> Self {
        Self { file, text, complaints: RefCell::new(Vec::new()) }
    }

    pub(super) fn complain(&self, at: usize, reason: impl Into<String>) {
        let complaint =
            Complaint { file: self.file.to_owned(), line: line(self.text, at), reason: reason.into() };
        self.complaints.borrow_mut().push(complaint);
    }

    /// By line.
    pub(super) fn into_complaints(self) -> Vec<Complaint> {
        let mut complaints = self.complaints.into_inner();
        complaints.sort_by_key(|complaint| complaint.line);
        complaints
    }
}

impl<'r, 't> Fields<'r, 't> {
    pub(super) fn new(
        reader: &'r Reader<'t>,
        table: &'r DeTable<'t>,
        at: usize,
        heading: &'static str,
    ) -> Self {
        Self { reader, table, at, heading }
    }

    fn find(&self, key: &str) -> Option<&'r Spanned<DeValue<'t>>> {
        self.table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
    }

    /// Complains about every key that is not one of `known`.
    pub(super) fn only(&self, known: &[&str]) {
        for name in self.table.keys().filter(|name| !known.contains(&&**name.get_ref())) {
            let reason = format!(
                "'{}' is no key of {}: use {}",
                shown(name.get_ref()),
                self.heading,
                known.join(", ")
            );
            self.reader.complain(name.span().start, reason);
        }
    }

    /// Complains if `key` is not there.
    pub(super) fn need(&self, key: &str) {
        if self.find(key).is_none() {
            self.reader.complain(self.at, format!("{} lacks '{key}'", self.heading));
        }
    }

    /// A value that `take` accepts; what else is there gets the complaint that `allowed` is to be used.
    fn take<T>(
        &self,
        key: &str,
        allowed: &str,
        take: impl FnOnce(&'r DeValue<'t>) -> Option<T>,
    ) -> Option<At<T>> {
        let found = self.find(key)?;
        let at = found.span().start;
        let value = take(found.get_ref());
        if value.is_none() {
            self.reader.complain(at, format!("{key}: use {allowed}"));
        }
        Some(At { value: value?, at })
    }

    pub(super) fn text(&self, key: &str) -> Option<At<&'r str>> {
        self.take(key, "a text in quotes", DeValue::as_str)
    }

    /// A text that `parse` understands.
    pub(super) fn parsed<T>(
        &self,
        key: &str,
        allowed: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<At<T>> {
        self.take(key, allowed, |value| parse(value.as_str()?))
    }

    pub(super) fn number(&self, key: &str) -> Option<At<i64>> {
        self.take(key, "a whole number", |value| {
            let number = value.as_integer()?;
            i64::from_str_radix(number.as_str(), number.radix()).ok()
        })
    }

    pub(super) fn flag(&self, key: &str) -> Option<At<bool>> {
        self.take(key, "true or false, without quotes", DeValue::as_bool)
    }

    /// A list of texts, each with its place.
    pub(super) fn texts(&self, key: &str) -> Option<At<Vec<At<&'r str>>>> {
        self.take(key, "a list of texts, as in [\"one\", \"two\"]", |value| {
            let text = |item: &'r Spanned<DeValue<'t>>| {
                Some(At { value: item.get_ref().as_str()?, at: item.span().start })
            };
            value.as_array()?.iter().map(text).collect()
        })
    }

    /// The table `[key]`.
    pub(super) fn table(&self, key: &str, heading: &'static str) -> Option<Fields<'r, 't>> {
        let found = self.take(key, &format!("a table under {heading}"), DeValue::as_table)?;
        Some(Fields::new(self.reader, found.value, found.at, heading))
    }

    /// The tables `[[key]]`.
    pub(super) fn tables(&self, key: &str, heading: &'static str) -> Vec<Fields<'r, 't>> {
        let found = self.take(key, &format!("one table or more, each under {heading}"), |value| {
            let table = |item: &'r Spanned<DeValue<'t>>| {
                let (at, table) = (item.span().start, item.get_ref().as_table()?);
                Some(Fields::new(self.reader, table, at, heading))
            };
            value.as_array()?.iter().map(table).collect::<Option<Vec<_>>>()
        });
        found.map(|found| found.value).unwrap_or_default()
    }

    pub(super) fn complain(&self, at: usize, reason: impl Into<String>) {
        self.reader.complain(at, reason);
    }
}
