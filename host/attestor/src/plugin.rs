use std::{borrow::Cow, fmt, sync::Arc, time::Instant};

use tokio::sync::Semaphore;
use wasmtime::component::{ComponentExportIndex, InstancePre};
use witgate_facts::{
    Capabilities, Capability, Endpoints, FactName, HttpError, HttpFuture, HttpRequest, PluginToml,
};
use witgate_identity::{Assurance, PluginName};

use crate::{
    BreakerState, Counters, Engine, Line, Manifest, breaker::Breaker, cache::Cache, lines::Lines,
    memo::Memo, sandbox::Sandbox,
};

/// A plugin as the operator configured it, before it is loaded.
#[derive(Clone)]
pub struct PluginSpec {
    /// Stamped in front of every selector.
    pub name: PluginName,
    /// The component.
    pub bytes: Cow<'static, [u8]>,
    /// Where it comes from, for messages: `builtin:unix`, or a path.
    pub origin: String,
    /// What is granted by name.
    pub grants: Capabilities,
    /// Where the endpoints are that it may be granted.
    pub endpoints: Arc<dyn Endpoints>,
    /// The plugin's own settings; an object.
    pub settings: serde_json::Value,
    /// A decision without its answer is not possible.
    pub required: bool,
    /// The best level that a selector of this plugin can have.
    ///
    /// Each key is worth the lowest level among the facts that the plugin *says* it derives it
    /// from, and nobody can check that it tells the truth: a plugin with a grant of `cmdline` could
    /// report a word from the command line under a key that it declares as derived from the
    /// credentials. So the default cap is the lowest level among the facts that the grants give
    /// it, and a plugin that was granted nothing by name has none: interfaces that every plugin
    /// has do not lower it, or nothing could ever be worth more than `claimed`. An operator who
    /// trusts the plugin with that difference writes `max_assurance = "kernel"`, as the default
    /// configuration does for the built-in ones.
    pub max_assurance: Option<Assurance>,
    /// It is loaded for its author: then neither do the fixtures that the component brings along have
    /// to hold, nor must it take these settings. They are run one by one, each with its own.
    pub for_author: bool,
}

impl fmt::Debug for PluginSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginSpec")
            .field("name", &self.name)
            .field("origin", &self.origin)
            .field("bytes", &self.bytes.len())
            .field("grants", &self.grants)
            .field("required", &self.required)
            .finish_non_exhaustive()
    }
}

impl PluginSpec {
    /// A plugin without grants and settings, optional, with the default cap.
    #[must_use]
    pub fn new(
        name: PluginName,
        origin: impl Into<String>,
        bytes: impl Into<Cow<'static, [u8]>>,
    ) -> Self {
        Self {
            name,
            bytes: bytes.into(),
            origin: origin.into(),
            grants: Capabilities::new(),
            endpoints: Arc::new(NoEndpoints),
            settings: serde_json::Value::Object(serde_json::Map::new()),
            required: false,
            max_assurance: None,
            for_author: false,
        }
    }

    /// The cap on every key; see [`PluginSpec::max_assurance`].
    #[must_use]
    pub fn cap(&self) -> Assurance {
        let lowest = || {
            let by_name = self.grants.iter().filter(|grant| !grant.interface().always_granted());
            by_name.flat_map(Capability::facts).map(FactName::best_assurance).min()
        };
        self.max_assurance.or_else(lowest).unwrap_or(Assurance::Kernel)
    }
}

/// A loaded plugin. A handle: cloning it is cheap, and a request keeps the ones it started with
/// through a reload.
#[derive(Clone)]
pub struct Plugin(pub(crate) Arc<Loaded>);

