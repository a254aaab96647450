//! A stream of decisions: one now, and one whenever something changes.

use std::{sync::Arc, time::Duration};

use witgate_peer::{Change, PeerError, ProcessFacts};
use witgate_protocol::{Cause, Dialect, Outcome, Reason, WatchEvent, limits::WATCH_RECHECK};

use crate::{Caller, Decider, answer::Reply};

/// The generation number that means: nothing is decided any more.
pub(crate) const DRAINING: u64 = u64::MAX;

/// What a process learns about itself over time. Every event is a decision of its own: attested,
/// recorded and confirmed.
#[derive(Debug)]
pub struct Watch {
    decider: Arc<Decider>,
    caller: Arc<Caller>,
    dialect: Dialect,
    reloads: tokio::sync::watch::Receiver<u64>,
    facts: Option<Arc<ProcessFacts>>,
    last: Option<Outcome>,
    ended: bool,
}

impl Watch {
    pub(crate) fn new(
        decider: Arc<Decider>,
        caller: Arc<Caller>,
        dialect: Dialect,
        reloads: tokio::sync::watch::Receiver<u64>,
    ) -> Self {
        Self { decider, caller, dialect, reloads, facts: None, last: None, ended: false }
    }

    /// The next event; none after the one that ends the stream.
    pub async fn next(&mut self) -> Option<WatchEvent> {
        if self.ended {
            return None;
        }
        if self.last.is_none() {
            // A stream that would not notice that the process became another program is none.
            if let Err(error) = self.caller.subject.watch_exec() {
                return Some(self.end(crate::reason_of(&error)));
            }
            let outcome = self.decide().await;
            return Some(self.first(outcome));
        }
        loop {
            let cause = match self.wait().await {
                Ok(Some(cause)) => cause,
                Ok(None) => continue,
                Err(reason) => return Some(self.end(reason)),
            };
            let outcome = self.decide().await;
            if let Some(event) = self.event(cause, outcome) {
                return Some(event);
            }
        }
    }

    /// Waits for a cause to decide again; none if there was nothing in it, an error if the stream is
    /// over.
    async fn wait(&mut self) -> Result<Option<Cause>, Reason> {
        let look = self.until_look();
        let reloaded = tokio::select! {
            () = self.caller.subject.exited() => return Err(Reason::SubjectChanged),
            () = self.caller.subject.changed_program() => return Err(Reason::SubjectChanged),
            changed = self.reloads.changed() => changed.is_ok(),
            () = tokio::time::sleep(look) => return self.look_again(),
        };
        if !reloaded || *self.reloads.borrow_and_update() == DRAINING {
            return Err(Reason::NotReady);
        }
        Ok(Some(Cause::Reload))
    }

    /// Nothing is decided again as long as the process is what it was and its answer holds.
    fn look_again(&self) -> Result<Option<Cause>, Reason> {
        let Some(facts) = &self.facts else { return Ok(Some(Cause::Renewal)) };
        match self.caller.subject.still_as(facts) {
            Ok(()) => Ok(self.must_renew().then_some(Cause::Renewal)),
            Err(PeerError::SubjectChanged { change: Change::Cgroup }) => Ok(Some(Cause::Cgroup)),
            Err(_) => Err(Reason::SubjectChanged),
        }
    }

    async fn decide(&mut self) -> Outcome {
        let (answer, facts) = self.decider.attest_keeping_facts(&self.caller, self.dialect).await;
        self.facts = facts;
        match answer.send() {
            Reply::Attest(outcome) => outcome,
            Reply::Whoami(_) => Outcome::Refuse(witgate_protocol::Problem::new(Reason::Internal)),
        }
    }

    fn first(&mut self, outcome: Outcome) -> WatchEvent {
        let event = WatchEvent::decision(outcome.clone());
        self.remember(outcome);
        event
    }

