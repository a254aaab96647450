//! What does not load, and what the operator is told.

use std::collections::BTreeSet;

use witgate_attestor::{LoadErrorKind, PluginSpec, limits};
use witgate_facts::{Capabilities, Capability, Interface};
use witgate_identity::{Assurance, Fault};

use crate::{
    grafts,
    host::{
        attest, builtin, engine_with, fixture, load, load_on, name, process, refusal, refused,
        said, with_settings,
    },
};

fn spec(bytes: Vec<u8>) -> PluginSpec {
    PluginSpec::new(name("p"), "/plugins/p.wasm", bytes)
}

#[tokio::test]
async fn what_is_not_a_component_is_refused_by_name() {
    let told = async |bytes: &[u8]| refusal(spec(bytes.to_vec())).await.0;
    assert!(told(b"\0asm\x01\0\0\0").await.contains("core WebAssembly module"));
    assert!(told(b"#!/bin/sh").await.contains("not WebAssembly"));
    assert!(told(b"").await.contains("not WebAssembly"));
    let empty = told(b"\0asm\x0d\0\x01\0").await;
    assert!(empty.starts_with("plugin 'p' (/plugins/p.wasm): it has no plugin.toml"), "{empty}");
}

#[tokio::test]
async fn machine_code_from_outside_is_refused() {
    let engine = wasmtime::Engine::default();
    // The smallest component, and the one thing that a plugin can never be.
    let code = engine.precompile_component(b"\0asm\x0d\0\x01\0").unwrap();
    let (message, _) = refusal(spec(code)).await;
    assert!(message.contains("machine code (.cwasm)"), "{message}");
}

#[tokio::test]
async fn what_is_too_large_is_not_looked_at() {
    let (_, kind) = refusal(spec(vec![0; limits::COMPONENT_BYTES + 1])).await;
    assert!(matches!(kind, LoadErrorKind::TooLarge { .. }));
}

#[tokio::test]
async fn a_broken_component_is_refused_by_the_compiler() {
    let mut bytes = witgate_builtins::fixtures::find("ok").unwrap().to_vec();
    // Inside the code section: well-formed sections, invalid instructions.
    let middle = bytes.len() / 2;
    bytes[middle..middle + 64].fill(0xff);
    let (message, kind) = refusal(spec(bytes)).await;
    assert!(matches!(kind, LoadErrorKind::Compile(_) | LoadErrorKind::Requests(_)), "{message}");
}

#[tokio::test]
async fn asked_and_not_granted_is_told_with_the_lines_to_paste() {
    let (message, kind) =
        refusal(PluginSpec { grants: Capabilities::new(), ..builtin("unix") }).await;
    assert!(matches!(kind, LoadErrorKind::NotGranted { .. }));
    let lines = "\n[plugins.unix]\ngrants = [\"executable\"]\n";
    assert!(message.contains(lines), "{message}");
}

#[tokio::test]
async fn a_grant_that_nobody_asked_for_is_not_an_error() {
    let grants = [Capability::Interface(Interface::Executable)].into_iter().collect();
    let catalogue = load(vec![PluginSpec { grants, ..fixture("ok") }]).await;
    let (_, uid) = catalogue.plugins()[0].manifest().keys().next().unwrap();
    assert_eq!(uid.assurance(true), Assurance::Image, "the default cap is the weakest grant");
}

#[tokio::test]
async fn the_default_cap_is_the_weakest_grant_and_the_operator_can_raise_it() {
    let level = async |grants: &[Interface], max_assurance| {
        let grants = grants.iter().copied().map(Capability::Interface).collect();
        let catalogue = load(vec![PluginSpec { grants, max_assurance, ..fixture("ok") }]).await;
        catalogue.plugins()[0].manifest().keys().next().unwrap().1.assurance(true)
    };
    assert_eq!(level(&[], None).await, Assurance::Kernel);
    assert_eq!(level(&[Interface::Process], None).await, Assurance::Kernel);
    assert_eq!(level(&[Interface::Cmdline], None).await, Assurance::Claimed);
    assert_eq!(level(&[Interface::Cmdline], Some(Assurance::Kernel)).await, Assurance::Kernel);
    assert_eq!(level(&[], Some(Assurance::Claimed)).await, Assurance::Claimed);
}

