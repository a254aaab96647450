use std::{
    collections::BTreeSet,
    future::poll_fn,
    pin::{Pin, pin},
    sync::{Arc, OnceLock},
    task::Poll,
    time::Instant,
};

use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;
use wasmtime::{Store, UpdateDeadline};
use witgate_facts::{
    CacheScope, Capability, Endpoints, FactError, FactFuture, FactName, FactResult, FactSet,
    FactSource, FileRoot,
};

use crate::{
    Engine, Limit, Question,
    bindings::witgate::attestor::types as wit,
    cache::{self, Cache, Lead},
    clock::CallClock,
    limits,
    lines::printable,
    memory::Meter,
    plan::Wants,
    plugin::Common,
    wasi::Wasi,
};

/// The state of one call: what the guest may do, what it did, and what it has left.
///
/// A guest in here cannot:
///
/// - learn about another process than the one of the call: facts come from one
///   [`FactSource`], and no host function takes a process id;
/// - read a fact outside `attest`, or one that its `plugin.toml` did not ask for (and the operator
///   did not grant): it traps;
/// - read a file of its own, open a socket, see an environment variable or an argument: there are
///   none;
/// - run on, grow, recurse, log or report without end: see [`limits`];
/// - keep anything: the store and everything in it is dropped after the call, except for what it
///   was granted to put into the cache, under the rules of [`crate::cache`].
pub(crate) struct Sandbox {
    phase: Phase,
    engine: Arc<Engine>,
    common: Arc<Common>,
    subject: Option<Subject>,
    pub(crate) leads: Vec<Lead>,
    /// Another call of its plugin looks for what it wants from the cache, and it waits for that.
    pub(crate) waits_for_another: bool,
    pub(crate) clock: Arc<CallClock>,
    pub(crate) meter: Meter,
    pub(crate) log: FactLog,
    slow: Option<Arc<OnceLock<OwnedSemaphorePermit>>>,
    wasi: Option<Box<Wasi>>,
}

/// Which function of the guest runs, and so what it may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Its start functions: nothing but the log.
    Starting,
    /// `describe` or `validate`: nothing but the log.
    Loading(&'static str),
    /// `attest`.
    Attesting,
}

/// Whom a call is about, and what is wanted of it.
#[derive(Clone)]
pub(crate) struct Subject {
    pub(crate) facts: Arc<dyn FactSource>,
    pub(crate) wants: Arc<Wants>,
    pub(crate) endpoints: Arc<dyn Endpoints>,
    /// What the plugin keeps. Only a decision has the plugin's own: what a recording or somebody's
    /// look makes it keep must never be found by a decision.
    pub(crate) cache: Arc<Cache>,
    /// Other settings than the configured ones.
    pub(crate) settings: Option<Arc<str>>,
    pub(crate) mode: Mode,
}

/// What a call is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A decision; it may be answered from the memo.
    Decide,
    /// Somebody wants to see the guest run.
    Run,
    /// A recorded subject: clocks stand still and random numbers are always the same.
    Replay,
}

/// What a call did with the facts.
#[derive(Debug, Default)]
pub(crate) struct FactLog {
    /// Read successfully.
    pub(crate) read: FactSet,
    /// Asked for and not there.
    pub(crate) failed: Vec<(FactName, FactError)>,
    /// One of them said that the process has exited.
    pub(crate) gone: bool,
    /// Calls of any host function of ours.
    pub(crate) host_calls: u32,
    /// What was asked, in order, as far as the answer follows from the subject and the question.
    pub(crate) asked: Vec<Question>,
    /// The guest saw or did something else than asking these questions: the same answers need not
    /// lead to the same report.
    pub(crate) impure: bool,
    /// Which files it looked at.
    pub(crate) paths: BTreeSet<(FileRoot, String)>,
    /// What it took from the cache and from endpoints, for the operator.
    pub(crate) uses: Vec<Use>,
}

/// Something that a call took from elsewhere than the subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "from")]
pub enum Use {
    /// From the cache of the plugin.
    Cache {
        /// The scope it was kept in.
        scope: CacheScope,
        /// The plugin's name for it.
        key: String,
        /// How long ago it was put there, in milliseconds.
        age_ms: u64,
    },
    /// From an endpoint.
    Endpoint {
        /// The operator's name for it.
        endpoint: String,
        /// Method and path.
        request: String,
        /// Status, or why there was no response.
        outcome: String,
        /// Wall time in milliseconds.
        elapsed_ms: u64,
    },
}

