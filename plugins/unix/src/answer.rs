use witgate_sdk::{Reason, Report};

use crate::keys::{Keys, Wanted};

/// A report of the keys that are wanted, and of no other: what nobody wants must not use up the
/// room that the daemon has for a report.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    wanted: &'a Wanted,
    report: Report,
}

impl<'a> Answer<'a> {
    /// Nothing holds so far.
    pub(crate) fn new(wanted: &'a Wanted) -> Self {
        Self { wanted, report: Report::new() }
    }

    /// Adds a selector.
    pub(crate) fn selector(self, key: &str, value: impl ToString) -> Self {
        self.selector_each(key, [value])
    }

    /// Adds a selector for each value.
    pub(crate) fn selector_each<V: ToString>(
        self,
        key: &str,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        self.if_wanted(key, |report| report.selector_each(key, values))
    }

    /// Says that nothing can be said about a key.
    pub(crate) fn unknown(self, key: &str, reason: impl Into<Reason>) -> Self {
        self.if_wanted(key, |report| report.unknown(key, reason))
    }

    /// Says so about each of several keys that one fact decides.
    pub(crate) fn unknown_each(self, keys: Keys, reason: impl Into<Reason>) -> Self {
        let reason = reason.into();
        keys.iter().fold(self, |answer, key| answer.unknown(key, reason.clone()))
    }

    /// The report.
    pub(crate) fn report(self) -> Report {
        self.report
    }

    fn if_wanted(self, key: &str, add: impl FnOnce(Report) -> Report) -> Self {
        if self.wanted.has(key) { Self { report: add(self.report), ..self } } else { self }
    }
}
