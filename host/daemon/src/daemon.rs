//! The daemon as a whole: what it is made of, and how it comes to be.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use witgate_admin::Control;
use witgate_attestor::{CompilerCommand, Engine, EngineConfig, EngineError};
use witgate_decision::{
    Admission, AdmissionLimits, Decider, DeciderConfig, Generation, Ring,
    audit::{Audit, AuditConfig, AuditError},
};
use witgate_peer::{FactReader, Kernel, ProbeError, ReadSettings};
use witgate_protocol::limits::{BROKERS_PER_UID, WATCHES_PER_BUCKET};

use crate::{
    config::{Config, ListenConfig},
    core::Core,
    gateway::Gateway,
    listener::{ListenError, Listener},
    load::{self, Beside, LoadErrors, Material},
    places::{self, Places},
    take_over::{Inheritance, Left, TakeOverError},
};

/// Mode of the public socket's folder: anybody may pass.
const PUBLIC: u32 = 0o755;
/// Operators are of our group.
const ADMIN: u32 = 0o750;
/// Brokers may be anybody, by credentials.
const BROKER: u32 = 0o755;

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
    /// Nothing could be served.
    #[error(
        "{have} file descriptors are too few, {} are needed; raise LimitNOFILE= or ulimit -n",
        places::LEAST
    )]
    Descriptors {
        /// How many there may be.
        have: usize,
    },
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
    /// The daemon that serves does not let itself be taken over.
    #[error(transparent)]
    TakeOver(#[from] TakeOverError),
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
        matches!(
            self,
            Self::Load(_)
                | Self::Kernel { .. }
                | Self::Descriptors { .. }
                | Self::TakeOver(TakeOverError::Differs { .. })
        )
    }
}

/// A started daemon: sockets are open, plugins and entries loaded.
#[derive(Debug)]
pub struct Daemon {
    pub(crate) core: Arc<Core>,
    pub(crate) config: Config,
    pub(crate) places: Places,
    pub(crate) sockets: Sockets,
    /// What the daemon before this one left, if it was taken over.
    pub(crate) left: Option<Left>,
}

impl Daemon {
    /// Opens everything, in the order in which it can still fail without a trace: configuration,
    /// kernel, plugins and entries, audit log, and last the sockets.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left half-started.
    pub async fn start(config: Config, compiler: CompilerCommand) -> Result<Self, StartError> {
        Loaded::load(config, compiler).await?.open()
    }

    /// Loads everything, and then goes on in the place of the daemon that serves; starts as usual if
    /// there is none.
    ///
    /// # Errors
    /// [`StartError`]; the daemon that serves goes on then.
    pub async fn take_over(config: Config, compiler: CompilerCommand) -> Result<Self, StartError> {
        let loaded = Loaded::load(config, compiler).await?;
        match Inheritance::ask(&loaded.config).await? {
            Some(inheritance) => loaded.inherit(inheritance).await,
            None => loaded.open(),
        }
    }

    /// Where the public socket is.
    #[must_use]
    pub fn public_socket(&self) -> &Path {
        self.sockets.public.path()
    }

    /// Where the admin socket is.
    #[must_use]
    pub fn admin_socket(&self) -> &Path {
        self.sockets.admin.path()
    }

    /// Where the socket of brokers is, if there is one.
    #[must_use]
    pub fn broker_socket(&self) -> Option<&Path> {
        self.sockets.broker.as_ref().map(Listener::path)
    }

    /// What may be asked of it while it serves.
    #[must_use]
    pub fn control(&self) -> Arc<dyn Control> {
        Arc::clone(&self.core) as Arc<dyn Control>
    }
}

/// What the daemon listens on.
#[derive(Debug)]
pub(crate) struct Sockets {
    pub(crate) public: Listener,
    pub(crate) admin: Listener,
    pub(crate) broker: Option<Listener>,
}

impl Sockets {
    fn open(
        config: &Config,
        mut open: impl FnMut(&ListenConfig, u32) -> Result<Listener, ListenError>,
    ) -> Result<Self, ListenError> {
        let public = open(&config.public, PUBLIC)?;
        let admin = open(&config.admin, ADMIN)?;
        let broker = config.broker.as_ref().map(|broker| open(&broker.listen, BROKER));
        Ok(Self { public, admin, broker: broker.transpose()? })
    }
}

/// Everything that can be had without touching what another daemon owns.
#[derive(Debug)]
struct Loaded {
    config: Config,
    places: Places,
    kernel: Kernel,
    engine: Arc<Engine>,
    generation: Generation,
    beside: Beside,
}

impl Loaded {
    async fn load(mut config: Config, compiler: CompilerCommand) -> Result<Self, StartError> {
        let kernel = Kernel::probe()?.allow_legacy(config.allow_legacy_kernel);
        if !kernel.may_serve() {
            return Err(StartError::Kernel { tier: kernel.tier() });
        }
        if let Some(missing) = kernel
            .capabilities()
            .iter()
            .find(|row| row.name == "refuse-descriptors" && !row.present)
        {
            tracing::warn!(cost = missing.cost, "This kernel lets anybody send us descriptors");
        }
        let places = Places::within_descriptors(&mut config.limits, config.broker.is_some())
            .map_err(|have| StartError::Descriptors { have })?;
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
        Ok(Self { config, places, kernel, engine, generation, beside })
    }

    fn open(self) -> Result<Daemon, StartError> {
        let sockets = Sockets::open(&self.config, Listener::bind)?;
        let audit = Audit::open(audit_config(&self.config))?;
        Ok(self.begin(sockets, audit, None))
    }

    async fn inherit(self, mut inheritance: Inheritance) -> Result<Daemon, StartError> {
        let sockets = Sockets::open(&self.config, |listen, dir_mode| {
            match inheritance.socket(&listen.path) {
                Some((socket, lock)) => Listener::inherit(listen, socket, lock),
                None => Listener::bind(listen, dir_mode),
            }
        })?;
        let (lock, left) = inheritance.claim().await?;
        // From here on there is nobody else to serve, unless this process ends.
        let audit = Audit::open_held(audit_config(&self.config), lock)?;
        Ok(self.begin(sockets, audit, Some(left)))
    }

    fn begin(self, sockets: Sockets, audit: Audit, left: Option<Left>) -> Daemon {
        let Self { config, places, kernel, engine, generation, beside } = self;
        let decider = Arc::new(Decider::new(decider_config(&config, places, kernel, audit)));
        let gateway = Gateway::new(decider, config.public.other_senders, places.refusals());
        let core = Core::new(config.clone(), engine, gateway);
        core.begin_with(generation, beside);
        Daemon { core: Arc::new(core), config, places, sockets, left }
    }
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

fn decider_config(config: &Config, places: Places, kernel: Kernel, audit: Audit) -> DeciderConfig {
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
            brokers_per_uid: BROKERS_PER_UID.min(places.brokers / 2).max(1),
            per_second: limits.requests_per_second,
            burst: limits.request_burst,
        }),
        audit,
        ring: Ring::new(limits.ring_bytes),
    }
}