impl FactLog {
    /// It took something from elsewhere.
    pub(crate) fn used(&mut self, used: Use) {
        if self.uses.len() < limits::USES {
            self.uses.push(used);
        }
    }

    /// A fact was read, or could not be.
    pub(crate) fn note(&mut self, fact: FactName, error: Option<&FactError>) {
        let Some(error) = error else { return self.read.insert(fact) };
        self.gone |= *error == FactError::Gone;
        if self.failed.iter().all(|(known, _)| *known != fact) {
            self.failed.push((fact, error.clone()));
        }
    }
}

/// Why the host ended a call.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stop {
    /// Its time was up.
    #[error("out of time: the limit is {0}")]
    OutOfTime(Limit),
    /// It called what it must not in that function.
    #[error("it called `{function}` in {during}, where only `log` may be called")]
    NotNow { function: String, during: &'static str },
    /// It called an interface that it did not ask for.
    #[error(
        "it called `{interface}.{function}`, but its plugin.toml does not ask for `{interface}`"
    )]
    NotAsked { interface: String, function: String },
    /// It asked for something that its manifest does not name.
    #[error(
        "it called `{function}` with {argument}, but its plugin.toml does not ask for \"{capability}\""
    )]
    NotNamed { function: &'static str, argument: String, capability: String },
    /// It named a file by something that is no path.
    #[error(
        "it called `{function}` with \"{path}\"; a path is absolute, without `.`, `..`, doubled or \
         trailing slashes"
    )]
    NoPath { function: &'static str, path: String },
    /// It looked at too many files.
    #[error("it looked at more than {} different paths for one request", limits::PATHS)]
    TooManyPaths,
    /// It called something of WASI that plugins do not have.
    #[error("it called `{interface}#{function}`; plugins have no files and no network")]
    NoSuchThing { interface: String, function: String },
}

impl Sandbox {
    /// A store for one call, with every limit in place and nothing run yet.
    pub(crate) fn store(
        engine: &Arc<Engine>,
        common: &Arc<Common>,
        subject: Option<Subject>,
        clock: Arc<CallClock>,
    ) -> Store<Self> {
        let sandbox = Self {
            phase: Phase::Starting,
            engine: Arc::clone(engine),
            common: Arc::clone(common),
            subject,
            leads: Vec::new(),
            waits_for_another: false,
            clock,
            meter: Meter::default(),
            log: FactLog::default(),
            slow: None,
            wasi: None,
        };
        let mut store = Store::new(engine.wasm(), sandbox);
        store.limiter(|sandbox| &mut sandbox.meter);
        store.set_hostcall_fuel(limits::HOSTCALL_FUEL);
        store.epoch_deadline_callback(|mut store| store.data_mut().on_tick());
        // The next tick may be due now; the one after it means that a whole one has passed.
        store.set_epoch_deadline(2);
        store
    }

    /// Which function runs from now on.
    pub(crate) fn enter(&mut self, phase: Phase) {
        self.phase = phase;
    }

    /// What all calls of its plugin share.
    pub(crate) fn common(&self) -> &Arc<Common> {
        &self.common
    }

    /// WASI, made at the first call of it: most guests never do.
    pub(crate) fn wasi(&mut self) -> &mut Wasi {
        self.log.impure = true;
        let frozen = self.subject.as_ref().is_some_and(|subject| subject.mode == Mode::Replay);
        self.wasi.get_or_insert_with(|| Box::new(Wasi::new(&self.common, frozen)))
    }

    /// Whether the manifest asks for this very thing; else the call traps.
    pub(crate) fn may(
        &self,
        function: &'static str,
        argument: &str,
        capability: &Capability,
    ) -> wasmtime::Result<()> {
        if self.common.asked.cover(capability) {
            return Ok(());
        }
        let argument = format!("{:?}", printable(argument, limits::SHOWN_BYTES));
        let capability = printable(&capability.to_string(), limits::REASON_BYTES);
        Err(Stop::NotNamed { function, argument, capability }.into())
    }

    /// Takes note of a question whose answer follows from the subject.
    pub(crate) fn asked(&mut self, question: impl FnOnce() -> Question) {
        if self.log.asked.len() == limits::TRACE_QUESTIONS {
            self.log.impure = true;
        }
        if !self.log.impure {
            self.log.asked.push(question());
        }
    }

    /// The subject, in `attest` only. Counts the call.
    pub(crate) fn subject(
        &mut self,
        interface: &str,
        function: &str,
    ) -> wasmtime::Result<&Subject> {
        self.log.host_calls = self.log.host_calls.saturating_add(1);
        let during = match self.phase {
            Phase::Attesting => "a call without a subject",
            Phase::Loading(export) => export,
            Phase::Starting => "a start function",
        };
        match &self.subject {
            Some(subject) if self.phase == Phase::Attesting => Ok(subject),
            _ => Err(Stop::NotNow { function: format!("{interface}.{function}"), during }.into()),
        }
    }