#[tokio::test]
async fn asks_unknown_is_told_which_interface_it_is() {
    let (message, kind) = refusal(fixture("asks-unknown")).await;
    assert!(matches!(kind, LoadErrorKind::Requests(_)));
    assert!(message.contains("telepathy"), "{message}");
}

#[tokio::test]
async fn forge_manifest_cannot_declare_another_plugin_s_key() {
    let (message, kind) = refusal(fixture("forge-manifest")).await;
    assert!(matches!(kind, LoadErrorKind::Manifest { .. }));
    assert!(message.contains("unix:uid"), "{message}");
}

// #69: a component gets no more than the daemon has and the operator granted; what it does before it is
// called is bounded like a call.
#[tokio::test]
async fn an_interface_of_ours_that_does_not_exist_is_told() {
    for import in ["witgate:attestor/telepathy@0.1.0", "witgate:attestor/process@0.2.0"] {
        let (message, kind) = refusal(grafts::with_import(import)).await;
        assert!(matches!(kind, LoadErrorKind::OtherVersion { .. }), "{message}");
        assert!(message.contains(&format!("it was built for `{import}`, and this daemon has")));
    }
}

#[tokio::test]
async fn a_function_that_nobody_has_is_told() {
    let (message, kind) = refusal(grafts::with_function_import("open-the-door")).await;
    assert!(matches!(kind, LoadErrorKind::Foreign { .. }), "{message}");
    assert!(message.contains("open-the-door"), "{message}");
}

#[tokio::test]
async fn files_and_sockets_and_what_is_foreign_cannot_be_called() {
    for interface in
        ["wasi:filesystem/types", "wasi:sockets/tcp", "wasi:http/types", "acme:robot/arm"]
    {
        let (message, _) = refusal(grafts::with_start_in(&format!("{interface}@0.2.6"))).await;
        assert!(message.contains(interface), "{message}");
    }
}

/// Toolchains import whole worlds.
#[tokio::test]
async fn files_and_sockets_that_are_only_imported_do_no_harm() {
    for interface in ["wasi:filesystem/types@0.2.6", "wasi:sockets/tcp@0.2.0"] {
        let catalogue = load(vec![grafts::with_import(interface)]).await;
        assert_eq!(said(&attest(&catalogue, process(1000)).await[0]), ["ok:uid:1000"]);
    }
}

#[tokio::test]
async fn start_loop_does_not_keep_the_loader() {
    let (message, kind) = refusal(fixture("start-loop")).await;
    assert!(matches!(kind, LoadErrorKind::Trapped { .. }));
    assert!(message.contains("`describe` failed at load: out of time"), "{message}");
}

#[tokio::test]
async fn start_call_is_told_what_it_may_call() {
    let (message, kind) = refusal(fixture("start-call")).await;
    assert!(matches!(kind, LoadErrorKind::Trapped { .. }));
    let sentence =
        "it called `process.credentials` in a start function, where only `log` may be called";
    assert!(message.contains(sentence), "{message}");
}

#[tokio::test]
async fn start_panic_is_told_as_a_trap() {
    let (message, kind) = refusal(fixture("start-panic")).await;
    assert!(matches!(kind, LoadErrorKind::Trapped { .. }));
    assert!(message.contains("failed at load: wasm trap: wasm `unreachable`"), "{message}");
}

#[tokio::test]
async fn changing_describe_is_unstable() {
    let (_, kind) = refusal(fixture("changing-describe")).await;
    assert!(matches!(kind, LoadErrorKind::Unstable), "{kind:?}");
}

