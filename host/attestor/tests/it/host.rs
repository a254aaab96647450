//! What the tests share: an engine, fixtures by name, a recorded process, a call.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::time::Instant;
use witgate_attestor::{
    Attestation, Catalogue, CompilerCommand, Engine, EngineConfig, LoadError, LoadErrorKind,
    PluginSpec,
};
use witgate_builtins::{find, fixtures};
use witgate_facts::{
    CgroupTrust, Credentials, ExecutableInfo, FactError, FactSource, Names, Namespace,
    fixture::{Fact, Recorded},
};
use witgate_identity::{PluginName, Wanted};

/// Long enough for a loaded machine; no test waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn compiler() -> CompilerCommand {
    CompilerCommand {
        program: env!("CARGO_BIN_EXE_witgate-compile-component").into(),
        args: Vec::new(),
    }
}

/// An engine over the store that all tests of this build share.
pub(crate) fn engine() -> Arc<Engine> {
    engine_with(|_| {})
}

/// The same, with something set otherwise.
pub(crate) fn engine_with(set: impl FnOnce(&mut EngineConfig)) -> Arc<Engine> {
    let store = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("components");
    let mut config = EngineConfig { concurrency: 8, ..EngineConfig::new(store, compiler()) };
    set(&mut config);
    Engine::new(config).unwrap()
}

pub(crate) fn name(name: &str) -> PluginName {
    PluginName::new(name).unwrap()
}

/// A fixture guest under its own name.
pub(crate) fn fixture(fixture: &str) -> PluginSpec {
    let wasm = fixtures::find(fixture).unwrap_or_else(|| panic!("no fixture '{fixture}'"));
    PluginSpec::new(name(fixture), format!("fixture:{fixture}"), wasm)
}

pub(crate) fn with_settings(spec: PluginSpec, settings: serde_json::Value) -> PluginSpec {
    PluginSpec { settings, ..spec }
}

/// A built-in attestor as the default configuration has it.
pub(crate) fn builtin(builtin: &str) -> PluginSpec {
    let found = find(builtin).unwrap();
    PluginSpec {
        grants: found.default_grants.iter().map(|word| word.parse().unwrap()).collect(),
        settings: serde_json::from_str(found.default_settings_json).unwrap(),
        max_assurance: found.max_assurance.map(|word| word.parse().unwrap()),
        ..PluginSpec::new(name(builtin), format!("builtin:{builtin}"), found.wasm)
    }
}

pub(crate) async fn load(specs: Vec<PluginSpec>) -> Catalogue {
    load_on(&engine(), specs).await
}

pub(crate) async fn load_on(engine: &Arc<Engine>, specs: Vec<PluginSpec>) -> Catalogue {
    Catalogue::load(engine, specs).await.unwrap_or_else(|errors| panic!("{errors:#?}"))
}

/// Loads what must not load.
pub(crate) async fn refused(specs: Vec<PluginSpec>) -> Vec<LoadError> {
    Catalogue::load(&engine(), specs).await.unwrap_err()
}

/// Loads one plugin that must not load.
pub(crate) async fn refusal(spec: PluginSpec) -> (String, LoadErrorKind) {
    let mut errors = refused(vec![spec]).await;
    assert_eq!(errors.len(), 1, "{errors:#?}");
    let error = errors.remove(0);
    (error.to_string(), error.kind)
}

/// An ordinary process of a user on the host.
pub(crate) fn process(uid: u32) -> Recorded {
    let namespace = |kind: &str| Namespace { kind: kind.to_owned(), inode: 1, host: true };
    let cgroup = CgroupTrust {
        hierarchy: 0,
        controllers: vec![],
        prefix: "/user.slice".to_owned(),
        delegated: true,
        mounted: true,
    };
    let program = ExecutableInfo {
        path: "/usr/bin/curl".to_owned(),
        device: 1,
        inode: 2,
        size: 3,
        deleted: false,
        same_on_host: true,
    };
    let groups = vec![uid, 998];
    let names = Names {
        user: Some("alice".to_owned()),
        group: Some("alice".to_owned()),
        groups: vec![Some("alice".to_owned()), Some("docker".to_owned())],
    };
    Recorded {
        credentials: Some(Fact::Ok(Credentials { uid, gid: uid, groups })),
        names: Some(Fact::Ok(names)),
        label: Some(Fact::Err(FactError::Unsupported)),
        namespaces: Some(Fact::Ok(["mnt", "pid", "user"].map(namespace).to_vec())),
        cgroups_trusted: Some(Fact::Ok(vec![cgroup])),
        doubts: Some(Fact::Ok(Vec::new())),
        executable: Some(Fact::Ok(program)),
        executable_sha256: Some(Fact::Ok("ab".repeat(32))),
        ..Recorded::default()
    }
}

/// Asks all plugins for all keys.
pub(crate) async fn attest(
    catalogue: &Catalogue,
    facts: impl FactSource + 'static,
) -> Vec<Attestation> {
    let plan = catalogue.plan(&Wanted::All);
    catalogue.attest(&plan, Arc::new(facts), Instant::now() + PATIENCE).await
}

/// Asks the one plugin for all its keys.
pub(crate) async fn ask(spec: PluginSpec, facts: impl FactSource + 'static) -> Attestation {
    let catalogue = load(vec![spec]).await;
    let mut attestations = attest(&catalogue, facts).await;
    assert_eq!(attestations.len(), 1);
    attestations.remove(0)
}

/// What was said, as text.
pub(crate) fn said(attestation: &Attestation) -> Vec<String> {
    attestation.selectors.iter().map(|attested| attested.selector.to_string()).collect()
}

/// The unknown keys.
pub(crate) fn unknown(attestation: &Attestation) -> Vec<&str> {
    attestation.unknown.iter().map(|unknown| unknown.key.as_str()).collect()
}
