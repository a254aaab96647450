use std::sync::Arc;

use super::Words;
use crate::{
    ErrorKind, PolicyError, SourceFile,
    limits::{MAX_ERRORS_PER_FILE, MAX_SAID},
};

/// A mistake at a byte of the file.
#[derive(Debug)]
pub(super) struct Mistake {
    kind: ErrorKind,
    at: usize,
    key: String,
    message: String,
    advice: Option<String>,
    nearest: Option<String>,
}

impl Mistake {
    pub(super) fn new(
        kind: ErrorKind,
        at: usize,
        key: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self { kind, at, key: key.into(), message: message.into(), advice: None, nearest: None }
    }

    pub(super) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    pub(super) fn nearest(mut self, name: Option<&str>) -> Self {
        self.nearest = name.map(str::to_owned);
        self
    }
}

/// One file being read: knows the place of every byte and keeps the mistakes.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) file: Arc<str>,
    pub(super) words: Words<'a>,
    text: &'a str,
    /// Where each line starts.
    lines: Vec<usize>,
    errors: Vec<PolicyError>,
    dropped: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: &'a SourceFile, words: Words<'a>) -> Self {
        let breaks = file.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect();
        let (file, text) = (file.name.as_str().into(), file.text.as_str());
        Self { file, words, text, lines, errors: Vec::new(), dropped: 0 }
    }

    /// Line and column of a byte, from 1; the column in characters.
    pub(super) fn place(&self, at: usize) -> (usize, usize) {
        let line = self.lines.partition_point(|start| *start <= at).max(1);
        let start = self.lines.get(line - 1).copied().unwrap_or(0);
        // A span may end inside a character of a broken text.
        let end =
            (start..=at.min(self.text.len())).rev().find(|at| self.text.is_char_boundary(*at));
        let before = end.and_then(|end| self.text.get(start..end)).unwrap_or_default();
        (line, before.chars().count() + 1)
    }

    pub(super) fn report(&mut self, mistake: Mistake) {
        if self.errors.len() >= MAX_ERRORS_PER_FILE {
            self.dropped += 1;
            return;
        }
        let (line, column) = self.place(mistake.at);
        let Mistake { kind, key, message, advice, nearest, .. } = mistake;
        let (key, message) = (harmless(&key), harmless(&message));
        let advice = advice.as_deref().map(harmless);
        let file = self.file.to_string();
        self.errors.push(PolicyError { file, line, column, key, kind, message, advice, nearest });
    }

    /// Reports what is not TOML; gives its place.
    pub(super) fn report_syntax(&mut self, error: &toml::de::Error) -> usize {
        let at = error.span().map_or(0, |span| span.start);
        let message = format!("not TOML: {}", error.message());
        self.report(Mistake::new(ErrorKind::Syntax, at, "", message));
        at
    }

    /// How many mistakes so far.
    pub(super) fn mistakes(&self) -> usize {
        self.errors.len() + self.dropped
    }

    pub(super) fn into_errors(mut self) -> Vec<PolicyError> {
        if let (1.., Some(last)) = (self.dropped, self.errors.last().cloned()) {
            let message = format!("and {} more mistakes in this file", self.dropped);
            let kind = ErrorKind::Limit;
            self.errors.push(PolicyError { kind, message, advice: None, nearest: None, ..last });
        }
        self.errors
    }
}

/// One line that can be shown: keys and values of the file, and what the TOML parser quotes of it,
/// may hold anything.
fn harmless(text: &str) -> String {
    let hides = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut shown = String::with_capacity(text.len().min(MAX_SAID));
    for c in text.chars() {
        if hides(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
        if shown.len() > MAX_SAID {
            shown.truncate(shown.floor_char_boundary(MAX_SAID));
            shown.push('…');
            break;
        }
    }
    shown
}