    /// Reads a fact that is in memory.
    pub(crate) fn fact<T>(
        &mut self,
        fact: FactName,
        read: impl FnOnce(&dyn FactSource) -> FactResult<T>,
    ) -> wasmtime::Result<Result<T, wit::FactError>> {
        let found = read(&*self.subject_for(fact)?.facts);
        self.asked(|| Question::Fact(fact));
        Ok(self.note(fact, found))
    }

    /// The source of a fact that has to be waited for, with [`Sandbox::wait_for`].
    pub(crate) fn source(
        &mut self,
        fact: FactName,
        question: impl FnOnce() -> Question,
    ) -> wasmtime::Result<Arc<dyn FactSource>> {
        let source = Arc::clone(&self.subject_for(fact)?.facts);
        self.asked(question);
        Ok(source)
    }

    /// Waits for a fact.
    pub(crate) async fn wait_for<T>(
        &mut self,
        fact: FactName,
        reading: FactFuture<'_, T>,
    ) -> Result<T, wit::FactError> {
        let found = self.wait(reading).await;
        self.note(fact, found)
    }

    /// Waits for what is not the guest's own doing. Its clock stands still meanwhile, and others
    /// have its permit to be slow.
    pub(crate) async fn wait<T>(&mut self, what: impl Future<Output = T> + Send) -> T {
        let clock = Arc::clone(&self.clock);
        let _waiting = clock.wait();
        let mut what = pin!(what);
        match poll_fn(|context| Poll::Ready(what.as_mut().poll(context))).await {
            Poll::Ready(found) => found,
            Poll::Pending => {
                self.slow = None;
                what.await
            }
        }
    }

    /// The subject, to read a fact. What the call may not keep any more once it has, nobody waits
    /// for: a workload can make the reading last.
    fn subject_for(&mut self, fact: FactName) -> wasmtime::Result<&Subject> {
        self.leads.retain(|lead| cache::outlives(lead.place().scope(), fact));
        let (interface, function) = fact.as_str().split_once('.').unwrap_or_default();
        self.subject(interface, function)
    }

    /// Takes note of whether a fact was read, and translates the answer for the guest.
    pub(crate) fn note<T>(
        &mut self,
        fact: FactName,
        found: FactResult<T>,
    ) -> Result<T, wit::FactError> {
        self.log.note(fact, found.as_ref().err());
        found.map_err(|error| tell(&error))
    }

    /// The guest has used up a tick: let others run, or stop it.
    ///
    /// From its second tick on it needs one of a few permits, so that the workers never run only
    /// guests like this one; what it waits for the permit does not count as its time.
    fn on_tick(&mut self) -> wasmtime::Result<UpdateDeadline> {
        let now = Instant::now();
        if let Some(limit) = self.clock.exceeded(now) {
            return Err(Stop::OutOfTime(limit).into());
        }
        if self.clock.on_the_wall(now) < limits::TICK {
            // It waited for a fact while the epochs went on.
            return Ok(UpdateDeadline::Continue(1));
        }
        if !self.clock.use_tick(now) {
            return Err(Stop::OutOfTime(Limit::CallTime).into());
        }
        let pause: Pin<Box<dyn Future<Output = ()> + Send>> = match &self.slow {
            Some(_) => {
                let clock = Arc::clone(&self.clock);
                Box::pin(async move {
                    let _aside = clock.step_aside();
                    tokio::task::yield_now().await;
                })
            }
            None => {
                let lane = Arc::clone(self.slow.insert(Arc::default()));
                let (slow, clock) = (self.engine.slow_lane(), Arc::clone(&self.clock));
                Box::pin(async move {
                    let _waiting = clock.wait();
                    // The semaphore is never closed.
                    if let Ok(permit) = slow.acquire_owned().await {
                        let _ = lane.set(permit);
                    }
                })
            }
        };
        Ok(UpdateDeadline::YieldCustom(1, pause))
    }
}

fn tell(error: &FactError) -> wit::FactError {
    match error {
        FactError::Denied => wit::FactError::Denied,
        FactError::Gone => wit::FactError::Gone,
        FactError::Io(reason) => wit::FactError::Io(reason.clone()),
        FactError::TooLarge => wit::FactError::TooLarge,
        FactError::Unsupported => wit::FactError::Unsupported,
    }
}
