use std::fmt;

use serde::{Deserialize, Serialize};
use witgate_identity::Fault;

/// A file with entries: its name for messages, and its text. Whoever calls reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// How it is named in errors, answers and pages.
    pub name: String,
    /// Its content.
    pub text: String,
}

/// What kind of mistake an entry file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// Not TOML.
    Syntax,
    /// A field, action or other word of ours that does not exist.
    UnknownField,
    /// A selector key that no loaded plugin has.
    UnknownKey,
    /// A plugin that is not loaded, where that is not allowed.
    UnknownPlugin,
    /// A required field is missing.
    Missing,
    /// A value of the wrong type or form.
    Value,
    /// An entry or test without any condition, or with fields that contradict each other.
    Entry,
    /// A name used twice.
    Duplicate,
    /// An identity template that can never give an identity, or not a safe one.
    Template,
    /// An entry that anybody could cheat, without `weak = true`.
    Guard,
    /// Over one of the limits of [`crate::limits`].
    Limit,
    /// An in-file test that fails.
    Test,
}

/// One mistake in an entry file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PolicyError {
    /// The file, as it was named at load.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, in characters from 1.
    pub column: usize,
    /// The key that it is about, such as `entry.match.unix.uid`; empty for syntax errors.
    pub key: String,
    /// What kind of mistake.
    pub kind: ErrorKind,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// The nearest name that exists, where a name does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest: Option<String>,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        match (&self.nearest, &self.advice) {
            (Some(nearest), Some(advice)) => write!(f, " · did you mean '{nearest}'? {advice}"),
            (Some(nearest), None) => write!(f, " · did you mean '{nearest}'?"),
            (None, Some(advice)) => write!(f, " · {advice}"),
            (None, None) => Ok(()),
        }
    }
}

/// Every mistake of every file, by file, line and column. There is at least one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(transparent)]
pub struct PolicyErrors(Vec<PolicyError>);

impl PolicyErrors {
    pub(crate) fn new(mut errors: Vec<PolicyError>) -> Self {
        errors.sort();
        errors.dedup();
        Self(errors)
    }

    /// The mistakes, by file, line and column.
    #[must_use]
    pub fn as_slice(&self) -> &[PolicyError] {
        &self.0
    }

    /// Entries are the operator's.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        Fault::Operator
    }
}

impl fmt::Display for PolicyErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

/// What kind of thing an operator should know about a policy that was loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WarningKind {
    /// The entry has expired and does nothing.
    Expired,
    /// The entry or test is about a plugin that this host does not have, and does nothing.
    Inert,
    /// The entry also means processes in containers, which is easily overlooked.
    AlsoContainers,
    /// The operator said `weak = true`: the entry can be cheated.
    Weak,
}

/// Something an operator should know about a policy that was loaded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Warning {
    /// The file, as it was named at load.
    pub file: String,
    /// The line of the entry or test, from 1.
    pub line: usize,
    /// What kind.
    pub kind: WarningKind,
    /// The entry's or test's name.
    pub name: String,
    /// The sentence.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.file, self.line, self.name, self.message)
    }
}
