//! What is in effect, and how it becomes something else.

use std::{
    path::Path,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::watch;
use witgate_admin::{About, Control, Loaded, ReloadCause, ReloadReport, Reloads, Watching};
use witgate_attestor::Engine;
use witgate_decision::Generation;

use crate::{
    config::{AdminAccess, Config, ConfigError, Layout, Roles},
    daemon::audit_config,
    folder_watch::Watched,
    gateway::Gateway,
    history::History,
    load::{self, Beside, LoadErrors, Material},
    views,
};

/// What reload and status need.
#[derive(Debug)]
pub(crate) struct Core {
    /// As the daemon was started: sockets, limits and audit log are made of it once.
    config: Config,
    /// As it was read last and took effect: who may look, labels, trust domain.
    current: RwLock<Config>,
    /// What the generation in effect came with.
    beside: Mutex<Arc<Beside>>,
    engine: Arc<Engine>,
    gateway: Arc<Gateway>,
    number: AtomicU64,
    history: Mutex<History>,
    watching: Mutex<Watching>,
    watched: watch::Sender<Option<Arc<Watched>>>,
    reloading: tokio::sync::Mutex<()>,
}

impl Core {
    pub(crate) fn new(config: Config, engine: Arc<Engine>, gateway: Gateway) -> Self {
        Self {
            current: RwLock::new(config.clone()),
            config,
            beside: Mutex::default(),
            engine,
            gateway: Arc::new(gateway),
            number: AtomicU64::new(0),
            history: Mutex::default(),
            watching: Mutex::default(),
            watched: watch::Sender::new(None),
            reloading: tokio::sync::Mutex::default(),
        }
    }

    pub(crate) const fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// As the daemon was started.
    pub(crate) const fn config(&self) -> &Config {
        &self.config
    }

    /// Who may ask about others, as it was read last.
    pub(crate) fn brokers(&self) -> Roles {
        self.current().broker.as_ref().map(|broker| broker.callers.clone()).unwrap_or_default()
    }

    pub(crate) fn access(&self) -> AdminAccess {
        self.current().access.clone()
    }

    /// What is to be watched; none: nothing.
    pub(crate) fn watched(&self) -> watch::Receiver<Option<Arc<Watched>>> {
        self.watched.subscribe()
    }

    /// Takes note of whether files are watched, and warns once about what cannot be.
    pub(crate) fn note_watching(&self, on: bool, problem: Option<String>) {
        let mut watching = lock(&self.watching);
        if let Some(problem) = problem.as_ref().filter(|_| watching.problem != problem) {
            tracing::warn!(error = problem, "Not all files are watched; reload by command");
        }
        *watching = Watching { on, problem };
    }

    /// Puts the first generation into effect.
    pub(crate) fn begin_with(&self, generation: Generation, beside: Beside) {
        let config = self.config.clone();
        self.watch(&config, &beside);
        for warning in warnings(&beside) {
            tracing::warn!(warning, "Started with a warning");
        }
        self.install(config, generation, beside);
    }

    /// Reloads if a file says something else than what is in effect.
    pub(crate) async fn reload_if_changed(&self) {
        self.reload_for(ReloadCause::Watch).await;
    }

    async fn reload_for(&self, cause: ReloadCause) -> ReloadReport {
        // One at a time; whoever asks meanwhile waits and then loads what is there by then.
        let _turn = self.reloading.lock().await;
        let report = match self.load(cause).await {
            Ok(Some((config, generation, beside))) => {
                self.take_effect(cause, config, generation, beside)
            }
            Ok(None) => ReloadReport::unchanged(cause, self.generation().as_deref()),
            Err(errors) => {
                ReloadReport::failed(cause, self.generation().as_deref(), errors.lines())
            }
        };
        lock(&self.history).add(&report);
        report
    }

    /// Loads what the files say; none if nobody asked and they say nothing new.
    async fn load(
        &self,
        cause: ReloadCause,
    ) -> Result<Option<(Config, Generation, Beside)>, LoadErrors> {
        let config = read(self.config.layout.clone()).await;
        let config = config.map_err(|config| LoadErrors { config, ..LoadErrors::default() })?;
        let earlier = Arc::clone(&lock(&self.beside));
        let material = Material::read(&config, Arc::clone(&earlier)).await;
        self.watch(&config, &material.beside);
        let same = material.errors.is_empty() && material.beside.inputs == earlier.inputs;
        if same && cause == ReloadCause::Watch {
            return Ok(None);
        }
        let number = self.number.load(Ordering::Relaxed) + 1;
        let current = self.generation();
        let catalogue = current.as_deref().map(|generation| &generation.catalogue);
        let built = load::build(&config, material, &self.engine, number, catalogue).await?;
        Ok(Some((config, built.0, built.1)))
    }

    fn take_effect(
        &self,
        cause: ReloadCause,
        config: Config,
        generation: Generation,
        beside: Beside,
    ) -> ReloadReport {
        let mut report = ReloadReport::took_effect(cause, &generation);
        report.warnings.extend(warnings(&beside));
        report.warnings.extend(self.config.needs_restart(&config));
        self.install(config, generation, beside);
        report
    }

    fn install(&self, config: Config, generation: Generation, beside: Beside) {
        self.number.store(generation.number, Ordering::Relaxed);
        *lock(&self.beside) = Arc::new(beside);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = config;
        self.gateway.decider().install(generation);
    }

    /// From now on these files are watched, if any are. Also those of a configuration that does not
    /// take effect: what it lacks may come.
    fn watch(&self, config: &Config, beside: &Beside) {
        let watched = config.watch.then(|| Arc::new(Watched::of(config, &beside.inputs)));
        self.watched.send_if_modified(|now| {
            let differs = *now != watched;
            *now = watched;
            differs
        });
    }

    fn generation(&self) -> Option<Arc<Generation>> {
        self.gateway.decider().generation()
    }

    fn current(&self) -> RwLockReadGuard<'_, Config> {
        self.current.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the configuration on a thread that may wait for a disk.
async fn read(layout: Layout) -> Result<Config, Vec<ConfigError>> {
    let place = layout.config.clone();
    let read = tokio::task::spawn_blocking(move || Config::read(&layout)).await;
    read.unwrap_or_else(|error| Err(vec![ConfigError::of_file(Path::new(&place), error)]))
}

/// What an operator should know although everything took effect.
fn warnings(beside: &Beside) -> Vec<String> {
    let endpoints = beside.endpoint_warnings.iter().cloned();
    beside.not_checked().into_iter().chain(endpoints).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Control for Core {
    fn reload(&self) -> Pin<Box<dyn Future<Output = ReloadReport> + Send + '_>> {
        Box::pin(self.reload_for(ReloadCause::Asked))
    }

    fn reloads(&self) -> Reloads {
        lock(&self.history).show()
    }

    fn watching(&self) -> Watching {
        lock(&self.watching).clone()
    }

    fn loaded(&self) -> Loaded {
        let beside = Arc::clone(&lock(&self.beside));
        views::loaded(&beside)
    }

    fn is_serving(&self) -> bool {
        self.gateway.is_ready()
    }

    fn about(&self) -> About {
        About {
            trust_domain: self.current().trust_domain.to_string(),
            node: self.config.node.to_string(),
            labels: self.current().labels.clone(),
            public_socket: self.config.public.path.clone(),
            admin_socket: self.config.admin.path.clone(),
            broker_socket: self.config.broker.as_ref().map(|broker| broker.listen.path.clone()),
            audit_dir: audit_config(&self.config).dir,
            entries: self.config.layout.entries.clone(),
        }
    }
}