/// What is behind [`Plugin`].
pub(crate) struct Loaded {
    pub(crate) engine: Arc<Engine>,
    /// Its share of the engine's instances.
    pub(crate) instances: Semaphore,
    pub(crate) common: Arc<Common>,
    pub(crate) memo: Memo,
    pub(crate) pre: InstancePre<Sandbox>,
    pub(crate) attest: ComponentExportIndex,
    pub(crate) counters: Counters,
    pub(crate) breaker: Breaker,
    pub(crate) name: PluginName,
    pub(crate) origin: String,
    pub(crate) digest: String,
    pub(crate) component_bytes: usize,
    pub(crate) compiled_bytes: usize,
    pub(crate) toml: PluginToml,
    pub(crate) manifest: Manifest,
    pub(crate) grants: Capabilities,
    pub(crate) endpoints: Arc<dyn Endpoints>,
    pub(crate) max_assurance: Option<Assurance>,
    pub(crate) settings: serde_json::Value,
    pub(crate) required: bool,
}

/// What all calls of a plugin share: where its lines go, its settings, what it asks for, and what it
/// keeps.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) lines: Lines,
    pub(crate) settings: String,
    pub(crate) asked: Capabilities,
    pub(crate) cache: Arc<Cache>,
}

/// The endpoints of a plugin that has none.
#[derive(Debug)]
pub(crate) struct NoEndpoints;

impl Endpoints for NoEndpoints {
    fn send<'a>(&'a self, endpoint: &'a str, _: HttpRequest) -> HttpFuture<'a> {
        let refused = HttpError::Refused(format!(
            "there is no endpoint `{endpoint}`; write a section [endpoints.{endpoint}]"
        ));
        Box::pin(async move { Err(refused) })
    }
}

impl Common {
    pub(crate) fn new(plugin: &str, settings: String, asked: Capabilities) -> Self {
        Self { lines: Lines::new(plugin), settings, asked, cache: Arc::default() }
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin")
            .field("name", &self.0.name)
            .field("origin", &self.0.origin)
            .field("digest", &self.0.digest)
            .finish_non_exhaustive()
    }
}

impl Plugin {
    /// The operator's name for it.
    #[must_use]
    pub fn name(&self) -> &PluginName {
        &self.0.name
    }

    /// `builtin:unix`, or a path.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.0.origin
    }

    /// SHA-256 of the component, in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.0.digest
    }

    /// Bytes of the component.
    #[must_use]
    pub fn component_bytes(&self) -> usize {
        self.0.component_bytes
    }

    /// Bytes of its machine code.
    #[must_use]
    pub fn compiled_bytes(&self) -> usize {
        self.0.compiled_bytes
    }

    /// The author's name, version, description, and what the plugin asks for.
    #[must_use]
    pub fn toml(&self) -> &PluginToml {
        &self.0.toml
    }

    /// What it can report.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.0.manifest
    }

    /// What the operator granted by name.
    #[must_use]
    pub fn grants(&self) -> &Capabilities {
        &self.0.grants
    }

    /// Its settings.
    #[must_use]
    pub fn settings(&self) -> &serde_json::Value {
        &self.0.settings
    }

    /// Whether a decision without its answer is not possible.
    #[must_use]
    pub fn required(&self) -> bool {
        self.0.required
    }

    /// What it has done.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.0.counters
    }

    /// Calls that were answered from the memo: the guest would have asked the same questions, got
    /// the same answers and said the same.
    #[must_use]
    pub fn memo_hits(&self) -> u64 {
        self.0.memo.hits()
    }

    /// Whether this is what loading `spec` would give: the same component, grants, settings and
    /// endpoints, under the same name.
    pub(crate) fn is(&self, spec: &PluginSpec, digest: &str) -> bool {
        let this = &self.0;
        this.digest == digest
            && this.name == spec.name
            && this.origin == spec.origin
            && this.grants == spec.grants
            && this.settings == spec.settings
            && this.required == spec.required
            && this.max_assurance == spec.max_assurance
            && Arc::ptr_eq(&this.endpoints, &spec.endpoints)
    }

    /// Whether it is being called, or rests after faults.
    #[must_use]
    pub fn breaker(&self) -> BreakerState {
        self.0.breaker.state(Instant::now())
    }

    /// The last lines that it wrote, oldest first, and how many were dropped since it was loaded.
    #[must_use]
    pub fn lines(&self) -> (Vec<Line>, u64) {
        self.0.common.lines.kept()
    }
}
