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

use super::ConfigError;

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
        let before = self.text.get(..at).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        self.errors.borrow_mut().push(ConfigError {
            file: self.name.clone(),
            line: Some(line),
            key: key.to_owned(),
            message: message.into(),
        });
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
    rest: DeTable<'a>,
    asked: Vec<&'static str>,
}

impl<'a> Table<'a> {
    /// The whole file; syntax errors are noted, and what could be understood is read on.
    pub(super) fn parse(source: &'a Source) -> Self {
        let (table, errors) = DeTable::parse_recoverable(&source.text);
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            source.complain(at, "", error.message());
        }
        Self { source, path: String::new(), rest: table.into_inner(), asked: Vec::new() }
    }

    fn key_path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn remove(&mut self, key: &'static str) -> Option<Spanned<DeValue<'a>>> {
        let probe = Spanned::new(0..0, Cow::Borrowed(key));
        self.rest.remove(&probe)
    }

    /// The value of a key as any deserialisable type; none if it is absent or does not fit, which
    /// is noted.
    pub(super) fn take<T: for<'de> Deserialize<'de>>(&mut self, key: &'static str) -> Option<T> {
        self.asked.push(key);
        let value = self.remove(key)?;
        let at = value.span().start;
        match T::deserialize(ValueDeserializer::from(value)) {
            Ok(value) => Some(value),
            Err(error) => {
                self.source.complain(at, &self.key_path(key), error.message());
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
        let at = self.at(key);
        let value = self.take(key)?;
        convert(value)
            .map_err(|error| self.source.complain(at, &self.key_path(key), error.to_string()))
            .ok()
    }

    /// Where the value of a key begins.
    fn at(&self, key: &'static str) -> usize {
        let probe = Spanned::new(0..0, Cow::Borrowed(key));
        self.rest.get(&probe).map_or(0, |value| value.span().start)
    }

    /// A table below this one, read by `read`; an absent one is read as empty.
    pub(super) fn table<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Self) -> T) -> T {
        self.asked.push(key);
        let path = self.key_path(key);
        let rest = self.remove(key).map_or_else(DeTable::new, |value| self.as_table(&path, value));
        Self { source: self.source, path, rest, asked: Vec::new() }.read(read)
    }

    /// Every table below the table `key`, with its name: `[plugins.unix]`, `[plugins.container]`.
    pub(super) fn tables<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&str, &mut Self) -> T,
    ) -> Vec<T> {
        self.asked.push(key);
        let Some(value) = self.remove(key) else { return Vec::new() };
        let path = self.key_path(key);
        let mut all = Vec::new();
        for (name, value) in self.as_table(&path, value) {
            let path = format!("{path}.{}", name.get_ref());
            let rest = self.as_table(&path, value);
            let table = Self { source: self.source, path, rest, asked: Vec::new() };
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
                .map(|known| (strsim::osa_distance(known, key.get_ref()), known))
                .min()
                .filter(|(distance, _)| *distance <= 3);
            let message = match nearest {
                Some((_, known)) => format!("unknown key; did you mean {known}?"),
                None => format!("unknown key; the keys here are {}", self.asked.join(", ")),
            };
            self.source.complain(key.span().start, &self.key_path(key.get_ref()), message);
        }
        value
    }

    /// Notes an error about this table as a whole.
    pub(super) fn complain(&self, key: &str, message: impl Into<String>) {
        self.source.complain(0, &self.key_path(key), message);
    }
}
