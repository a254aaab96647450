//! From the text of a lock file to its pins, with every mistake and its place.

use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use serde::Deserialize;
use toml::{
    Spanned,
    de::{DeTable, DeValue, ValueDeserializer},
};
use witgate_identity::PluginName;

use super::{LockMistake, LockMistakes, Pin};
use crate::{
    Note,
    limits::{LOCK_BYTES, LOCK_MISTAKES, LOCK_PLUGINS, MISTAKE_BYTES},
    note::is_printable,
    parse_version,
};

/// The one format there is.
const FORMAT: i64 = 1;

pub(super) fn parse(file: &str, text: &str) -> Result<BTreeMap<PluginName, Pin>, LockMistakes> {
    let text_read = if text.len() > LOCK_BYTES { "" } else { text };
    let source = Source { file, text: text_read, mistakes: RefCell::default(), more: Cell::new(0) };
    if text.len() > LOCK_BYTES {
        let size = text.len();
        source.complain(0, "", format!("it has {size} bytes, the limit is {LOCK_BYTES}"));
        return Err(source.into_mistakes());
    }
    let (document, syntax) = DeTable::parse_recoverable(text);
    for error in &syntax {
        source.complain(error.span().map_or(0, |span| span.start), "", error.message());
    }
    // What a syntax error leaves behind is not worth a second mistake.
    let pins = if syntax.is_empty() { read_file(&source, document) } else { BTreeMap::new() };
    let mistakes = source.into_mistakes();
    if mistakes.0.is_empty() { Ok(pins) } else { Err(mistakes) }
}

fn read_file(source: &Source<'_>, document: Spanned<DeTable<'_>>) -> BTreeMap<PluginName, Pin> {
    let start = document.span().start;
    let mut table = Table { source, at: start, path: String::new(), rest: document.into_inner() };
    table.required("version", |format: i64| {
        (format == FORMAT).then_some(()).ok_or_else(|| {
            format!("the format is {format}, and this witgate knows {FORMAT}; use a newer one")
        })
    });
    let mut pins = BTreeMap::new();
    for (number, plugin) in table.tables("plugin").into_iter().enumerate() {
        if number == LOCK_PLUGINS {
            plugin.complain(format!("the limit is {LOCK_PLUGINS} plugins"));
        }
        let (at, path) = (plugin.at, plugin.path.clone());
        let Some(pin) = read_pin(plugin, number + 1) else { continue };
        let name = pin.name.clone();
        if pins.insert(name.clone(), pin).is_some() {
            let key = format!("{path}.{name}");
            source.complain(at, &key, format!("plugin {name} is here twice; remove one"));
        }
    }
    table.finish(&["version", "plugin"]);
    pins
}

fn read_pin(mut table: Table<'_, '_>, number: usize) -> Option<Pin> {
    table.path = format!("plugin.{number}");
    let name = table.required("name", |name: String| PluginName::new(name));
    if let Some(name) = &name {
        table.path = format!("plugin.{name}");
    }
    let version = table.required("version", |text: String| parse_version(&text));
    let sha256 = table.required("sha256", |text: String| text.parse());
    let source = table.required("source", |text: String| Note::new(text));
    let signed_by = table.optional("signed_by", |text: String| Note::new(text));
    table.finish(&["name", "version", "sha256", "source", "signed_by"]);
    Some(Pin { name: name?, version: version?, sha256: sha256?, source: source?, signed_by })
}

/// One file's text and the mistakes found in it so far.
struct Source<'a> {
    file: &'a str,
    text: &'a str,
    mistakes: RefCell<Vec<LockMistake>>,
    /// How many more there were than are kept.
    more: Cell<usize>,
}

impl Source<'_> {
    /// Notes a mistake at a byte of the text.
    fn complain(&self, at: usize, key: &str, message: impl Into<String>) {
        let mut mistakes = self.mistakes.borrow_mut();
        if mistakes.len() >= LOCK_MISTAKES {
            self.more.set(self.more.get() + 1);
            return;
        }
        let before = self.text.get(..at).unwrap_or(self.text);
        mistakes.push(LockMistake {
            file: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            key: harmless(key),
            message: harmless(&message.into()),
        });
    }

    fn into_mistakes(self) -> LockMistakes {
        let mut mistakes = self.mistakes.into_inner();
        if let (1.., Some(last)) = (self.more.get(), mistakes.last().cloned()) {
            let message = format!("and {} more mistakes", self.more.get());
            mistakes.push(LockMistake { key: String::new(), message, ..last });
        }
        mistakes.sort();
        LockMistakes(mistakes)
    }
}

/// One line of at most [`MISTAKE_BYTES`] that can be shown: keys of the file, and what the TOML parser
/// quotes, may be anything.
fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_printable(c) {
            shown.push(c);
        } else {
            shown.extend(c.escape_unicode());
        }
        if shown.len() > MISTAKE_BYTES {
            shown.truncate(shown.floor_char_boundary(MISTAKE_BYTES));
            shown.push('…');
            break;
        }
    }
    shown
}

/// A table that is being read: keys are taken out of it, and what is left over is a mistake.
struct Table<'s, 'i> {
    source: &'s Source<'s>,
    at: usize,
    path: String,
    rest: DeTable<'i>,
}

impl<'s, 'i> Table<'s, 'i> {
    fn take(&mut self, key: &'static str) -> Option<Spanned<DeValue<'i>>> {
        self.rest.remove(&Spanned::new(0..0, Cow::Borrowed(key)))
    }

    /// A value that must be there.
    fn required<T: for<'de> Deserialize<'de>, U, E: ToString>(
        &mut self,
        key: &'static str,
        check: impl FnOnce(T) -> Result<U, E>,
    ) -> Option<U> {
        if !self.rest.contains_key(key) {
            self.source.complain(self.at, &self.key(key), "missing");
        }
        self.optional(key, check)
    }

    /// A value of the wrong type or form is noted, and is none.
    fn optional<T: for<'de> Deserialize<'de>, U, E: ToString>(
        &mut self,
        key: &'static str,
        check: impl FnOnce(T) -> Result<U, E>,
    ) -> Option<U> {
        let value = self.take(key)?;
        let at = value.span().start;
        let read = T::deserialize(ValueDeserializer::from(value))
            .map_err(|error| error.message().to_owned())
            .and_then(|value| check(value).map_err(|error| error.to_string()));
        read.map_err(|message| self.source.complain(at, &self.key(key), message)).ok()
    }

    /// The tables of `[[key]]`.
    fn tables(&mut self, key: &'static str) -> Vec<Self> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let (source, path, at) = (self.source, self.key(key), value.span().start);
        let DeValue::Array(items) = value.into_inner() else {
            source.complain(at, &path, format!("begin each {key} with [[{key}]]"));
            return Vec::new();
        };
        let as_table = |item: Spanned<DeValue<'i>>| {
            let at = item.span().start;
            match item.into_inner() {
                DeValue::Table(rest) => Some(Self { source, at, path: path.clone(), rest }),
                other => {
                    let message = format!("expected a table, found {}", other.type_str());
                    source.complain(at, &path, message);
                    None
                }
            }
        };
        items.into_iter().filter_map(as_table).collect()
    }

    fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn complain(&self, message: String) {
        self.source.complain(self.at, &self.path, message);
    }

    /// Notes what nobody asked for.
    fn finish(self, known: &[&str]) {
        for key in self.rest.keys() {
            let message = format!("unknown key; the keys here are {}", known.join(", "));
            self.source.complain(key.span().start, &self.key(key.get_ref()), message);
        }
    }
}
