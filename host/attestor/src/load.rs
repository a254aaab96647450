use std::{sync::Arc, time::Instant};

use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use wasmparser::Parser;
use wasmtime::{
    Store,
    component::{ComponentExportIndex, ComponentNamedList, Instance, InstancePre, Lift, Lower},
};
use witgate_facts::{Capabilities, Interface, PluginToml};
use witgate_identity::PluginName;

use crate::{
    Engine, Manifest, Plugin, PluginSpec,
    bindings::exports::witgate::attestor::attestor as wit,
    breaker::Breaker,
    call::Stopped,
    clock::{CallClock, guard},
    counters::Counters,
    error::LoadErrorKind,
    inspect::check_versions,
    limits,
    lines::printable,
    linker::link,
    memo::Memo,
    plugin::{Common, Loaded},
    rehearse,
    requests::{read_fixtures, read_requests},
    said,
    sandbox::{Phase, Sandbox},
};

pub(crate) const EXPORT: &str = "witgate:attestor/attestor@0.1.0";

/// From the operator's words to a plugin that can be called: what it is and asks for, machine code,
/// what it may call, what it says about itself, whether it takes its settings.
///
/// `digest` is that of the component; a large one takes a while, so it is made once.
pub(crate) async fn load(
    engine: &Arc<Engine>,
    spec: PluginSpec,
    digest: String,
) -> Result<Plugin, LoadErrorKind> {
    let toml = inspect(&spec, engine.previews())?;
    let fixtures = rehearse::parse(read_fixtures(&spec.bytes)?)?;
    tracing::debug!(plugin.name = %spec.name, plugin.digest = digest, "Loading a plugin");
    let (component, compiled_bytes) = engine.component(&spec.bytes, &digest).await?;
    let pre = link(engine, &component, &toml.requests)?;
    let settings = spec.settings.to_string();
    let common = Arc::new(Common::new(spec.name.as_str(), settings, toml.requests.clone()));
    let guest = Guest { engine, common: &common, pre: &pre };
    let manifest = guest.describe(&toml, &spec).await?;
    if !spec.for_author {
        guest.validate().await?;
    }
    tracing::info!(
        plugin.name = %spec.name, plugin.digest = digest, plugin.version = toml.version,
        keys = manifest.keys().count(), cap = %spec.cap(), "Loaded a plugin"
    );
    let attest = export(&pre, "attest")?;
    let plugin = Plugin(Arc::new(Loaded {
        engine: Arc::clone(engine),
        instances: Semaphore::new(engine.share()),
        common,
        memo: Memo::default(),
        pre,
        attest,
        counters: Counters::default(),
        breaker: Breaker::default(),
        name: spec.name,
        origin: spec.origin,
        digest,
        component_bytes: spec.bytes.len(),
        compiled_bytes,
        toml,
        manifest,
        grants: spec.grants,
        endpoints: spec.endpoints,
        max_assurance: spec.max_assurance,
        settings: spec.settings,
        required: spec.required,
    }));
    if !spec.for_author {
        rehearse::all(&plugin, &fixtures).await?;
    }
    Ok(plugin)
}

/// SHA-256 of a component, in hexadecimal.
pub(crate) fn digest(component: &[u8]) -> String {
    hex(&Sha256::digest(component))
}

/// Everything that can be said about a plugin without compiling it.
fn inspect(spec: &PluginSpec, speaks: &[&str]) -> Result<PluginToml, LoadErrorKind> {
    let bytes = &spec.bytes;
    if bytes.len() > limits::COMPONENT_BYTES {
        return Err(LoadErrorKind::TooLarge { size: bytes.len() });
    }
    if wasmtime::Engine::detect_precompiled(bytes).is_some() {
        return Err(LoadErrorKind::NotAComponent {
            found: "this is machine code (.cwasm), which nobody can check; give the component \
                    (.wasm) it was made from",
        });
    }
    if Parser::is_core_wasm(bytes) {
        return Err(LoadErrorKind::NotAComponent {
            found: "this is a core WebAssembly module, not a component; build it for \
                    wasm32-wasip2, or make a component of it",
        });
    }
    if !Parser::is_component(bytes) {
        return Err(LoadErrorKind::NotAComponent { found: "this is not WebAssembly" });
    }
    let toml = read_requests(bytes)?;
    check_versions(bytes, speaks)?;
    if toml.requests.missing_in(&spec.grants).is_empty() {
        return Ok(toml);
    }
    let missing = toml.requests.missing_in(&spec.grants);
    // The lines to paste are complete: what was granted already, and what is missing.
    let needed: Capabilities = spec.grants.iter().cloned().chain(toml.needed()).collect();
    Err(LoadErrorKind::NotGranted { plugin: spec.name.clone(), missing, needed })
}

