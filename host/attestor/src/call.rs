use std::{
    collections::BTreeSet,
    fmt,
    mem::take,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::SemaphorePermit, time::timeout_at};
use wasmtime::{PoolConcurrencyLimitError, Store, Trap};
use wasmtime_wasi::I32Exit;
use witgate_facts::{FactSet, FactSource, FileRoot};
use witgate_report::{Check, Checked};

use crate::{
    Attestation, Limit, Outcome, Plugin,
    bindings::exports::witgate::attestor::attestor::Failure,
    breaker::Share,
    clock::{CallClock, guard},
    limits,
    lines::printable,
    memo::Ending,
    plan::PlannedCall,
    plugin::Loaded,
    said,
    sandbox::{FactLog, Mode, Phase, Sandbox, Stop, Subject},
};

/// Asks one plugin about one subject: again if it says so, at rest not at all.
pub(crate) async fn attest(
    call: &PlannedCall,
    facts: &Arc<dyn FactSource>,
    deadline: Instant,
) -> Attestation {
    let plugin = &call.plugin;
    let started = Instant::now();
    let mut attestation = empty(plugin);
    let share = || Share::of(&**facts);
    attestation.outcome = match plugin.0.breaker.admit(started, share) {
        Err(rest) => Outcome::Unavailable { reason: rest.to_string() },
        Ok(()) => {
            let endpoints = Arc::clone(&plugin.0.endpoints);
            let (facts, wants) = (Arc::clone(facts), Arc::clone(&call.wants));
            let cache = Arc::clone(&plugin.0.common.cache);
            let (settings, mode) = (None, Mode::Decide);
            let subject = Subject { facts, wants, endpoints, cache, settings, mode };
            let outcome = attempts(plugin, &subject, deadline, &mut attestation).await;
            plugin.0.breaker.record(&outcome, Instant::now(), share);
            outcome
        }
    };
    attestation.elapsed = started.elapsed();
    plugin.0.counters.record(&attestation);
    if attestation.outcome.is_fault() {
        plugin.0.common.lines.fault(&attestation.outcome);
    }
    attestation
}

/// Asks a plugin outside of any decision: by running it, at rest or not, and without a trace in its
/// counters.
pub(crate) async fn alone(plugin: &Plugin, subject: &Subject, deadline: Instant) -> Attestation {
    let started = Instant::now();
    let mut attestation = empty(plugin);
    attestation.outcome = attempts(plugin, subject, deadline, &mut attestation).await;
    attestation.elapsed = started.elapsed();
    attestation
}

fn empty(plugin: &Plugin) -> Attestation {
    Attestation {
        plugin: plugin.name().clone(),
        required: plugin.required(),
        outcome: Outcome::Gone,
        selectors: Vec::new(),
        unknown: Vec::new(),
        facts_read: FactSet::EMPTY,
        elapsed: Duration::ZERO,
        memory_bytes: 0,
        host_calls: 0,
        asked: Vec::new(),
        uses: Vec::new(),
        from_memo: false,
    }
}

/// Calls until there is an answer other than `retry`, at most [`limits::MAX_RETRIES`] times more.
async fn attempts(
    plugin: &Plugin,
    subject: &Subject,
    deadline: Instant,
    attestation: &mut Attestation,
) -> Outcome {
    // All attempts together: what one plugin has read of a request's files, others have not.
    let mut paths = BTreeSet::new();
    for attempt in 0..=limits::MAX_RETRIES {
        let pause = match once(plugin, subject, deadline, attestation, &mut paths).await {
            Answer::Final(outcome) => return outcome,
            Answer::Retry(after_ms) if subject.mode == Mode::Replay => {
                return Outcome::Retry { after_ms };
            }
            Answer::Retry(after_ms) => {
                Duration::from_millis(after_ms.into()).min(limits::MAX_RETRY_PAUSE)
            }
        };
        let again = Instant::now() + pause;
        if attempt == limits::MAX_RETRIES || again >= deadline {
            break;
        }
        plugin.0.counters.count_retry();
        tokio::time::sleep_until(again.into()).await;
    }
    Outcome::Unavailable {
        reason: "it asks to be asked again, and there is no time left".to_owned(),
    }
}

enum Answer {
    Final(Outcome),
    /// After so many milliseconds.
    Retry(u32),
}

