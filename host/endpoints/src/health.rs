//! How an endpoint is doing.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use crate::{ErrorKind, error::SendError};

/// How an endpoint has been doing since it was configured, for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointHealth {
    /// The name under which plugins are granted it.
    pub name: String,
    /// Where it is.
    pub place: String,
    /// Requests that plugins made.
    pub requests: u64,
    /// Requests that are under way or wait for a slot.
    pub under_way: u64,
    /// Requests that had a whole response, whatever its status.
    pub answered: u64,
    /// Requests that nobody waited for to the end.
    pub abandoned: u64,
    /// Requests that had no response, by kind; without those that are zero.
    pub errors: BTreeMap<ErrorKind, u64>,
    /// The last of them.
    pub last_error: Option<LastError>,
    /// The last whole response.
    pub last_success: Option<LastSuccess>,
}

/// The last request without a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastError {
    /// When.
    pub at: SystemTime,
    /// Which kind.
    pub kind: ErrorKind,
    /// What happened, for operators: it names the place and files, never what is in them.
    pub text: String,
}

/// The last whole response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastSuccess {
    /// When.
    pub at: SystemTime,
    /// Its status: a 401 or a 403 says that the token is not good for what was asked.
    pub status: u16,
}

/// The counters behind it.
#[derive(Debug, Default)]
pub(crate) struct Health(Mutex<Counters>);

#[derive(Debug, Default)]
struct Counters {
    requests: u64,
    answered: u64,
    abandoned: u64,
    errors: BTreeMap<ErrorKind, u64>,
    last_error: Option<LastError>,
    last_success: Option<LastSuccess>,
}

/// A request under way; dropped without an outcome, it was abandoned.
#[derive(Debug)]
pub(crate) struct Attempt<'a> {
    health: &'a Health,
    ended: bool,
}

impl Health {
    pub(crate) fn begin(&self) -> Attempt<'_> {
        self.lock().requests += 1;
        Attempt { health: self, ended: false }
    }

    pub(crate) fn show(&self, name: &str, place: String) -> EndpointHealth {
        let counters = self.lock();
        let failed: u64 = counters.errors.values().sum();
        let ended = counters.answered + counters.abandoned + failed;
        EndpointHealth {
            name: name.to_owned(),
            place,
            requests: counters.requests,
            under_way: counters.requests.saturating_sub(ended),
            answered: counters.answered,
            abandoned: counters.abandoned,
            errors: counters.errors.clone(),
            last_error: counters.last_error.clone(),
            last_success: counters.last_success,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counters> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt<'_> {
    pub(crate) fn answered(mut self, status: u16) {
        self.ended = true;
        let mut counters = self.health.lock();
        counters.answered += 1;
        counters.last_success = Some(LastSuccess { at: SystemTime::now(), status });
    }

    pub(crate) fn failed(mut self, error: &SendError) {
        self.ended = true;
        let (at, kind) = (SystemTime::now(), error.kind());
        let last = LastError { at, kind, text: error.to_string() };
        let mut counters = self.health.lock();
        *counters.errors.entry(kind).or_default() += 1;
        counters.last_error = Some(last);
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.health.lock().abandoned += 1;
        }
    }
}
