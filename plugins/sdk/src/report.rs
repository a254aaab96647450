use std::fmt;

use crate::bindings::{
    exports::witgate::attestor::attestor as wit, witgate::attestor::types::FactError,
};

/// One selector; the daemon puts the plugin's configured name in front.
pub use crate::bindings::exports::witgate::attestor::attestor::Selector;

/// A key about which nothing can be said in this call.
pub use crate::bindings::exports::witgate::attestor::attestor::UnknownKey as Unknown;

/// What an attestor found out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    selectors: Vec<Selector>,
    unknown: Vec<Unknown>,
}

impl Report {
    /// Nothing holds so far.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a selector.
    ///
    /// The daemon refuses a whole report over one value that is empty, has more than 4096 bytes or
    /// holds a control character or a bidirectional override. So a value like that makes the key
    /// unknown instead.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "a call reads better without `&`")]
    pub fn selector(self, key: &str, value: impl ToString) -> Self {
        self.checked(key, None, value.to_string())
    }

    /// Adds a selector for each value.
    #[must_use]
    pub fn selector_each<V: ToString>(
        self,
        key: &str,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        values.into_iter().fold(self, |report, value| report.selector(key, value))
    }

    /// Adds a selector of a key with names, such as `label`.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "a call reads better without `&`")]
    pub fn named(self, key: &str, name: &str, value: impl ToString) -> Self {
        self.checked(key, Some(name.to_owned()), value.to_string())
    }

    /// Adds a selector as it is, whatever it holds.
    #[must_use]
    pub fn unchecked(mut self, selector: Selector) -> Self {
        self.selectors.push(selector);
        self
    }

    /// Says that nothing can be said about a key.
    #[must_use]
    pub fn unknown(mut self, key: &str, reason: impl Into<Reason>) -> Self {
        self.unknown.push(Unknown { key: key.to_owned(), reason: reason.into().0 });
        self
    }

    /// Says so about each of several keys that one fact decides.
    #[must_use]
    pub fn unknown_each(mut self, keys: &[&str], reason: impl Into<Reason>) -> Self {
        let Reason(reason) = reason.into();
        for &key in keys {
            self.unknown.push(Unknown { key: key.to_owned(), reason: reason.clone() });
        }
        self
    }

    /// What holds, in the order it was added.
    #[must_use]
    pub fn selectors(&self) -> &[Selector] {
        &self.selectors
    }

    /// What nothing can be said about.
    #[must_use]
    pub fn unknown_keys(&self) -> &[Unknown] {
        &self.unknown
    }

    fn checked(self, key: &str, name: Option<String>, value: String) -> Self {
        if name.as_deref().is_none_or(|name| showable(name, MAX_NAME))
            && showable(&value, MAX_VALUE)
        {
            self.unchecked(Selector { key: key.to_owned(), name, value })
        } else {
            self.unknown(key, "its value is empty, too long or holds control characters")
        }
    }
}

/// Longest name of a selector, in bytes.
const MAX_NAME: usize = 256;
/// Longest value of a selector, in bytes.
const MAX_VALUE: usize = 4096;

/// Whether the daemon would take it for a selector's name or value.
fn showable(text: &str, max: usize) -> bool {
    let hides = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    // Most are plain, and that is told in a fraction of the time.
    let plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    !text.is_empty() && text.len() <= max && (plain || !text.contains(hides))
}

/// Selectors as they are, whatever they hold.
impl FromIterator<Selector> for Report {
    fn from_iter<I: IntoIterator<Item = Selector>>(selectors: I) -> Self {
        Self { selectors: selectors.into_iter().collect(), unknown: Vec::new() }
    }
}

impl From<Report> for wit::Report {
    fn from(report: Report) -> Self {
        Self { selectors: report.selectors, unknown: report.unknown }
    }
}

/// Why nothing can be said, for the operator: a sentence, or a fact's error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(String);

impl From<&str> for Reason {
    fn from(reason: &str) -> Self {
        Self(reason.to_owned())
    }
}

impl From<String> for Reason {
    fn from(reason: String) -> Self {
        Self(reason)
    }
}

impl From<&FactError> for Reason {
    fn from(error: &FactError) -> Self {
        Self(match error {
            FactError::Gone => "the process has exited".to_owned(),
            FactError::Denied => "the kernel does not let the daemon read it".to_owned(),
            FactError::Unsupported => "this host does not have it".to_owned(),
            FactError::TooLarge => "it is larger than the limit".to_owned(),
            FactError::Io(message) => message.clone(),
        })
    }
}

impl From<FactError> for Reason {
    fn from(error: FactError) -> Self {
        Self::from(&error)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why there is no report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Not this plugin's kind of process: none of its keys holds. Means *no*.
    NotApplicable,
    /// Ask again after so many milliseconds.
    Retry(u32),
    /// Something the plugin needs is not there now. Means *unknown*.
    Unavailable(String),
    /// The plugin cannot tell. Means *unknown*.
    Failed(String),
}

impl From<FactError> for Failure {
    /// The one fact that everything depends on is missing.
    fn from(error: FactError) -> Self {
        Self::Failed(Reason::from(error).0)
    }
}

impl From<Failure> for wit::Failure {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NotApplicable => Self::NotApplicable,
            Failure::Retry(milliseconds) => Self::Retry(milliseconds),
            Failure::Unavailable(reason) => Self::Unavailable(reason),
            Failure::Failed(reason) => Self::Failed(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_the_daemon_would_refuse_costs_its_own_key() {
        let long = "x".repeat(4097);
        for bad in ["", "a\nb", "\u{1b}[0m", "a\u{202e}b", long.as_str()] {
            let report = Report::new().selector("uid", 7).selector("user", bad);
            assert_eq!(report.selectors().len(), 1, "{bad:?}");
            assert_eq!(report.unknown_keys()[0].key, "user");
        }
        let report = Report::new().named("label", "a\tb", "c");
        assert!(report.selectors().is_empty() && report.unknown_keys()[0].key == "label");
        let report = Report::new().selector("user", "\u{fc}nal").selector("path", &long[1..]);
        assert_eq!((report.selectors().len(), report.unknown_keys().len()), (2, 0));
    }

    #[test]
    fn a_fact_error_is_a_sentence() {
        for error in [FactError::Gone, FactError::Denied, FactError::Io("EIO".to_owned())] {
            assert!(!Reason::from(error).to_string().is_empty());
        }
        let failure = Failure::from(FactError::TooLarge);
        assert_eq!(failure, Failure::Failed("it is larger than the limit".to_owned()));
    }
}
