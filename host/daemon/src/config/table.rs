//! Reading a TOML table key by key, so that one pass finds every mistake in it.
//!
//! `serde` stops at the first error; an operator wants all of them, each with line and key. A
//! [`Table`] hands out values one key at a time, notes what does not fit, and at the end complains
//! about every key that nobody asked for, with the nearest one that somebody did.

use std::{borrow::Cow, cell::RefCell, rc::Rc};

use serde::Deserialize;
use toml::{
    Spanned,
    de::{DeTable, DeValue, ValueDeserializer},
};

use super::{ConfigError, Place};

/// One file's text and the errors found in it so far.
#[derive(Debug)]
pub(super) struct Source {
    name: String,
    text: String,
    errors: RefCell<Vec<ConfigError>>,
}

impl Source {
    pub(super) fn new(name: &str, text: &str) -> Rc<Self> {
        Rc::new(Self { name: name.to_owned(), text: text.to_owned(), errors: RefCell::default() })
    }

    /// Notes an error at a byte of the text.
    pub(super) fn complain(&self, at: usize, key: &str, message: impl Into<String>) {
        self.errors.borrow_mut().push(self.place(at).error(key, message));
    }

    fn place(&self, at: usize) -> Place {
        let before = self.text.get(..at).unwrap_or(&self.text);
        Place { file: self.name.clone(), line: Some(before.matches('\n').count() + 1) }
    }

    pub(super) fn into_errors(self: Rc<Self>) -> Vec<ConfigError> {
        self.errors.take()
    }
}

/// A table that is being read.
#[derive(Debug)]
pub(super) struct Table<'a> {
    source: &'a Source,
    path: String,
    /// Where it begins.
    at: usize,
    rest: DeTable<'a>,
    asked: Vec<Asked>,
}

/// A key that was asked for.
#[derive(Debug)]
struct Asked {
    key: &'static str,
    /// Where its value begins, if it is there.
    at: Option<usize>,
    /// Its value is not of the type that it should be of.
    misfits: bool,
}

impl<'a> Table<'a> {
    /// The whole file; syntax errors are noted, and what could be understood is read on.
    pub(super) fn parse(source: &'a Source) -> Self {
        let (table, errors) = DeTable::parse_recoverable(&source.text);
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            source.complain(at, "", error.message());
        }
        Self { source, path: String::new(), at: 0, rest: table.into_inner(), asked: Vec::new() }
    }

    fn key_path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn remove(&mut self, key: &'static str) -> Option<Spanned<DeValue<'a>>> {
        let probe = Spanned::new(0..0, Cow::Borrowed(key));
        let found = self.rest.remove(&probe);
        let at = found.as_ref().map(|value| value.span().start);
        self.asked.push(Asked { key, at, misfits: false });
        found
    }

    /// The value of a key as any deserialisable type; none if it is absent or does not fit, which
    /// is noted.
    pub(super) fn take<T: for<'de> Deserialize<'de>>(&mut self, key: &'static str) -> Option<T> {
        let value = self.remove(key)?;
        let at = value.span().start;
        match T::deserialize(ValueDeserializer::from(value)) {
            Ok(value) => Some(value),
            Err(error) => {
                self.source.complain(at, &self.key_path(key), error.message());
                self.asked.iter_mut().rev().take(1).for_each(|asked| asked.misfits = true);
                None
            }
        }
    }

    /// As [`Self::take`], then converted; what the conversion refuses is noted with the same place.
    pub(super) fn convert<T: for<'de> Deserialize<'de>, U, E: ToString>(
        &mut self,
        key: &'static str,
        convert: impl FnOnce(T) -> Result<U, E>,
    ) -> Option<U> {
        let value = self.take(key)?;
        convert(value).map_err(|error| self.complain(key, error.to_string())).ok()
    }

    /// A table below this one, read by `read`; an absent one is read as empty.
    pub(super) fn table<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Self) -> T) -> T {
        let path = self.key_path(key);
        let value = self.remove(key);
        let at = value.as_ref().map_or(self.at, |value| value.span().start);
        let rest = value.map_or_else(DeTable::new, |value| self.as_table(&path, value));
        Self { source: self.source, path, at, rest, asked: Vec::new() }.read(read)
    }

    /// Every table below the table `key`, with its name: `[plugins.unix]`, `[plugins.container]`.
    pub(super) fn tables<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&str, &mut Self) -> T,
    ) -> Vec<T> {
        let Some(value) = self.remove(key) else { return Vec::new() };
        let path = self.key_path(key);
        let mut all = Vec::new();
        for (name, value) in self.as_table(&path, value) {
            let path = format!("{path}.{}", name.get_ref());
            let at = name.span().start;
            let rest = self.as_table(&path, value);
            let table = Self { source: self.source, path, at, rest, asked: Vec::new() };
            all.push(table.read(|table| read(name.get_ref(), table)));
        }
        all
    }

    fn as_table(&self, path: &str, value: Spanned<DeValue<'a>>) -> DeTable<'a> {
        let at = value.span().start;
        match value.into_inner() {
            DeValue::Table(table) => table,
            other => {
                let message = format!("expected a table, found {}", other.type_str());
                self.source.complain(at, path, message);
                DeTable::new()
            }
        }
    }

    /// Reads, then complains about what is left over.
    pub(super) fn read<T>(mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let value = read(&mut self);
        for key in self.rest.keys() {
            let nearest = self
                .asked
                .iter()
                .map(|asked| (strsim::osa_distance(asked.key, key.get_ref()), asked.key))
                .min()
                .filter(|(distance, _)| *distance <= 3);
            let message = match nearest {
                Some((_, known)) => format!("unknown key; did you mean {known}?"),
                None => {
                    let known: Vec<_> = self.asked.iter().map(|asked| asked.key).collect();
                    format!("unknown key; the keys here are {}", known.join(", "))
                }
            };
            self.source.complain(key.span().start, &self.key_path(key.get_ref()), message);
        }
        value
    }

    /// Notes an error about a key, or about this table as a whole if the key is empty or was not
    /// found.
    pub(super) fn complain(&self, key: &str, message: impl Into<String>) {
        let path = if key.is_empty() { self.path.clone() } else { self.key_path(key) };
        self.source.complain(self.found(key), &path, message);
    }

    /// The file and the line of a key, or of this table if it was not found.
    pub(super) fn place(&self, key: &str) -> Place {
        self.source.place(self.found(key))
    }

    /// Whether a key that was asked for is there.
    pub(super) fn has(&self, key: &str) -> bool {
        self.asked.iter().any(|asked| asked.key == key && asked.at.is_some())
    }

    /// Whether the value of a key was of another type than it should be.
    pub(super) fn misfits(&self, key: &str) -> bool {
        self.asked.iter().any(|asked| asked.key == key && asked.misfits)
    }

    fn found(&self, key: &str) -> usize {
        let asked = self.asked.iter().find(|asked| asked.key == key);
        asked.and_then(|asked| asked.at).unwrap_or(self.at)
    }
}
