//! What every connection needs: the decider, and what may be answered without it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::{Semaphore, SemaphorePermit};
use witgate_decision::{Caller, Decider, Permit, Reply, Shed, Watch, WatchPermit};
use witgate_peer::{OtherSenders, PeerError};
use witgate_protocol::{Ask, Dialect, HealthAnswer, Problem, Reason, WatchEvent, You};

use crate::answer::Frame;

/// Shared by all connections.
#[derive(Debug)]
pub(crate) struct Gateway {
    decider: Arc<Decider>,
    others: OtherSenders,
    draining: AtomicBool,
    refusals: Semaphore,
}

/// How many who are not let in are waited for at once.
const REFUSALS: usize = 32;

impl Gateway {
    pub(crate) fn new(decider: Arc<Decider>, others: OtherSenders) -> Self {
        let refusals = Semaphore::new(REFUSALS);
        Self { decider, others, draining: AtomicBool::new(false), refusals }
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
        self.draining.store(true, Ordering::Relaxed);
        self.decider.drain();
    }

    pub(crate) fn is_ready(&self) -> bool {
        !self.draining.load(Ordering::Relaxed) && self.decider.generation().is_some()
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
        match answer.send() {
            Reply::Attest(outcome) => Frame::Outcome(outcome),
            Reply::Whoami(answer) => Frame::Whoami(answer),
        }
    }

    /// A stream of decisions, if the caller has not too many already.
    pub(crate) fn watch(&self, caller: Arc<Caller>, dialect: Dialect) -> Option<Stream> {
        if !self.is_ready() {
            return None;
        }
        let permit = self.decider.admission().watch(&caller.bucket).ok()?;
        Some(Stream { watch: self.decider.watch(caller, dialect), _permit: permit })
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