#[tokio::test]
async fn curious_describe_is_told_what_it_may_call() {
    let (message, _) = refusal(fixture("curious-describe")).await;
    let sentence = "it called `process.credentials` in describe, where only `log` may be called";
    assert!(message.contains(sentence), "{message}");
}

#[tokio::test]
async fn slow_describe_runs_out_of_time() {
    let (message, _) = refusal(fixture("slow-describe")).await;
    assert!(message.contains("`describe` failed at load: out of time"), "{message}");
}

#[tokio::test]
async fn trap_in_describe_names_the_export() {
    let (message, _) = refusal(fixture("trap-in-describe")).await;
    assert!(
        message.contains("`describe` failed at load: wasm trap: wasm `unreachable`"),
        "{message}"
    );
}

#[tokio::test]
async fn bad_validate_tells_the_operator_in_its_own_words() {
    let error = refused(vec![fixture("bad-validate")]).await.remove(0);
    assert_eq!(error.fault(), Fault::Operator);
    assert!(error.to_string().ends_with("no settings suit this plugin"), "{error}");
}

#[tokio::test]
async fn settings_that_a_plugin_does_not_know_are_refused() {
    let settings = serde_json::json!({ "discover_workload_path": "perhaps" });
    let (_, kind) = refusal(with_settings(builtin("unix"), settings)).await;
    assert!(matches!(kind, LoadErrorKind::Settings { .. }), "{kind:?}");
}

#[tokio::test]
async fn all_errors_of_all_plugins_come_at_once() {
    let twice = PluginSpec { name: name("ok"), ..fixture("leak") };
    let specs = vec![
        fixture("forge-manifest"),
        fixture("ok"),
        spec(b"?".to_vec()),
        twice,
        fixture("bad-validate"),
    ];
    let errors = refused(specs).await;
    let named: BTreeSet<_> = errors.iter().map(|error| error.plugin.as_str()).collect();
    assert_eq!(named, ["bad-validate", "forge-manifest", "ok", "p"].into());
    assert_eq!(errors.len(), 4);
}

#[tokio::test]
async fn what_is_loaded_can_be_looked_at() {
    let catalogue = load(vec![builtin("unix")]).await;
    let [unix] = catalogue.plugins() else { panic!() };
    assert_eq!((unix.name().as_str(), unix.origin()), ("unix", "builtin:unix"));
    assert_eq!(unix.digest().len(), 64);
    assert_eq!(unix.toml().needed(), [Capability::Interface(Interface::Executable)]);
    assert!(unix.compiled_bytes() > unix.component_bytes());
    let manifest = unix.manifest();
    let level = |key: &str| {
        let key = witgate_identity::KeyName::new(key).unwrap();
        let spec = manifest.key(&key).unwrap();
        (spec.assurance(false), spec.assurance(true))
    };
    assert_eq!(level("uid"), (Assurance::Kernel, Assurance::Kernel));
    assert_eq!(level("path"), (Assurance::Claimed, Assurance::Image));
    assert!(manifest.config_schema().contains("discover_workload_path"));
}

/// How an interface grows: a component that was built with the second version of `log` runs beside
/// one that was built with the first, on the same engine, and a daemon that has no second version
/// says so.
#[tokio::test]
async fn a_second_version_of_an_interface_stands_beside_the_first() {
    let engine = engine_with(|config| config.preview = true);
    let catalogue = load_on(&engine, vec![fixture("log-next"), fixture("flood-log")]).await;
    for attestation in attest(&catalogue, process(1000)).await {
        assert_eq!(said(&attestation), [format!("{}:uid:1000", attestation.plugin)]);
    }
    let lines = |at: usize| catalogue.plugins()[at].lines().0;
    assert_eq!(lines(0)[0].text, r#"about to say it uid="1000""#);
    assert!(!lines(1).is_empty());
    let (message, kind) = refusal(fixture("log-next")).await;
    assert!(matches!(kind, LoadErrorKind::OtherVersion { .. }), "{message}");
    assert!(message.contains("log@0.2.0`, and this daemon has `witgate:attestor/log@0.1.0`"));
}