/// A plugin that is linked, and not yet believed.
struct Guest<'a> {
    engine: &'a Arc<Engine>,
    common: &'a Arc<Common>,
    pre: &'a InstancePre<Sandbox>,
}

impl Guest<'_> {
    /// Asks twice, in two instances: a manifest that depends on anything is not one.
    async fn describe(
        &self,
        toml: &PluginToml,
        spec: &PluginSpec,
    ) -> Result<Manifest, LoadErrorKind> {
        let has =
            |interface: Interface| interface.always_granted() || toml.requests.reach(interface);
        let mut answers = Vec::new();
        for _ in 0..2 {
            let (said,): (wit::Manifest,) = self.call("describe", ()).await?;
            let checked = Manifest::check(said::manifest(said), has, spec.cap());
            answers.push(checked.map_err(|problems| LoadErrorKind::Manifest { problems })?);
        }
        answers.dedup();
        match (answers.pop(), answers.pop()) {
            (Some(manifest), None) => Ok(manifest),
            _ => Err(LoadErrorKind::Unstable),
        }
    }

    async fn validate(&self) -> Result<(), LoadErrorKind> {
        let settings = (self.common.settings.clone(),);
        let (answer,): (Result<(), String>,) = self.call("validate", settings).await?;
        answer.map_err(|message| LoadErrorKind::Settings {
            message: printable(&message, limits::REASON_BYTES),
        })
    }

    /// Calls an export in an instance of its own, without a subject.
    async fn call<P, R>(&self, name: &'static str, params: P) -> Result<R, LoadErrorKind>
    where
        P: ComponentNamedList + Lower + Send + Sync,
        R: ComponentNamedList + Lift + Send + Sync + 'static,
    {
        let trapped = |cause| LoadErrorKind::Trapped { export: name, cause };
        let index = export(self.pre, name)?;
        let _room = self.engine.admit().await;
        let _ticking = self.engine.ticking();
        let far = Instant::now() + limits::LOAD_CALL_TIME * (limits::WALL_FACTOR + 1);
        let clock = Arc::new(CallClock::start(limits::LOAD_CALL_TIME, far));
        let mut store = Sandbox::store(self.engine, self.common, None, Arc::clone(&clock));
        let called = guard(&clock, async {
            let instance = self.pre.instantiate_async(&mut store).await?;
            store.data_mut().enter(Phase::Loading(name));
            typed::<P, R>(&mut store, &instance, &index)?.call_async(&mut store, params).await
        });
        match called.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                Err(trapped(Stopped::by(&error, store.data().meter.refused()).to_string()))
            }
            Err(limit) => Err(trapped(Stopped::OutOfTime(limit).to_string())),
        }
    }
}

fn typed<P, R>(
    store: &mut Store<Sandbox>,
    instance: &Instance,
    index: &ComponentExportIndex,
) -> wasmtime::Result<wasmtime::component::TypedFunc<P, R>>
where
    P: ComponentNamedList + Lower,
    R: ComponentNamedList + Lift,
{
    instance.get_typed_func(store, index)
}

fn export(pre: &InstancePre<Sandbox>, name: &str) -> Result<ComponentExportIndex, LoadErrorKind> {
    let component = pre.component();
    let instance = component.get_export_index(None, EXPORT);
    let found = instance.and_then(|instance| component.get_export_index(Some(&instance), name));
    found.ok_or_else(|| LoadErrorKind::Link {
        cause: format!("its attestor has no function `{name}`"),
    })
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// The first name that is there twice.
pub(crate) fn duplicates(specs: &[PluginSpec]) -> impl Iterator<Item = (&PluginName, &str)> {
    let twice = |(at, spec): &(usize, &PluginSpec)| {
        specs.iter().take(*at).any(|other| other.name == spec.name)
    };
    specs.iter().enumerate().filter(twice).map(|(_, spec)| (&spec.name, spec.origin.as_str()))
}
