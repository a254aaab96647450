//! The engine of a plugin's author: no daemon, no configuration, no privileges.

use std::{
    env, fs,
    io::IsTerminal as _,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use tempfile::TempDir;
use tokio::runtime::Runtime;
use tracing_subscriber::EnvFilter;
use witgate_attestor::{
    CallFilter, Catalogue, Engine, EngineConfig, LoadError, Plugin, PluginSpec,
};
use witgate_identity::Fault;

use crate::{
    exit::{Exit, Failure, with_causes},
    serve::compiler,
};

/// Guests that run at once; commands run one after the other.
const CONCURRENCY: usize = 4;

/// What is told while something is waited for. What plugins write is shown by the commands.
const TOLD: &str = "warn,witgate_attestor::engine=info,witgate_attestor::lines=off";

/// An engine, and a thread to run it on.
#[derive(Debug)]
pub(crate) struct Workshop {
    runtime: Runtime,
    engine: Arc<Engine>,
    /// Where compiled components are, if they are not kept.
    _temporary: Option<TempDir>,
}

impl Workshop {
    /// With the compiled components of earlier commands, if this user has a place for them.
    pub(crate) fn open() -> Result<Self, Failure> {
        listen();
        match cache().map(|store| Self::at(&store, None)) {
            Some(Ok(this)) => Ok(this),
            // Not to be written, or open to others: this command compiles for itself.
            Some(Err(_)) | None => Self::fresh(),
        }
    }

    /// With no compiled component.
    pub(crate) fn fresh() -> Result<Self, Failure> {
        listen();
        let folder = tempfile::tempdir().map_err(Failure::internal)?;
        Self::at(&folder.path().join("components"), Some(folder))
    }

    fn at(store: &Path, temporary: Option<TempDir>) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Failure::internal)?;
        let config = EngineConfig {
            concurrency: CONCURRENCY,
            ..EngineConfig::new(store, compiler(CallFilter::Required)?)
        };
        let engine = Engine::new(config).map_err(|error| Failure::internal(with_causes(&error)))?;
        Ok(Self { runtime, engine, _temporary: temporary })
    }

    /// A catalogue of this one plugin.
    pub(crate) fn catalogue(&self, spec: PluginSpec) -> Result<Catalogue, Failure> {
        let loaded = self.block_on(Catalogue::load(&self.engine, vec![spec]));
        loaded.map_err(|errors| of_load(&errors))
    }

    /// This plugin, loaded.
    pub(crate) fn load(&self, spec: PluginSpec) -> Result<Plugin, Failure> {
        let catalogue = self.catalogue(spec)?;
        let first = catalogue.plugins().first().cloned();
        first.ok_or_else(|| Failure::internal("no plugin was loaded"))
    }

    /// Waits for something.
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }
}

fn of_load(errors: &[LoadError]) -> Failure {
    let lines: Vec<_> = errors.iter().map(|error| with_causes(error)).collect();
    let ours = errors.iter().any(|error| error.fault() == Fault::Host);
    Failure::new(if ours { Exit::Internal } else { Exit::Deny }, lines.join("\n"))
}

/// Below this user's cache folder; none if that is somebody else's, as with `sudo -E`: what is put
/// there would be in its owner's way.
fn cache() -> Option<PathBuf> {
    let folder = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")))?;
    let nearest = cache.ancestors().find_map(|above| fs::metadata(above).ok())?;
    let ours = nearest.uid() == rustix::process::geteuid().as_raw();
    ours.then(|| cache.join("witgate/components"))
}

/// Says on standard error that something takes its time. The first call counts.
fn listen() {
    let _ = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(TOLD))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .without_time()
        .try_init();
}