/// One call: answered from the memo, or in one fresh instance, which is gone when this returns.
async fn once(
    plugin: &Plugin,
    subject: &Subject,
    deadline: Instant,
    attestation: &mut Attestation,
    paths: &mut BTreeSet<(FileRoot, String)>,
) -> Answer {
    let Subject { facts, wants, mode, .. } = subject;
    if *mode == Mode::Decide {
        let recall = plugin.0.memo.recall(&**facts, wants);
        let Ok(recalled) = timeout_at(deadline.into(), recall).await else {
            return Answer::Final(Outcome::OutOfTime { limit: Limit::RequestDeadline });
        };
        if let Some((ending, log)) = recalled {
            attestation.from_memo = true;
            attestation.note(&log);
            return judge(plugin, subject, &log, &ending, attestation);
        }
    }
    let (called, mut log) = match instance(plugin, subject, deadline, attestation, paths).await {
        Ok(ended) => ended,
        Err(reason) => return Answer::Final(Outcome::Unavailable { reason }),
    };
    attestation.note(&log);
    let answer = match called {
        _ if log.gone => Answer::Final(Outcome::Gone),
        Err(outcome) => Answer::Final(outcome),
        Ok(ending) => {
            if *mode == Mode::Decide {
                plugin.0.memo.learn(&log, &ending, &**facts, wants).await;
            }
            judge(plugin, subject, &log, &ending, attestation)
        }
    };
    (attestation.asked, attestation.uses) = (take(&mut log.asked), take(&mut log.uses));
    answer
}

/// Runs the guest in an instance of its own: how it ended, and what it did. The error is why there
/// was none.
async fn instance(
    plugin: &Plugin,
    subject: &Subject,
    deadline: Instant,
    attestation: &mut Attestation,
    paths: &mut BTreeSet<(FileRoot, String)>,
) -> Result<(Result<Ending, Outcome>, FactLog), String> {
    let Loaded { engine, common, .. } = &*plugin.0;
    let _room = room(plugin, deadline).await?;
    let _ticking = engine.ticking();
    let clock = Arc::new(CallClock::start(limits::CALL_TIME, deadline));
    let mut store = Sandbox::store(engine, common, Some(subject.clone()), Arc::clone(&clock));
    store.data_mut().log.paths = take(paths);
    let called = guard(&clock, run(&mut store, plugin)).await;
    let sandbox = store.data_mut();
    *paths = take(&mut sandbox.log.paths);
    let memory = u64::try_from(sandbox.meter.most_bytes()).unwrap_or(u64::MAX);
    attestation.memory_bytes = attestation.memory_bytes.max(memory);
    let ended = match called {
        Err(Limit::RequestDeadline) if sandbox.waits_for_another => Err(waited_in_vain()),
        Err(limit) => Err(Outcome::OutOfTime { limit }),
        Ok(Err(error)) => Err(Stopped::by(&error, sandbox.meter.refused()).outcome()),
        Ok(Ok(ending)) => Ok(ending),
    };
    Ok((ended, take(&mut sandbox.log)))
}

/// One of the plugin's own instances, and one of all. First its own, so that a plugin whose instances
/// all wait for something keeps none from others.
async fn room(
    plugin: &Plugin,
    deadline: Instant,
) -> Result<(SemaphorePermit<'_>, SemaphorePermit<'_>), String> {
    let Loaded { engine, instances, .. } = &*plugin.0;
    let own = match instances.try_acquire() {
        Ok(own) => own,
        Err(_) => match timeout_at(deadline.into(), instances.acquire()).await {
            Ok(Ok(own)) => own,
            _ => {
                let share = engine.share();
                return Err(format!(
                    "all its instances were busy until the deadline of the request; a plugin has \
                     {share} at once"
                ));
            }
        },
    };
    match timeout_at(deadline.into(), engine.admit()).await {
        Ok(Some(room)) => Ok((own, room)),
        _ => Err("no room for one more instance before the deadline".to_owned()),
    }
}

/// The outcome of a call that waited for another to find something. It is no fault of the plugin:
/// whoever makes that other call last would make it one.
fn waited_in_vain() -> Outcome {
    let reason = "until the deadline of the request it waited for another call, which looks for the \
                  same thing to put it into the cache";
    Outcome::Unavailable { reason: reason.to_owned() }
}

impl Attestation {
    fn note(&mut self, log: &FactLog) {
        self.facts_read = log.read;
        self.host_calls = self.host_calls.saturating_add(log.host_calls);
    }
}

