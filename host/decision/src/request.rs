//! One request: admit → [challenge] → facts → attest → evaluate → draft → audit → confirm → answer → publish.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use tokio::sync::{Semaphore, SemaphorePermit};
use witgate_attestor::Attestation;
use witgate_identity::NodeName;
use witgate_peer::{
    Bound, Bucket, Challenge, Confirmed, Connected, FactReader, Kernel, PeerError, ProcessFacts,
    Subject,
};
use witgate_policy::Policy;
use witgate_protocol::{Dialect, Problem, Reason, You};

use crate::{
    Admission, Generation, Metrics, Ring, Shed, Watch,
    answer::{Answer, Grant, Refusal, Told},
    audit::{Audit, AuditError},
    draft::{self, Draft, Drafted, Lost, Request},
    watch,
    why::{Protocol, Verdict, Why},
    you,
};

/// What a [`Decider`] is made of.
#[derive(Debug)]
pub struct DeciderConfig {
    /// This machine, in decision ids.
    pub node: NodeName,
    /// Request to answer.
    pub deadline: Duration,
    /// What can be done to know a process.
    pub kernel: Kernel,
    /// Reads facts.
    pub reader: Arc<FactReader>,
    /// Who may ask.
    pub admission: Admission,
    /// Where decisions are written before they are answered.
    pub audit: Audit,
    /// Where the most recent ones are kept.
    pub ring: Ring,
}

/// A process that connected, and whose limits it counts against.
#[derive(Debug)]
pub struct Caller {
    /// The process.
    pub subject: Subject<Connected>,
    /// Its bucket.
    pub bucket: Bucket,
    /// A request that counts against its limits already, for it was challenged.
    counted: AtomicBool,
}

impl Caller {
    /// A caller that has asked nothing yet.
    #[must_use]
    pub const fn new(subject: Subject<Connected>, bucket: Bucket) -> Self {
        Self { subject, bucket, counted: AtomicBool::new(false) }
    }
}

/// Decides. One per daemon.
#[derive(Debug)]
pub struct Decider {
    config: DeciderConfig,
    metrics: Metrics,
    generation: ArcSwapOption<Generation>,
    reloads: tokio::sync::watch::Sender<u64>,
    /// A place for every decision under way; all of them are taken when none may begin any more.
    under_way: Semaphore,
}

/// Decisions that may be under way at once: more than there can be.
const UNDER_WAY: u32 = 1 << 20;

impl Decider {
    /// A decider without plugins and entries: it is not ready until [`Self::install`].
    #[must_use]
    pub fn new(config: DeciderConfig) -> Self {
        Self {
            config,
            metrics: Metrics::default(),
            generation: ArcSwapOption::empty(),
            reloads: tokio::sync::watch::Sender::new(0),
            under_way: Semaphore::new(UNDER_WAY as usize),
        }
    }

    /// Puts a generation into effect: one pointer is swapped; requests under way keep the old one.
    pub fn install(&self, generation: Generation) {
        let number = generation.number;
        self.generation.store(Some(Arc::new(generation)));
        self.reloads.send_replace(number);
    }

    /// From now on streams end; requests under way are answered.
    pub fn drain(&self) {
        self.reloads.send_replace(watch::DRAINING);
    }

