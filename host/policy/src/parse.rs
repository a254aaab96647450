//! From the text of an entry file to checked entries and tests, with every mistake and its place.
//!
//! A syntax error spoils the entry or test that it stands in, not the others: those are checked as
//! usual, so that one run shows everything there is to correct.

mod clause;
mod entry;
mod reader;
mod test;
mod value;
mod weakness;

use std::{ops::Range, sync::Arc};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use self::reader::{Mistake, Reader};
use crate::{
    Entry, ErrorKind, LoadOptions, PolicyError, SourceFile, Vocabulary, limits, near::nearest,
};

pub(crate) use self::test::{Case, Expected};

/// What entries may be about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words<'a> {
    pub(crate) vocabulary: &'a Vocabulary,
    pub(crate) options: &'a LoadOptions,
}

/// Where a name was given, for finding it given twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) file: Arc<str>,
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// What one file, or all of them, hold.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    pub(crate) entries: Vec<Entry>,
    /// The names of all entries, of those with mistakes too.
    pub(crate) names: Vec<Named>,
    pub(crate) tests: Vec<Case>,
    pub(crate) errors: Vec<PolicyError>,
}

impl Parsed {
    pub(crate) fn append(&mut self, mut other: Self) {
        self.entries.append(&mut other.entries);
        self.names.append(&mut other.names);
        self.tests.append(&mut other.tests);
        self.errors.append(&mut other.errors);
    }
}

/// Parses one file.
pub(crate) fn parse(file: &SourceFile, words: Words<'_>) -> Parsed {
    let mut parsed = Parsed::default();
    let mut reader = Reader::new(file, words);
    if file.text.len() > limits::MAX_FILE_BYTES {
        let message = format!(
            "the file has {} bytes, the limit is {}",
            file.text.len(),
            limits::MAX_FILE_BYTES
        );
        reader.report(Mistake::new(ErrorKind::Limit, 0, "", message).advise("split it"));
    } else {
        let (document, syntax) = DeTable::parse_recoverable(&file.text);
        let broken: Vec<usize> = syntax.iter().map(|error| reader.report_syntax(error)).collect();
        sections(&mut reader, document.get_ref(), &broken, &mut parsed);
    }
    parsed.errors = reader.into_errors();
    parsed
}

fn sections(
    reader: &mut Reader<'_>,
    document: &DeTable<'_>,
    broken: &[usize],
    parsed: &mut Parsed,
) {
    let is_whole = |range: &Range<usize>| !broken.iter().any(|at| range.contains(at));
    for (name, value) in document {
        match name.get_ref().as_ref() {
            "entry" => {
                for (table, range) in tables(reader, "entry", value) {
                    if is_whole(&range) {
                        entry::read(reader, table, range.start, parsed);
                    }
                }
            }
            "test" => {
                for (table, range) in tables(reader, "test", value) {
                    if is_whole(&range) {
                        parsed.tests.extend(test::read(reader, table, range.start));
                    }
                }
            }
            // What a broken header leaves behind is not worth a second error.
            _ if !broken.is_empty() => {}
            other => {
                let message = format!("there is no section '{other}'");
                let mistake =
                    Mistake::new(ErrorKind::UnknownField, name.span().start, other, message);
                let mistake = mistake.nearest(nearest(other, ["entry", "test"]));
                reader.report(mistake.advise("a file holds [[entry]] and [[test]]"));
            }
        }
    }
}

/// The tables of an array of tables, each with the bytes from its start to that of the next.
fn tables<'t, 'i>(
    reader: &mut Reader<'_>,
    key: &str,
    value: &'t Spanned<DeValue<'i>>,
) -> Vec<(&'t DeTable<'i>, Range<usize>)> {
    let DeValue::Array(array) = value.get_ref() else {
        let message = format!("'{key}' is not a list of tables");
        let mistake = Mistake::new(ErrorKind::Value, value.span().start, key, message);
        reader.report(mistake.advise(format!("begin each with [[{key}]]")));
        return Vec::new();
    };
    let starts: Vec<usize> = array.iter().map(|item| item.span().start).collect();
    let ends = starts.iter().skip(1).copied().chain([usize::MAX]);
    let mut tables = Vec::new();
    for ((item, start), end) in array.iter().zip(&starts).zip(ends) {
        match item.get_ref() {
            DeValue::Table(table) => tables.push((table, *start..end)),
            other => {
                let message =
                    format!("an item of '{key}' is not a table but of type {}", other.type_str());
                reader.report(Mistake::new(ErrorKind::Value, *start, key, message));
            }
        }
    }
    tables
}
