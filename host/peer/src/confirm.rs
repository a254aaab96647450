//! The way out: a value computed from facts may be answered only after the process that the facts
//! describe has been looked at again.

use std::{fmt, sync::Arc};

use crate::{
    error::PeerError,
    facts::ProcessFacts,
    subject::{Connected, Delegated, Snapshot, Subject, SubjectId},
};

/// A value that was computed from the facts of one subject, and belongs to it.
///
/// It can be mapped, and confirmed by the subject that it came from; that is all. Where facts are
/// collected again in between, a value keeps to those that it was computed from.
#[must_use = "a bound value is answered by confirming it"]
pub struct Bound<T> {
    subject: SubjectId,
    snapshot: Arc<Snapshot>,
    value: T,
}

impl<T> Bound<T> {
    /// Computes another value from it.
    pub fn map<U>(self, compute: impl FnOnce(T) -> U) -> Bound<U> {
        Bound { subject: self.subject, snapshot: self.snapshot, value: compute(self.value) }
    }

    /// Computes another value from it, in a future.
    pub async fn map_async<U, F: Future<Output = U>>(
        self,
        compute: impl FnOnce(T) -> F,
    ) -> Bound<U> {
        let Self { subject, snapshot, value } = self;
        Bound { subject, snapshot, value: compute(value).await }
    }

    /// The value, to be recorded before it is confirmed. Never to be answered.
    pub const fn for_audit(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Bound<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound").field("subject", &self.subject).field("value", &self.value).finish()
    }
}

/// A value whose subject was, a moment ago, still the process that the value is about.
///
/// Only [`Subject::confirm`] and [`Subject::confirm_for`] make one. Send it at once; the next answer needs a new one.
#[derive(Debug)]
pub struct Confirmed<T>(T);

impl<T> Confirmed<T> {
    /// The value.
    pub fn into_inner(self) -> T {
        self.0
    }

    /// The value.
    pub const fn get(&self) -> &T {
        &self.0
    }
}

impl<T, E> Confirmed<Result<T, E>> {
    /// A confirmed success, or the failure, which needs no confirming to be told.
    ///
    /// # Errors
    /// The failure.
    pub fn transpose(self) -> Result<Confirmed<T>, E> {
        self.0.map(Confirmed)
    }
}

impl<S> Subject<S> {
    /// Ties facts to this subject: what is computed from them is answered by way of
    /// [`Subject::confirm`].
    pub fn bind(&self, facts: Arc<ProcessFacts>) -> Bound<Arc<ProcessFacts>> {
        // The facts' own subject: facts of another are refused when they are confirmed.
        Bound { subject: facts.subject(), snapshot: Arc::clone(facts.snapshot()), value: facts }
    }
}

impl Subject<Connected> {
    /// Looks at the process again and, if it is still as it was when the facts behind the value were
    /// collected, opens the value.
    ///
    /// Alive, ids and cgroup are compared always, namespaces, privileges and executable where they were
    /// read. Its name, state and effective capabilities are not: every process changes them as it likes,
    /// also a moment after it was answered.
    ///
    /// # Errors
    /// [`PeerError::PeerExited`], [`PeerError::CredentialsChanged`], [`PeerError::SubjectChanged`],
    /// [`PeerError::Unattestable`]; [`PeerError::OtherSubject`] for a value of another subject. The
    /// value is gone then.
    pub fn confirm<T>(&self, bound: Bound<T>) -> Result<Confirmed<T>, PeerError> {
        self.open(bound)
    }
}

impl Subject<Delegated> {
    /// As [`Subject::confirm`], for whoever asked about the process: that one is confirmed first, for it
    /// is who gets the value.
    ///
    /// # Errors
    /// As [`Subject::confirm`].
    #[expect(clippy::needless_pass_by_value, reason = "one confirmation, one answer")]
    pub fn confirm_for<T>(
        &self,
        bound: Bound<T>,
        recipient: Confirmed<()>,
    ) -> Result<Confirmed<T>, PeerError> {
        let Confirmed(()) = recipient;
        self.open(bound)
    }
}

impl<S> Subject<S> {
    /// The last look, which `confirm` and `confirm_for` are; by itself only in tests.
    pub(crate) fn open<T>(&self, bound: Bound<T>) -> Result<Confirmed<T>, PeerError> {
        if bound.subject != self.id() {
            return Err(PeerError::OtherSubject);
        }
        self.look_again(&bound.snapshot)?;
        Ok(Confirmed(bound.value))
    }
}
