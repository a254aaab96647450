//! The daemon as a whole: start, serve, reload, drain.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::UnixStream,
    sync::{Semaphore, watch},
    task::JoinSet,
};
use witgate_admin::{Admin, Control};
use witgate_attestor::{CompilerCommand, Engine, EngineConfig, EngineError};
use witgate_decision::{
    Admission, AdmissionLimits, Decider, DeciderConfig, Ring,
    audit::{Audit, AuditConfig, AuditError},
};
use witgate_peer::{FactReader, Kernel, ProbeError, ReadSettings};
use witgate_protocol::limits::WATCHES_PER_BUCKET;

use crate::{
    admin_connection,
    config::Config,
    connection,
    core::Core,
    folder_watch,
    gateway::Gateway,
    listener::{ListenError, Listener},
    load::{self, LoadErrors, Material},
};

/// Mode of the folder of the public socket: anybody may pass.
const PUBLIC_DIR: u32 = 0o755;
/// Mode of the folder of the admin socket.
const ADMIN_DIR: u32 = 0o750;
/// Connections to the admin socket at a time: operators are few.
const ADMIN_CONNECTIONS: usize = 64;
/// Descriptors of one connection: socket, pidfd, its copy in the event loop, `/proc/<pid>`.
const CONNECTION_DESCRIPTORS: usize = 4;
/// Descriptors for everything else: listeners, files, admin connections, reads under way.
const OWN_DESCRIPTORS: usize = 320;
/// How long requests under way may take once we stop.
const DRAIN: Duration = Duration::from_secs(5);
/// Pause after `accept` failed for want of descriptors: the listener stays readable, so trying on
/// at once would only burn a core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// For how many of its cgroups a uid is granted at the full rate.
const UID_SHARE: u64 = 4;

/// What the record of a grant may take in the audit log on average, in bytes; about 2 KiB were seen.
const GRANT_RECORD: u64 = 4096;

