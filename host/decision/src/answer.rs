//! What may be sent, as types: a grant can only be made of something confirmed.

use witgate_peer::Confirmed;
use witgate_protocol::{AttestAnswer, Outcome, Problem, WhoamiAnswer};

/// The only thing that is answered to a workload. Sending consumes it.
#[derive(Debug)]
#[must_use = "an answer that is not sent helps nobody"]
pub enum Answer {
    /// Identities, for a process that was the same from first fact to last check.
    Granted(Grant),
    /// None, and a reason.
    Refused(Refusal),
    /// What the kernel says about the caller; no policy.
    Told(Told),
}

/// Identities that may be sent.
#[derive(Debug)]
pub struct Grant(AttestAnswer);

/// A refusal; it says nothing that the caller could not see of itself.
#[derive(Debug)]
pub struct Refusal(Problem);

/// What the kernel says about the caller.
#[derive(Debug)]
pub struct Told(WhoamiAnswer);

impl Grant {
    /// The only way to a grant: the process was confirmed after the answer about it was complete
    /// and its audit record written. One that somebody asked about is confirmed only together with whoever
    /// gets the answer, see [`witgate_peer::Subject::confirm_for`].
    pub(crate) fn seal(confirmed: Confirmed<AttestAnswer>) -> Self {
        Self(confirmed.into_inner())
    }
}

impl Refusal {
    pub(crate) const fn new(problem: Problem) -> Self {
        Self(problem)
    }
}

impl Told {
    pub(crate) fn seal(confirmed: Confirmed<WhoamiAnswer>) -> Self {
        Self(confirmed.into_inner())
    }
}

impl From<Result<Grant, Problem>> for Answer {
    fn from(decided: Result<Grant, Problem>) -> Self {
        decided.map_or_else(|problem| Self::Refused(Refusal::new(problem)), Self::Granted)
    }
}

/// What goes on the wire for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// To `attest`.
    Attest(Outcome),
    /// To `whoami`.
    Whoami(WhoamiAnswer),
}

impl Answer {
    /// Uses the answer up.
    #[must_use]
    pub fn send(self) -> Reply {
        match self {
            Self::Granted(Grant(answer)) => Reply::Attest(Outcome::Allow(answer)),
            Self::Refused(Refusal(problem)) => Reply::Attest(Outcome::Refuse(problem)),
            Self::Told(Told(answer)) => Reply::Whoami(answer),
        }
    }
}
