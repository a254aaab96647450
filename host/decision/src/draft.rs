//! A decision as it stands before the last look at the process.

use std::{fmt, sync::Arc, time::Instant};

use jiff::Timestamp;
use witgate_attestor::Attestation;
use witgate_facts::FactSource;
use witgate_identity::{DecisionId, NodeName};
use witgate_peer::{PeerError, ProcessFacts, Subject};
use witgate_policy::{DenyReason, Evaluation, Granted, Verdict as Matched};
use witgate_protocol::{AttestAnswer, Identity, Problem, Reason, You};

use crate::{
    Generation, Shed,
    audit::{AuditError, Class},
    evidence::{evidence, failed_requirement, found_gone},
    facts_view,
    why::{AttestorView, Protocol, SenderView, Verdict, Why, micros},
    you::you,
};

/// What is fixed when a request arrives.
#[derive(Debug)]
pub(crate) struct Request {
    id: DecisionId,
    time: Timestamp,
    started: Instant,
    protocol: Protocol,
    you: You,
    tier: String,
    challenged: bool,
    sender: Option<SenderView>,
    broker: Option<You>,
}

impl Request {
    pub(crate) fn begin<S>(node: &NodeName, subject: &Subject<S>, protocol: Protocol) -> Self {
        let time = crate::time::now();
        let mut random = [0; 10];
        // Without the kernel's random numbers an id could repeat, but it would still be of this
        // moment and process; uniqueness is for people, security does not rest on it.
        if getrandom::fill(&mut random).is_err() {
            random[..4].copy_from_slice(&subject.pid().as_u32().to_be_bytes());
        }
        let millis = u64::try_from(time.as_millisecond()).unwrap_or_default();
        Self {
            id: DecisionId::new(node, millis, random),
            time,
            started: Instant::now(),
            protocol,
            you: You::new(subject.pid().as_u32(), subject.uid()),
            tier: subject.tier().to_string(),
            challenged: subject.challenged(),
            sender: subject.other_sender().map(SenderView::from),
            broker: None,
        }
    }

    /// Of somebody who asks about another process.
    pub(crate) fn asked_by(self, broker: You) -> Self {
        Self { broker: Some(broker), ..self }
    }

    fn why(
        &self,
        generation: Option<&Generation>,
        verdict: Verdict,
        reason: Option<Reason>,
    ) -> Why {
        Why {
            id: self.id.clone(),
            time: self.time,
            verdict,
            reason,
            detail: None,
            protocol: self.protocol,
            elapsed_us: micros(self.started.elapsed()),
            policy_revision: generation.map(|g| g.policy.revision().to_owned()).unwrap_or_default(),
            generation: generation.map(|g| g.number).unwrap_or_default(),
            challenged: self.challenged,
            exec_watch: None,
            sender: self.sender,
            tier: self.tier.clone(),
            you: self.you.clone(),
            broker: self.broker.clone(),
            facts: Vec::new(),
            attestors: Vec::new(),
            granted: Vec::new(),
            observed: Vec::new(),
            denial: None,
            blocked: None,
        }
    }

    /// Refused before anything was looked at.
    pub(crate) fn refused(
        &self,
        generation: Option<&Generation>,
        reason: Reason,
        detail: String,
    ) -> Why {
        let verdict = verdict_of(reason);
        Why { detail: Some(detail), ..self.why(generation, verdict, Some(reason)) }
    }

    /// Refused, because the caller asks too often.
    pub(crate) fn shed(&self, generation: Option<&Generation>, shed: Shed) -> (Why, Problem) {
        let why = self.refused(generation, Reason::RateLimited, shed.to_string());
        let problem = problem(&why).retry_after(shed.retry_after_seconds());
        (why, problem)
    }
}

/// Deny or unavailable, as the reason has it.
fn verdict_of(reason: Reason) -> Verdict {
    match reason.decision() {
        Some(witgate_protocol::Decision::Unavailable) => Verdict::Unavailable,
        _ => Verdict::Deny,
    }
}

/// The words to the workload: never what it lacked.
pub(crate) fn problem(why: &Why) -> Problem {
    let reason = why.reason.unwrap_or(Reason::Internal);
    let problem = Problem::new(reason).decided(why.id.clone()).about(why.you.clone());
    problem.asked_by(why.broker.clone())
}

/// As [`problem`], for a process of which nothing is known for certain any more: no program, no
/// container, only what the socket said.
pub(crate) fn problem_about_nobody(why: &Why) -> Problem {
    let least = |you: &You| You::new(you.pid, you.uid);
    problem(why).about(least(&why.you)).asked_by(why.broker.as_ref().map(least))
}

/// The reason word for what the kernel said about the peer.
#[must_use]
pub fn reason_of(error: &PeerError) -> Reason {
    let word = error.reason();
    let known = Reason::ALL.into_iter().find(|reason| reason.as_str() == word);
    known.unwrap_or(match word {
        "host_exhausted" | "unsupported_kernel" => Reason::Unavailable,
        _ => Reason::Internal,
    })
}

/// What a decision answers, if the last look is right.
pub(crate) type Drafted = Result<AttestAnswer, Problem>;

/// A complete decision; only the last look is missing.
#[derive(Debug)]
pub(crate) struct Draft {
    why: Arc<Why>,
    answer: Drafted,
}