/// Why the daemon did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The audit log cannot be written.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// This kernel cannot tell a peer from its successor.
    #[error(
        "kernel tier {tier}: a peer cannot be told from its successor here; set allow_legacy_kernel = true to serve all the same"
    )]
    Kernel {
        /// The tier.
        tier: witgate_peer::Tier,
    },
    /// A socket.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Configuration, plugins or entries.
    #[error(transparent)]
    Load(#[from] LoadErrors),
    /// The kernel could not be probed.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// A folder or file of ours.
    #[error("{}: {source}", path.display())]
    State {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl StartError {
    /// Whether the operator has to change the configuration.
    #[must_use]
    pub const fn is_configuration(&self) -> bool {
        matches!(self, Self::Load(_) | Self::Kernel { .. })
    }
}

/// A started daemon: sockets are open, plugins and entries loaded.
#[derive(Debug)]
pub struct Daemon {
    core: Arc<Core>,
    public: Listener,
    admin: Listener,
}

impl Daemon {
    /// Opens everything, in the order in which it can still fail without a trace: configuration,
    /// kernel, plugins and entries, audit log, and last the sockets.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left half-started.
    pub async fn start(config: Config, compiler: CompilerCommand) -> Result<Self, StartError> {
        let kernel = Kernel::probe()?.allow_legacy(config.allow_legacy_kernel);
        if !kernel.may_serve() {
            return Err(StartError::Kernel { tier: kernel.tier() });
        }
        let config = within_descriptors(config);
        let state = &config.layout.state;
        if let Some(folder) = state.parent() {
            // Ours to make, but not ours alone: the public socket is in it.
            std::fs::create_dir_all(folder)
                .map_err(|source| StartError::State { path: folder.to_path_buf(), source })?;
        }
        private_dir(state)?;
        let owner = rustix::process::geteuid().as_raw();
        load::write_example(&config, owner)
            .map_err(|source| StartError::State { path: config.layout.entries.clone(), source })?;
        let engine = Engine::new(EngineConfig::new(state.join("compiled"), compiler))?;
        let material = Material::read(&config, Arc::default()).await;
        let (generation, beside) = load::build(&config, material, &engine, 1, None).await?;
        let public = Listener::bind(&config.public, PUBLIC_DIR)?;
        let admin = Listener::bind(&config.admin, ADMIN_DIR)?;
        let audit = Audit::open(audit_config(&config))?;
        let decider = Arc::new(Decider::new(decider_config(&config, kernel, audit)));
        let gateway = Gateway::new(decider, config.public.other_senders);
        let core = Core::new(config, engine, gateway);
        core.begin_with(generation, beside);
        Ok(Self { core: Arc::new(core), public, admin })
    }

    /// Where the public socket is.
    #[must_use]
    pub fn public_socket(&self) -> &Path {
        self.public.path()
    }

    /// Where the admin socket is.
    #[must_use]
    pub fn admin_socket(&self) -> &Path {
        self.admin.path()
    }

    /// What may be asked of it while it serves.
    #[must_use]
    pub fn control(&self) -> Arc<dyn Control> {
        Arc::clone(&self.core) as Arc<dyn Control>
    }

    /// Serves until `stop` says so, then lets what is under way end.
    pub async fn serve(self, mut stop: watch::Receiver<bool>) {
        let Self { core, public, admin } = self;
        let admin_api = Arc::new(Admin::new(
            Arc::clone(core.gateway().decider()),
            Arc::clone(&core) as Arc<dyn Control>,
        ));
        let kernel = core.gateway().decider().kernel().clone();
        let watch = tokio::spawn(folder_watch::run(Arc::clone(&core), core.watched()));
        let admins = Arc::new(Semaphore::new(ADMIN_CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                _ = stop.changed() => break,
                accepted = public.accept() => {
                    let Some(stream) = accepted_or_pause(accepted).await else { continue };
                    connections.spawn(connection::serve(Arc::clone(core.gateway()), stream));
                }
                accepted = admin.accept() => {
                    let Some(stream) = accepted_or_pause(accepted).await else { continue };
                    // Whoever comes when all places are taken finds the connection closed.
                    let Ok(place) = Arc::clone(&admins).try_acquire_owned() else { continue };
                    let access = core.access();
                    let api = Arc::clone(&admin_api);
                    let kernel = kernel.clone();
                    connections.spawn(async move {
                        admin_connection::serve(api, access, kernel, stream).await;
                        drop(place);
                    });
                }
                // Ended connections are forgotten as they end.
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
            }
        }
        watch.abort();
        core.gateway().drain();
        drop((public, admin));
        tracing::info!(open = connections.len(), "Draining");
        let all = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, all).await.is_err() {
            tracing::info!("Connections that stayed open were closed");
        }
        match core.gateway().decider().audit().close() {
            Ok(head) => tracing::info!(audit.head = %head, "Stopped"),
            Err(error) => tracing::error!(error = %error, "The audit log was not closed"),
        }
    }
}

/// A connection; none if `accept` failed, after a pause if trying at once would fail again.
async fn accepted_or_pause(accepted: std::io::Result<UnixStream>) -> Option<UnixStream> {
    match accepted {
        Ok(stream) => Some(stream),
        Err(error) => {
            tracing::warn!(error = %error, "Accept failed");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

/// Takes as many descriptors as the system lets us have, and no more connections than fit into them.
fn within_descriptors(mut config: Config) -> Config {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    let have = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let have = have.and_then(|have| usize::try_from(have).ok()).unwrap_or(usize::MAX);
    let fit = have.saturating_sub(OWN_DESCRIPTORS) / CONNECTION_DESCRIPTORS;
    if config.limits.connections_total > fit {
        tracing::warn!(
            descriptors = have,
            connections = fit,
            "Fewer connections than configured: the limit of descriptors is too low"
        );
        config.limits.connections_total = fit.max(1);
    }
    config
}

fn private_dir(path: &Path) -> Result<(), StartError> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| StartError::State { path: path.to_path_buf(), source })
}

pub(crate) fn audit_config(config: &Config) -> AuditConfig {
    let max_file_bytes = config.audit.max_file_bytes;
    let max_files = usize::try_from(config.audit.max_files).unwrap_or(usize::MAX);
    let defaults = AuditConfig::new(config.layout.state.join("audit"));
    // As many as the rate lets through, of as many cgroups as one uid may fill with connections:
    // one container's root must not use up what every other root is granted from.
    let rate = u64::from(config.limits.requests_per_second).saturating_mul(UID_SHARE);
    let grant_bytes = rate.saturating_mul(defaults.window.as_secs()).saturating_mul(GRANT_RECORD);
    AuditConfig {
        grant_bytes: defaults.grant_bytes.max(grant_bytes),
        max_file_bytes,
        max_files,
        max_total_bytes: max_file_bytes.saturating_mul(u64::from(config.audit.max_files)),
        ..defaults
    }
}

fn decider_config(config: &Config, kernel: Kernel, audit: Audit) -> DeciderConfig {
    let limits = &config.limits;
    DeciderConfig {
        node: config.node.clone(),
        deadline: limits.decision_timeout,
        reader: Arc::new(FactReader::new(&kernel, ReadSettings::default())),
        kernel,
        admission: Admission::new(AdmissionLimits {
            connections_per_bucket: limits.connections_per_bucket,
            connections_total: limits.connections_total,
            watches_per_bucket: WATCHES_PER_BUCKET,
            per_second: limits.requests_per_second,
            burst: limits.request_burst,
        }),
        audit,
        ring: Ring::new(limits.ring_bytes),
    }
}