    fn event(&mut self, cause: Cause, outcome: Outcome) -> Option<WatchEvent> {
        if let Outcome::Refuse(problem) = &outcome
            && is_about_the_subject(problem.reason)
        {
            return Some(self.end(Reason::SubjectChanged));
        }
        let changed = self.last.as_ref().is_none_or(|last| differs(last, &outcome));
        let renewed = cause == Cause::Renewal && matches!(outcome, Outcome::Allow(_));
        (changed || renewed).then(|| {
            self.remember(outcome.clone());
            WatchEvent::changed(cause, outcome)
        })
    }

    fn remember(&mut self, outcome: Outcome) {
        if let Outcome::Refuse(problem) = &outcome {
            self.ended = is_about_the_subject(problem.reason);
        }
        self.last = Some(outcome);
    }

    fn end(&mut self, reason: Reason) -> WatchEvent {
        self.ended = true;
        let you = match self.last.take() {
            Some(Outcome::Allow(answer)) => Some(answer.you),
            Some(Outcome::Refuse(problem)) => problem.you,
            None => None,
        };
        WatchEvent::ended(reason, you)
    }

    /// Until the next look: at the latest when the answer ends, and never in a busy loop.
    fn until_look(&self) -> Duration {
        let Some(Outcome::Allow(answer)) = &self.last else { return WATCH_RECHECK };
        let left = answer.expires_at.as_second() - crate::time::now().as_second();
        Duration::from_secs(u64::try_from(left).unwrap_or_default().max(1)).min(WATCH_RECHECK)
    }

    /// Whether no more than half of an identity's time is left, or there was no answer to hold on to.
    fn must_renew(&self) -> bool {
        match &self.last {
            Some(Outcome::Allow(answer)) => answer.identities.iter().any(|identity| {
                let left = identity.expires_at.as_second() - crate::time::now().as_second();
                is_due(left, identity.ttl_seconds)
            }),
            Some(Outcome::Refuse(problem)) => problem.reason.http_status() == 503,
            None => true,
        }
    }
}

/// Whether an identity with so many seconds left is to be renewed: at half its time, and when the clock
/// was set back, for then it would be valid for longer than it may.
fn is_due(left: i64, ttl_seconds: u64) -> bool {
    let left = u64::try_from(left).unwrap_or_default();
    left <= ttl_seconds / 2 || left > ttl_seconds.saturating_add(CLOCK_SLACK)
}

/// Seconds by which a clock may be set back without that being taken for more than a correction.
const CLOCK_SLACK: u64 = 60;

/// Reasons after which no later decision about the same connection can be another.
const fn is_about_the_subject(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::PeerExited
            | Reason::PeerUnknown
            | Reason::CredentialsChanged
            | Reason::SubjectChanged
            | Reason::Unattestable
            | Reason::SenderDiffers
    )
}

/// Whether a workload would do anything differently.
fn differs(last: &Outcome, now: &Outcome) -> bool {
    match (last, now) {
        (Outcome::Allow(last), Outcome::Allow(now)) => {
            !last
                .identities
                .iter()
                .map(|identity| &identity.id)
                .eq(now.identities.iter().map(|i| &i.id))
                || last.policy_revision != now.policy_revision
        }
        (Outcome::Refuse(last), Outcome::Refuse(now)) => last.reason != now.reason,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // #61: whatever the clock does, an identity is renewed no later than it says, and none is left that
    // the clock makes longer than its ttl.
    #[test]
    fn a_clock_that_jumps_makes_it_due() {
        const HOUR: i64 = 3600;
        const DAY: i64 = 24 * HOUR;
        assert!(!is_due(HOUR, 3600) && !is_due(HOUR / 2 + 1, 3600));
        assert!(is_due(HOUR / 2, 3600), "half of it is over");
        assert!(is_due(HOUR - DAY, 3600), "set forward by a day");
        assert!(is_due(HOUR + DAY, 3600), "set back by a day");
        assert!(!is_due(HOUR + 60, 3600) && is_due(HOUR + 61, 3600), "set back by a minute");
        assert!(is_due(i64::MIN, 3600) && is_due(i64::MAX, 3600));
    }
}
