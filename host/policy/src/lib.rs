//! Entries, templates and their tests: selectors in, verdict out, deterministically.
//!
//! A [`Policy`] is loaded from text, for a [`Vocabulary`] (what the loaded plugins can say) and a
//! host, with every mistake of every file reported at once. It then turns [`Evidence`] into an
//! [`Evaluation`]. This crate knows no process, plugin, clock or file: whoever calls hands in the
//! text, the evidence and the time.
//!
//! What an entry means:
//!
//! - Nothing matches: no identity. A matching `deny` beats every `allow`.
//! - Every matching `allow` gives its identity, ordered by priority, number of conditions, name.
//! - What an attestor could not say is *unknown*. An allow needs *true*; `deny` and `unless` count
//!   unknown against the workload. So **losing information never grants**: with less known, an
//!   answer that was not an allow does not become one, and no identity is added.
//! - An unknown that could change nothing does not matter: an entry with one condition that is
//!   false is false.

mod condition;
mod defaults;
mod entry;
mod error;
mod evaluate;
mod evidence;
mod explain;
#[cfg(test)]
mod fuzz;
mod glob;
mod guard;
mod index;
mod lexicon;
pub mod limits;
mod near;
mod parse;
mod policy;
#[cfg(test)]
mod properties;
mod revision;
mod suggest;
mod template;
mod trial;
mod verdict;
mod vocabulary;

pub use self::{
    condition::Truth,
    defaults::default_entries,
    entry::{Action, Entry, EntrySummary, Standing},
    error::{ErrorKind, PolicyError, PolicyErrors, SourceFile, Warning, WarningKind},
    evidence::{Evidence, Unknown},
    explain::{Clause, ConditionReport, Considered, Outcome},
    guard::Guard,
    policy::{LoadOptions, Policy},
    suggest::suggest,
    verdict::{
        Blocked, Denial, DenyReason, EntryRef, Evaluation, Granted, Observed, Undecided, Verdict,
    },
    vocabulary::{HostLabels, KeySchema, Vocabulary},
};