impl Draft {
    pub(crate) fn new<S>(
        request: &Request,
        generation: &Generation,
        subject: &Subject<S>,
        facts: &ProcessFacts,
        attestations: Vec<Attestation>,
    ) -> Self {
        let (evaluation, reason, detail) = decide(request, generation, &attestations);
        let verdict = reason.map_or(Verdict::Allow, verdict_of);
        let (granted, denial, blocked) = match evaluation.verdict {
            Matched::Allow(granted) if reason.is_none() => (granted, None, None),
            Matched::Allow(_) => (Vec::new(), None, None),
            Matched::Deny(denial) => (Vec::new(), Some(denial), None),
            Matched::Unavailable(blocked) => (Vec::new(), None, Some(blocked)),
        };
        let why = Why {
            you: you(subject, facts),
            exec_watch: subject.exec_watch().map(|kind| kind.as_str().to_owned()),
            detail,
            facts: facts_view::views(facts as &dyn FactSource),
            attestors: attestations.into_iter().map(AttestorView::from).collect(),
            granted,
            observed: evaluation.observed,
            denial,
            blocked,
            ..request.why(Some(generation), verdict, reason)
        };
        let answer = answer(&why).ok_or_else(|| problem(&why));
        Self { why: Arc::new(why), answer }
    }

    pub(crate) const fn why(&self) -> &Arc<Why> {
        &self.why
    }

    pub(crate) const fn grants(&self) -> bool {
        self.answer.is_ok()
    }

    pub(crate) fn into_answer(self) -> Drafted {
        self.answer
    }
}

/// Evaluates; the reason is none for an allow.
fn decide(
    request: &Request,
    generation: &Generation,
    attestations: &[Attestation],
) -> (Evaluation, Option<Reason>, Option<String>) {
    let evaluation =
        generation.policy.evaluate(&evidence(attestations, request.challenged), request.time);
    if found_gone(attestations) {
        return (evaluation, Some(Reason::PeerExited), None);
    }
    if let Some(failed) = failed_requirement(attestations) {
        let detail = format!("the required attestor {} {}", failed.plugin, failed.outcome);
        return (evaluation, Some(reason_of_attestor(failed)), Some(detail));
    }
    let reason = match &evaluation.verdict {
        Matched::Allow(_) => None,
        Matched::Deny(denial) => Some(match denial.reason {
            DenyReason::NoMatchingEntry => Reason::NoMatchingEntry,
            DenyReason::DeniedByRule => Reason::DeniedByRule,
            DenyReason::TemplateIncomplete => Reason::TemplateIncomplete,
        }),
        Matched::Unavailable(_) => Some(
            attestations
                .iter()
                .find(|attestation| !attestation.outcome.answered())
                .map_or(Reason::AttestorFailed, reason_of_attestor),
        ),
    };
    (evaluation, reason, None)
}

const fn reason_of_attestor(attestation: &Attestation) -> Reason {
    match attestation.outcome {
        witgate_attestor::Outcome::OutOfTime { .. } => Reason::AttestorTimeout,
        _ => Reason::AttestorFailed,
    }
}

fn answer(why: &Why) -> Option<AttestAnswer> {
    let identities = why.granted.iter().map(|granted| identity(granted, why.time)).collect();
    let answer = AttestAnswer::new(
        why.id.clone(),
        identities,
        why.policy_revision.clone(),
        why.challenged,
        why.you.clone(),
    )?;
    Some(answer.asked_by(why.broker.clone()))
}

fn identity(granted: &Granted, now: Timestamp) -> Identity {
    let ends = now.checked_add(granted.ttl).unwrap_or(now);
    let ends = granted.expires.map_or(ends, |expires| expires.min(ends));
    Identity::new(granted.id.clone(), ends, now)
}

/// A process that is not, or not as, it was.
#[derive(Debug)]
pub(crate) struct Lost {
    of_broker: bool,
    error: PeerError,
}

impl Lost {
    pub(crate) const fn broker(error: PeerError) -> Self {
        Self { of_broker: true, error }
    }

    pub(crate) fn reason(&self) -> Reason {
        reason_of(&self.error)
    }
}

impl From<PeerError> for Lost {
    fn from(error: PeerError) -> Self {
        Self { of_broker: false, error }
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = if self.of_broker { "of the broker: " } else { "" };
        write!(f, "{whose}{}", self.error)
    }
}

/// What the last look found instead of the process that was decided about.
pub(crate) fn withheld(why: &Why, lost: &Lost) -> Why {
    let verdict = if why.verdict == Verdict::Allow { Verdict::Withheld } else { why.verdict };
    Why {
        verdict,
        reason: Some(lost.reason()),
        detail: Some(lost.to_string()),
        granted: Vec::new(),
        ..why.clone()
    }
}

/// What becomes of a grant that could not be recorded.
pub(crate) fn unrecorded(why: &Why, error: &AuditError) -> Why {
    let reason = match error {
        AuditError::OverBudget { .. } => Reason::RateLimited,
        _ => Reason::Unavailable,
    };
    Why {
        verdict: verdict_of(reason),
        reason: Some(reason),
        detail: Some(error.to_string()),
        granted: Vec::new(),
        ..why.clone()
    }
}

/// Whole seconds, at least one.
pub(crate) fn whole_seconds(time: std::time::Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX).max(1)
}

/// How the audit log counts a decision, and under which cause it may be coalesced.
pub(crate) const fn class(why: &Why) -> Class {
    match why.verdict {
        Verdict::Allow => Class::Grant,
        Verdict::Withheld => Class::Withheld,
        Verdict::Deny | Verdict::Unavailable => Class::Denial,
    }
}
