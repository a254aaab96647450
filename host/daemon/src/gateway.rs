//! What every connection needs: the decider, and what may be answered without it.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::{
    net::UnixStream,
    sync::{Semaphore, SemaphorePermit, watch},
};
use witgate_decision::{Caller, Decider, Permit, Shed, Watch, WatchPermit};
use witgate_peer::{BrokerStream, OtherSenders, PeerError};
use witgate_protocol::{Ask, Dialect, HealthAnswer, Problem, Reason, WatchEvent, You};

use crate::answer::Frame;

/// Shared by all connections.
#[derive(Debug)]
pub(crate) struct Gateway {
    decider: Arc<Decider>,
    others: OtherSenders,
    phase: watch::Sender<Phase>,
    /// Who has said nothing yet and is passed on.
    kept: Mutex<Waiting>,
    /// Places to wait for the first byte of who is not let in.
    refusals: Semaphore,
}

/// Connections on which nothing was said yet.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    pub(crate) workloads: Vec<UnixStream>,
    pub(crate) brokers: Vec<BrokerStream>,
}

impl Waiting {
    pub(crate) const fn len(&self) -> usize {
        self.workloads.len() + self.brokers.len()
    }
}

/// What becomes of those who come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// They are answered.
    Serving,
    /// Who has asked is answered, who has not is kept for the successor.
    HandingOver,
    /// Nothing is decided any more.
    Draining,
}

impl Gateway {
    /// With how many who are not let in may be waited for at once.
    pub(crate) fn new(decider: Arc<Decider>, others: OtherSenders, refusals: usize) -> Self {
        let phase = watch::Sender::new(Phase::Serving);
        Self { decider, others, phase, kept: Mutex::default(), refusals: Semaphore::new(refusals) }
    }

    /// What becomes of bytes that another process wrote than the one that connected.
    pub(crate) const fn others(&self) -> OtherSenders {
        self.others
    }

    /// The decision against a connection on which another process wrote; none if nobody did, or it
    /// may.
    pub(crate) fn refuse_sender(&self, caller: &Caller, dialect: Dialect) -> Option<Problem> {
        let sender = caller.subject.other_sender()?;
        (self.others == OtherSenders::Refused)
            .then(|| self.decider.refuse(caller, dialect, &PeerError::SenderDiffers { sender }))
    }

    pub(crate) const fn decider(&self) -> &Arc<Decider> {
        &self.decider
    }

    /// From now on nothing new is decided.
    pub(crate) fn drain(&self) {
        self.phase.send_replace(Phase::Draining);
        self.decider.drain();
    }

    /// From now on only who has asked already is answered; streams end.
    pub(crate) fn hand_over(&self) {
        self.phase.send_replace(Phase::HandingOver);
        self.decider.drain();
    }

    /// As before [`Self::hand_over`] and [`Self::drain`].
    pub(crate) fn resume(&self) {
        self.phase.send_replace(Phase::Serving);
        self.decider.resume();
    }

    /// Waits until connections should end when they can.
    pub(crate) async fn leaving(&self) {
        self.until(|phase| phase != Phase::Serving).await;
    }

    /// Waits until who has said nothing yet is to be kept.
    pub(crate) async fn handing_over(&self) {
        self.until(|phase| phase == Phase::HandingOver).await;
    }

    async fn until(&self, reached: impl Fn(Phase) -> bool) {
        // The sender is our own, so it is there for as long as this waits.
        let _ = self.phase.subscribe().wait_for(|phase| reached(*phase)).await;
    }

    /// Keeps a connection on which nothing was said; given back if it is too late for that.
    pub(crate) fn keep(&self, stream: UnixStream) -> Option<UnixStream> {
        self.keep_among(stream, |kept| &mut kept.workloads)
    }

    /// The same for that of a broker.
    pub(crate) fn keep_broker(&self, stream: BrokerStream) -> Option<BrokerStream> {
        self.keep_among(stream, |kept| &mut kept.brokers)
    }

    fn keep_among<S>(
        &self,
        stream: S,
        among: impl FnOnce(&mut Waiting) -> &mut Vec<S>,
    ) -> Option<S> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if *self.phase.borrow() != Phase::HandingOver {
            return Some(stream);
        }
        among(&mut kept).push(stream);
        None
    }

    /// Those that were kept. After [`Self::drain`] there are no more.
    pub(crate) fn kept(&self) -> Waiting {
        std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn is_ready(&self) -> bool {
        *self.phase.borrow() != Phase::Draining && self.decider.generation().is_some()
    }

    /// A place among those who are told why they are not let in; none if there are too many.
    pub(crate) fn wait_to_refuse(&self) -> Option<SemaphorePermit<'_>> {
        self.refusals.try_acquire().ok()
    }

    /// A connection's place.
    pub(crate) fn admit(&self, caller: &Caller) -> Result<Permit, Shed> {
        self.decider
            .admission()
            .connect(&caller.bucket)
            .inspect_err(|_| self.decider.metrics().shed("connection"))
    }

    /// Answers one request that has one answer.
    pub(crate) async fn answer(&self, caller: &Caller, ask: Ask, dialect: Dialect) -> Frame {
        let answer = match ask {
            Ask::Health => return Frame::Health(self.health(caller)),
            Ask::Whoami => self.decider.whoami(caller).await,
            Ask::Attest | Ask::Watch if !self.is_ready() => {
                return Frame::Outcome(witgate_protocol::Outcome::Refuse(Problem::new(
                    Reason::NotReady,
                )));
            }
            Ask::Attest | Ask::Watch => self.decider.attest(caller, dialect).await,
        };
        Frame::of(answer)
    }

    /// A stream of decisions.
    ///
    /// # Errors
    /// The answer to send instead, if the caller has too many already or all streams end.
    pub(crate) fn watch(&self, caller: Arc<Caller>, dialect: Dialect) -> Result<Stream, Problem> {
        if !self.is_ready() || *self.phase.borrow() != Phase::Serving {
            return Err(Problem::new(Reason::NotReady).retry_after(1));
        }
        let permit = self.decider.admission().watch(&caller.bucket).map_err(|shed| {
            Problem::new(Reason::RateLimited).retry_after(shed.retry_after_seconds())
        })?;
        Ok(Stream { watch: self.decider.watch(caller, dialect), _permit: permit })
    }

    fn health(&self, caller: &Caller) -> HealthAnswer {
        let you = You::new(caller.subject.pid().as_u32(), caller.subject.uid());
        HealthAnswer::new(self.is_ready(), env!("CARGO_PKG_VERSION"), Some(you))
    }
}

/// A watch, and the place that it takes.
#[derive(Debug)]
pub(crate) struct Stream {
    watch: Watch,
    _permit: WatchPermit,
}

impl Stream {
    pub(crate) async fn next(&mut self) -> Option<WatchEvent> {
        self.watch.next().await
    }
}