    /// Waits for the decisions under way. None begins as long as what is returned is held: they are
    /// refused as `not_ready`. None is returned if there is nothing to wait with, which is never.
    pub async fn finish(&self) -> Option<SemaphorePermit<'_>> {
        self.under_way.acquire_many(UNDER_WAY).await.ok()
    }

    /// Undoes [`Self::drain`]: streams may begin again.
    pub fn resume(&self) {
        let number = self.generation().map_or(0, |generation| generation.number);
        self.reloads.send_replace(number);
    }

    /// The generation in effect.
    #[must_use]
    pub fn generation(&self) -> Option<Arc<Generation>> {
        self.generation.load_full()
    }

    /// What is counted.
    #[must_use]
    pub const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The recent decisions.
    #[must_use]
    pub const fn ring(&self) -> &Ring {
        &self.config.ring
    }

    /// The audit log.
    #[must_use]
    pub const fn audit(&self) -> &Audit {
        &self.config.audit
    }

    /// Who may come in.
    #[must_use]
    pub const fn admission(&self) -> &Admission {
        &self.config.admission
    }

    /// What can be done to know a process.
    #[must_use]
    pub const fn kernel(&self) -> &Kernel {
        &self.config.kernel
    }

    pub(crate) const fn node(&self) -> &NodeName {
        &self.config.node
    }

    /// Reads facts; shared, because its caches are.
    #[must_use]
    pub const fn reader(&self) -> &Arc<FactReader> {
        &self.config.reader
    }

    /// Answers `attest`.
    pub async fn attest(&self, caller: &Caller, dialect: Dialect) -> Answer {
        self.attest_keeping_facts(caller, dialect).await.0
    }

    /// As [`Self::attest`], with the facts that the answer rests on, for a stream to look at later.
    pub(crate) async fn attest_keeping_facts(
        &self,
        caller: &Caller,
        dialect: Dialect,
    ) -> (Answer, Option<Arc<ProcessFacts>>) {
        let request = Request::begin(&self.config.node, &caller.subject, dialect.into());
        let mut kept = None;
        let answer = match self.place(&request) {
            Ok(_place) => self.decide(caller, &request, &mut kept).await,
            Err(problem) => Err(problem),
        };
        (answer.into(), kept)
    }

    /// A place among the decisions under way, as long as any may begin.
    pub(crate) fn place(&self, request: &Request) -> Result<SemaphorePermit<'_>, Problem> {
        let refused = || request.refused(None, Reason::NotReady, String::new());
        self.under_way.try_acquire().map_err(|_| draft::problem(&refused()))
    }

    /// Answers `whoami`: what the kernel says, without plugins and entries, and unrecorded.
    pub async fn whoami(&self, caller: &Caller) -> Answer {
        match self.tell(caller).await {
            Ok(told) => Answer::Told(told),
            Err(problem) => Answer::Refused(Refusal::new(problem)),
        }
    }

    /// Answers `watch`.
    #[must_use]
    pub fn watch(self: &Arc<Self>, caller: Arc<Caller>, dialect: Dialect) -> Watch {
        Watch::new(Arc::clone(self), caller, dialect, self.reloads.subscribe())
    }

    async fn tell(&self, caller: &Caller) -> Result<Told, Problem> {
        let subject = &caller.subject;
        let you = || You::new(subject.pid().as_u32(), subject.uid());
        let refuse = |error: PeerError| Problem::new(draft::reason_of(&error)).about(you());
        self.admit(caller).map_err(|shed| {
            Problem::new(Reason::RateLimited).about(you()).retry_after(shed.retry_after_seconds())
        })?;
        let facts =
            subject.collect(you::whoami_facts(), &self.config.reader).await.map_err(refuse)?;
        let told = subject.bind(facts).map(|facts| you::whoami(subject, &facts));
        subject.confirm(told).map(Told::seal).map_err(refuse)
    }

    async fn decide(
        &self,
        caller: &Caller,
        request: &Request,
        kept: &mut Option<Arc<ProcessFacts>>,
    ) -> Result<Grant, Problem> {
        let subject = &caller.subject;
        let (generation, facts) = self.begin(caller, subject, request).await?;
        *kept = Some(Arc::clone(&facts));
        let draft = self.draft(request, subject, &generation, facts).await?;
        self.conclude(draft, &generation.policy, |draft| Ok(subject.confirm(draft)?))
    }

    /// Lets the caller in and collects the facts of whom it is about.
    pub(crate) async fn begin<S>(
        &self,
        caller: &Caller,
        subject: &Subject<S>,
        request: &Request,
    ) -> Result<(Arc<Generation>, Arc<ProcessFacts>), Problem> {
        let generation = self.generation();
        self.admit(caller)
            .map_err(|shed| self.refuse_shed(request, generation.as_deref(), shed))?;
        let Some(generation) = generation else {
            return Err(draft::problem(&request.refused(None, Reason::NotReady, String::new())));
        };
        let wanted = generation.plan.facts().union(you::facts());
        let facts = subject
            .collect(wanted, &self.config.reader)
            .await
            .map_err(|error| self.refuse_peer(request, &generation, &error.into()))?;
        Ok((generation, facts))
    }

    /// From facts to a decision that is on record.
    pub(crate) async fn draft<S>(
        &self,
        request: &Request,
        subject: &Subject<S>,
        generation: &Generation,
        facts: Arc<ProcessFacts>,
    ) -> Result<Bound<Draft>, Problem> {
        let attested = subject.bind(facts).map_async(|facts| self.run(generation, facts)).await;
        let draft =
            attested.map(|(facts, said)| Draft::new(request, generation, subject, &facts, said));
        self.record(draft.for_audit(), &generation.policy)?;
        Ok(draft)
    }

    /// The question that a process answers to show that it, and not what it became or gave its
    /// connection to, is asking; to be put before the decision. None if it has answered one, or where
    /// an answer would prove nothing: what it runs is worth less then.
    ///
    /// # Errors
    /// The answer to send instead.
    pub fn challenge(
        &self,
        caller: &Caller,
        dialect: Dialect,
    ) -> Result<Option<Challenge>, Problem> {
        self.admit(caller).map_err(|shed| {
            let request = Request::begin(&self.config.node, &caller.subject, dialect.into());
            self.refuse_shed(&request, self.generation().as_deref(), shed)
        })?;
        caller.counted.store(true, Ordering::Relaxed);
        caller.subject.challenge().map_err(|error| self.refuse(caller, dialect, &error))
    }

    /// Takes note of the right answer.
    ///
    /// # Errors
    /// The answer to send instead, if it was not for that process to give.
    pub fn answered(
        &self,
        caller: &Caller,
        dialect: Dialect,
        challenge: Challenge,
    ) -> Result<(), Problem> {
        let answered = caller.subject.answered(challenge);
        self.metrics.challenged(answered.is_ok());
        answered.map_err(|error| self.refuse(caller, dialect, &error))
    }

    /// Takes note that no answer came in time, from somebody who need not give one.
    pub fn unanswered(&self) {
        self.metrics.challenged(false);
    }

    /// A decision against the caller for what the kernel said of it; recorded like any other.
    pub fn refuse(
        &self,
        caller: &Caller,
        protocol: impl Into<Protocol>,
        error: &PeerError,
    ) -> Problem {
        self.refuse_for(caller, protocol.into(), draft::reason_of(error), error.to_string())
    }

    /// A decision against a caller that did not answer, or wrongly.
    pub fn refuse_unanswered(&self, caller: &Caller, dialect: Dialect, saw: &str) -> Problem {
        self.unanswered();
        self.refuse_for(caller, dialect.into(), Reason::ChallengeFailed, saw.to_owned())
    }

    /// A decision against a broker, for what the kernel said of the process that it asked about.
    pub fn refuse_about_another(&self, broker: &Caller, error: &PeerError) -> Problem {
        let detail = format!("it asked about another process: {error}");
        self.refuse_for(broker, Protocol::Broker, draft::reason_of(error), detail)
    }

    fn refuse_for(
        &self,
        caller: &Caller,
        protocol: Protocol,
        reason: Reason,
        detail: String,
    ) -> Problem {
        let request = Request::begin(&self.config.node, &caller.subject, protocol);
        let generation = self.generation();
        let why = request.refused(generation.as_deref(), reason, detail);
        let problem = draft::problem_about_nobody(&why);
        self.remember(why, generation.as_deref().map(|generation| &generation.policy));
        problem
    }

    fn admit(&self, caller: &Caller) -> Result<(), Shed> {
        if caller.counted.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        self.config.admission.request(&caller.bucket).inspect_err(|_| self.metrics.shed("request"))
    }

    async fn run(
        &self,
        generation: &Generation,
        facts: Arc<ProcessFacts>,
    ) -> (Arc<ProcessFacts>, Vec<Attestation>) {
        let deadline = self.deadline();
        let source = Arc::clone(&facts) as Arc<dyn witgate_facts::FactSource>;
        let attestations = generation.catalogue.attest(&generation.plan, source, deadline).await;
        (facts, attestations)
    }

    pub(crate) fn deadline(&self) -> tokio::time::Instant {
        tokio::time::Instant::now() + self.config.deadline
    }

    /// Written before the answer; a grant that cannot be written is not given.
    fn record(&self, draft: &Draft, policy: &Arc<Policy>) -> Result<(), Problem> {
        let why = draft.why();
        match self.append(why) {
            Err(error) if draft.grants() => {
                let refused = draft::unrecorded(why, &error);
                let problem = draft::problem_about_nobody(&refused);
                self.publish(&Arc::new(refused), Some(policy));
                Err(match error {
                    AuditError::OverBudget { retry_after, .. } => {
                        problem.retry_after(draft::whole_seconds(retry_after))
                    }
                    _ => problem,
                })
            }
            _ => Ok(()),
        }
    }

    fn append(&self, why: &Why) -> Result<(), AuditError> {
        self.config.audit.append(draft::class(why), why.account(), &why.cause(), why).map(drop)
    }

    /// The last look, the answer, and the memory of it.
    pub(crate) fn conclude(
        &self,
        draft: Bound<Draft>,
        policy: &Arc<Policy>,
        confirm: impl FnOnce(Bound<Drafted>) -> Result<Confirmed<Drafted>, Lost>,
    ) -> Result<Grant, Problem> {
        let why = Arc::clone(draft.for_audit().why());
        match confirm(draft.map(Draft::into_answer)) {
            Ok(confirmed) => {
                self.publish(&why, Some(policy));
                confirmed.transpose().map(Grant::seal)
            }
            Err(lost) => {
                let withheld = draft::withheld(&why, &lost);
                let problem = draft::problem_about_nobody(&withheld);
                self.remember(withheld, Some(policy));
                Err(problem)
            }
        }
    }

    fn refuse_shed(
        &self,
        request: &Request,
        generation: Option<&Generation>,
        shed: Shed,
    ) -> Problem {
        let (why, problem) = request.shed(generation, shed);
        self.remember(why, generation.map(|generation| &generation.policy));
        problem
    }

    pub(crate) fn refuse_peer(
        &self,
        request: &Request,
        generation: &Generation,
        lost: &Lost,
    ) -> Problem {
        let why = request.refused(Some(generation), lost.reason(), lost.to_string());
        let problem = draft::problem(&why);
        self.remember(why, Some(&generation.policy));
        problem
    }

    /// Records and publishes a refusal. Nothing is given, so a full log cannot make it worse.
    fn remember(&self, why: Why, policy: Option<&Arc<Policy>>) {
        let why = Arc::new(why);
        if let Err(error) = self.append(&why) {
            tracing::debug!(error = %error, "A refusal was not recorded");
        }
        self.publish(&why, policy);
    }

    fn publish(&self, why: &Arc<Why>, policy: Option<&Arc<Policy>>) {
        self.metrics.decided(why);
        let bytes = why.weight();
        let policy = policy.map(Arc::downgrade).unwrap_or_default();
        if self.config.ring.push(Arc::clone(why), policy, bytes) {
            log(why);
        }
    }
}

/// One event for each decision that is not one more of the same: whoever loops cannot flood the log.
fn log(why: &Why) {
    let you = &why.you;
    if why.verdict == Verdict::Allow {
        let id = why.granted.first().map(|granted| granted.id.as_str());
        tracing::debug!(
            decision.id = %why.id, peer.pid = you.pid, peer.uid = you.uid, process.exe = you.exe,
            broker.pid = why.broker.as_ref().map(|broker| broker.pid), workload.spiffe_id = id, policy.revision = %why.policy_revision, "Allowed"
        );
    } else {
        tracing::info!(
            decision.id = %why.id, decision = %why.verdict, decision.reason = why.reason.map(Reason::as_str),
            peer.pid = you.pid, peer.uid = you.uid, process.exe = you.exe,
            broker.pid = why.broker.as_ref().map(|broker| broker.pid),
            policy.revision = %why.policy_revision, "Refused"
        );
    }
}
