use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use wasmtime::{PoolConcurrencyLimitError, Store, Trap};
use wasmtime_wasi::I32Exit;
use witgate_facts::{FactSet, FactSource};

use crate::{
    Attestation, Limit, Outcome, Plugin,
    bindings::exports::witgate::attestor::attestor::{Failure, Report},
    limits,
    lines::printable,
    plan::PlannedCall,
    report::{Check, Checked},
    sandbox::{CallClock, FactLog, Phase, Sandbox, Stop, Subject},
};

/// Asks one plugin about one subject: again if it says so, at rest not at all.
pub(crate) async fn attest(
    call: &PlannedCall,
    facts: &Arc<dyn FactSource>,
    deadline: Instant,
) -> Attestation {
    let plugin = &call.plugin;
    let started = Instant::now();
    let mut attestation = Attestation {
        plugin: plugin.name().clone(),
        required: plugin.required(),
        outcome: Outcome::Gone,
        selectors: Vec::new(),
        unknown: Vec::new(),
        facts_read: FactSet::EMPTY,
        elapsed: Duration::ZERO,
        memory_bytes: 0,
        host_calls: 0,
    };
    attestation.outcome = match plugin.0.breaker.admit(started) {
        Err(rest) => resting(rest),
        Ok(()) => {
            let outcome = attempts(call, facts, deadline, &mut attestation).await;
            plugin.0.breaker.record(&outcome, Instant::now());
            outcome
        }
    };
    attestation.elapsed = started.elapsed();
    plugin.0.counters.record(&attestation);
    if attestation.outcome.is_fault() {
        plugin.0.said.lines.fault(&attestation.outcome);
    }
    attestation
}

fn resting(rest: Duration) -> Outcome {
    let reason = format!(
        "it ran out of time or memory {} times in a row and rests for another {} ms",
        limits::BREAKER_FAULTS,
        rest.as_millis()
    );
    Outcome::Unavailable { reason }
}

/// Calls until there is an answer other than `retry`, at most [`limits::MAX_RETRIES`] times more.
async fn attempts(
    call: &PlannedCall,
    facts: &Arc<dyn FactSource>,
    deadline: Instant,
    attestation: &mut Attestation,
) -> Outcome {
    for attempt in 0..=limits::MAX_RETRIES {
        let pause = match once(call, facts, deadline, attestation).await {
            Answer::Final(outcome) => return outcome,
            Answer::Retry(pause) => pause.min(limits::MAX_RETRY_PAUSE),
        };
        let again = Instant::now() + pause;
        if attempt == limits::MAX_RETRIES || again >= deadline {
            break;
        }
        call.plugin.0.counters.count_retry();
        tokio::time::sleep_until(again.into()).await;
    }
    Outcome::Unavailable {
        reason: "it asks to be asked again, and there is no time left".to_owned(),
    }
}

enum Answer {
    Final(Outcome),
    Retry(Duration),
}

/// One call in one fresh instance, which is gone when this returns.
async fn once(
    call: &PlannedCall,
    facts: &Arc<dyn FactSource>,
    deadline: Instant,
    attestation: &mut Attestation,
) -> Answer {
    let engine = &call.plugin.0.engine;
    let room = tokio::time::timeout_at(deadline.into(), engine.admit()).await;
    let Ok(Some(_room)) = room else {
        let reason = "no room for one more instance before the deadline".to_owned();
        return Answer::Final(Outcome::Unavailable { reason });
    };
    let _ticking = engine.ticking();
    let clock = Arc::new(CallClock::start(limits::CALL_TIME, deadline));
    let subject = Subject { facts: Arc::clone(facts), wants: Arc::clone(&call.wants) };
    let said = &call.plugin.0.said;
    let mut store = Sandbox::store(engine, said, Some(subject), Arc::clone(&clock));
    let called = guard(&clock, run(&mut store, &call.plugin)).await;
    let sandbox = store.data();
    attestation.facts_read = sandbox.log.read;
    attestation.host_calls = attestation.host_calls.saturating_add(sandbox.log.host_calls);
    let memory = u64::try_from(sandbox.meter.most_bytes()).unwrap_or(u64::MAX);
    attestation.memory_bytes = attestation.memory_bytes.max(memory);
    if sandbox.log.gone {
        return Answer::Final(Outcome::Gone);
    }
    let said = match called {
        Err(limit) => return Answer::Final(Outcome::OutOfTime { limit }),
        Ok(Err(error)) => {
            return Answer::Final(Stopped::by(&error, sandbox.meter.refused()).outcome());
        }
        Ok(Ok(said)) => said,
    };
    judge(call, facts, &sandbox.log, said, attestation)
}

async fn run(
    store: &mut Store<Sandbox>,
    plugin: &Plugin,
) -> wasmtime::Result<Result<Report, Failure>> {
    let instance = plugin.0.pre.instantiate_async(&mut *store).await?;
    store.data_mut().enter(Phase::Attesting);
    let attest =
        instance.get_typed_func::<(), (Result<Report, Failure>,)>(&mut *store, &plugin.0.attest)?;
    let (said,) = attest.call_async(&mut *store, ()).await?;
    Ok(said)
}

/// Lets a call run until its clock says that it is over. The epochs stop a guest that computes;
/// this stops one that waits.
pub(crate) async fn guard<F: Future>(clock: &CallClock, call: F) -> Result<F::Output, Limit> {
    let mut call = std::pin::pin!(call);
    loop {
        let alarm = clock.alarm(Instant::now());
        tokio::select! {
            biased;
            output = &mut call => return Ok(output),
            () = tokio::time::sleep_until(alarm.into()) => {
                if let Some(limit) = clock.exceeded(Instant::now()) {
                    return Err(limit);
                }
            }
        }
    }
}

/// What an answer is worth.
fn judge(
    call: &PlannedCall,
    facts: &Arc<dyn FactSource>,
    log: &FactLog,
    said: Result<Report, Failure>,
    attestation: &mut Attestation,
) -> Answer {
    let (plugin, manifest) = (call.plugin.name(), call.plugin.manifest());
    let check = Check { plugin, manifest, wants: &call.wants, log, facts: &**facts };
    let shown = |reason: String| printable(&reason, limits::REASON_BYTES);
    Answer::Final(match said {
        Ok(report) => match check.report(&report) {
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
        Err(Failure::Retry(ms)) => return Answer::Retry(Duration::from_millis(ms.into())),
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