async fn run(store: &mut Store<Sandbox>, plugin: &Plugin) -> wasmtime::Result<Ending> {
    let instance = plugin.0.pre.instantiate_async(&mut *store).await?;
    store.data_mut().enter(Phase::Attesting);
    let attest = instance.get_typed_func::<(), (Ending,)>(&mut *store, &plugin.0.attest)?;
    let (ending,) = attest.call_async(&mut *store, ()).await?;
    Ok(ending)
}

/// What an answer is worth.
fn judge(
    plugin: &Plugin,
    subject: &Subject,
    log: &FactLog,
    ending: &Ending,
    attestation: &mut Attestation,
) -> Answer {
    if log.gone {
        return Answer::Final(Outcome::Gone);
    }
    let (name, manifest) = (plugin.name(), plugin.manifest());
    let check = Check {
        plugin: name,
        manifest,
        wants: subject.wants.keys(),
        read: log.read,
        failed: &log.failed,
        facts: &*subject.facts,
    };
    let shown = |reason: &str| printable(reason, limits::REASON_BYTES);
    Answer::Final(match ending {
        Ok(report) => match check.report(&said::report(report)) {
            Ok(Checked { selectors, unknown }) => {
                (attestation.selectors, attestation.unknown) = (selectors, unknown);
                Outcome::Reported
            }
            Err(reason) => Outcome::BadOutput { reason },
        },
        Err(Failure::NotApplicable) => {
            attestation.unknown = check.not_applicable();
            Outcome::NotApplicable
        }
        Err(Failure::Retry(after_ms)) => return Answer::Retry(*after_ms),
        Err(Failure::Unavailable(reason)) => Outcome::Unavailable { reason: shown(reason) },
        Err(Failure::Failed(reason)) => Outcome::Failed { reason: shown(reason) },
    })
}

/// Why a call ended without an answer.
pub(crate) enum Stopped {
    OutOfTime(Limit),
    OutOfMemory,
    TooMuchOutput,
    NoRoom(String),
    Trapped(String),
}

impl Stopped {
    /// Reads an error of the engine. `refused` says whether the guest was refused memory: then
    /// whatever it trapped on is what its language does when memory runs out.
    pub(crate) fn by(error: &wasmtime::Error, refused: bool) -> Self {
        if let Some(Stop::OutOfTime(limit)) = error.downcast_ref() {
            return Self::OutOfTime(*limit);
        }
        if refused {
            return Self::OutOfMemory;
        }
        if let Some(stop) = error.downcast_ref::<Stop>() {
            return Self::Trapped(stop.to_string());
        }
        if let Some(I32Exit(code)) = error.downcast_ref() {
            return Self::Trapped(format!("it called exit({code})"));
        }
        if let Some(full) = error.downcast_ref::<PoolConcurrencyLimitError>() {
            return Self::NoRoom(full.to_string());
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::StackOverflow) => {
                let limit = limits::GUEST_STACK >> 10;
                Self::Trapped(format!("call stack exhausted, the limit is {limit} KiB"))
            }
            Some(trap) => Self::Trapped(trap.to_string()),
            None => Self::by_words(&error.root_cause().to_string()),
        }
    }

    /// The engine has no type for this one; a test would notice if the words changed.
    fn by_words(words: &str) -> Self {
        if words.contains("fuel allocated for hostcalls has been exhausted") {
            Self::TooMuchOutput
        } else {
            Self::Trapped(printable(words, limits::REASON_BYTES))
        }
    }

    fn outcome(self) -> Outcome {
        match self {
            Self::OutOfTime(limit) => Outcome::OutOfTime { limit },
            Self::OutOfMemory => {
                Outcome::OutOfMemory { limit: u64::try_from(limits::MEMORY).unwrap_or(u64::MAX) }
            }
            Self::TooMuchOutput => Outcome::BadOutput { reason: self.to_string() },
            Self::NoRoom(reason) => Outcome::Unavailable { reason },
            Self::Trapped(reason) => Outcome::Trapped { reason: format!("`attest`: {reason}") },
        }
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfTime(limit) => write!(f, "out of time: the limit is {limit}"),
            Self::OutOfMemory => {
                write!(f, "out of memory: the limit is {} MiB", limits::MEMORY >> 20)
            }
            Self::TooMuchOutput => {
                write!(f, "it hands over more than {} KiB at once", limits::HOSTCALL_FUEL >> 10)
            }
            Self::NoRoom(reason) | Self::Trapped(reason) => f.write_str(reason),
        }
    }
}
