use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use witgate_sdk::{Report, wants};

/// Longest single value, in bytes. All keys together have to fit into one report.
const SINGLE_BYTES: usize = 1024;

/// What an answer says, of all keys, wanted or not: what is kept for later calls.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Findings {
    said: Vec<Said>,
    unknown: Vec<(String, String)>,
}

/// One selector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Said {
    #[serde(rename = "k")]
    key: String,
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(rename = "v")]
    value: String,
}

/// How much there may be of a key with several selectors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Most {
    pub(crate) count: usize,
    pub(crate) bytes: usize,
}

impl Findings {
    /// What nothing can be said about.
    #[must_use]
    pub(crate) fn unknown(mut self, key: &str, reason: impl Into<String>) -> Self {
        self.unknown.push((key.to_owned(), reason.into()));
        self
    }

    /// A key of which there is one, if the engine said; an empty value is none.
    #[must_use]
    pub(crate) fn one(self, key: &str, value: Option<impl Into<String>>) -> Self {
        let Some(value) = value.map(Into::into) else {
            return self.unknown(key, NOT_SAID);
        };
        if value.len() > SINGLE_BYTES {
            let reason = format!("it has {} bytes, the limit is {SINGLE_BYTES}", value.len());
            return self.unknown(key, reason);
        }
        self.said(key, None, value)
    }

    /// A key of which there are several.
    #[must_use]
    pub(crate) fn several(self, key: &str, most: Most, values: Option<Vec<String>>) -> Self {
        let Some(values) = values else { return self.unknown(key, NOT_SAID) };
        match most.exceeded_by(values.len(), values.iter().map(String::len).sum()) {
            Some(reason) => self.unknown(key, reason),
            None => values.into_iter().fold(self, |found, value| found.said(key, None, value)),
        }
    }

    /// A key with names.
    #[must_use]
    pub(crate) fn named(
        self,
        key: &str,
        most: Most,
        values: Option<impl IntoIterator<Item = (String, String)>>,
    ) -> Self {
        let Some(values) = values else { return self.unknown(key, NOT_SAID) };
        let values: Vec<_> = values.into_iter().collect();
        let bytes = values.iter().map(|(name, value)| name.len() + value.len()).sum();
        match most.exceeded_by(values.len(), bytes) {
            Some(reason) => self.unknown(key, reason),
            None => values
                .into_iter()
                .fold(self, |found, (name, value)| found.said(key, Some(name), value)),
        }
    }

    /// An empty value can stand in no entry, so there is nothing to say about it.
    fn said(mut self, key: &str, name: Option<String>, value: String) -> Self {
        if !value.is_empty() {
            self.said.push(Said { key: key.to_owned(), name, value });
        }
        self
    }

    /// The value of a key of which there is one.
    pub(crate) fn value(&self, key: &str) -> Option<&str> {
        self.said.iter().find(|said| said.key == key).map(|said| said.value.as_str())
    }

    /// Whether nothing can be said about a key.
    pub(crate) fn is_unknown(&self, key: &str) -> bool {
        self.unknown.iter().any(|(unknown, _)| unknown == key)
    }

    /// Adds to a report what is wanted of it.
    #[must_use]
    pub(crate) fn report(&self, mut report: Report) -> Report {
        let mut asked = BTreeMap::new();
        let mut wanted = |key| *asked.entry(key).or_insert_with(|| wants(key));
        for Said { key, name, value } in &self.said {
            if !wanted(key.as_str()) {
                continue;
            }
            report = match name {
                Some(name) => report.named(key, name, value),
                None => report.selector(key, value),
            };
        }
        let unknown = self.unknown.iter().filter(|(key, _)| wanted(key));
        unknown.fold(report, |report, (key, reason)| report.unknown(key, reason.as_str()))
    }

    /// How many selectors there are, and bytes in them.
    #[cfg(test)]
    pub(crate) fn size(&self) -> (usize, usize) {
        let bytes = |said: &Said| said.value.len() + said.name.as_ref().map_or(0, String::len);
        (self.said.len(), self.said.iter().map(bytes).sum())
    }

    /// The keys that anything is said about.
    #[cfg(test)]
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        let unknown = self.unknown.iter().map(|(key, _)| key);
        self.said.iter().map(|said| &said.key).chain(unknown).map(String::as_str)
    }
}

/// Why a key is unknown of which the answer has nothing.
const NOT_SAID: &str = "the engine's answer does not say";

impl Most {
    fn exceeded_by(self, count: usize, bytes: usize) -> Option<String> {
        let Self { count: most, bytes: most_bytes } = self;
        (count > most || bytes > most_bytes).then(|| {
            format!("there are {count} with {bytes} bytes, the limit is {most} with {most_bytes}")
        })
    }
}
