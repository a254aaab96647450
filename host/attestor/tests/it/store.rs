//! The store of compiled components, as the engine uses it.

use std::{fs, path::Path, sync::Arc};

use witgate_attestor::{
    Catalogue, CompileError, CompilerCommand, Engine, EngineConfig, LoadErrorKind, Outcome,
};

use crate::host::{attest, compiler, fixture, load_on, process};

fn engine(store: &Path, compiler: CompilerCommand) -> Arc<Engine> {
    let config = EngineConfig { concurrency: 2, ..EngineConfig::new(store, compiler) };
    Engine::new(config).unwrap()
}

/// A compiler that cannot work, to show that it is not needed.
fn none() -> CompilerCommand {
    CompilerCommand { program: "/bin/false".into(), args: vec![] }
}

fn entry(store: &Path) -> std::path::PathBuf {
    let mut entries = fs::read_dir(store).unwrap().map(|entry| entry.unwrap().path());
    entries.find(|path| path.extension().is_some_and(|e| e == "cwasm")).unwrap()
}

#[tokio::test]
async fn a_component_is_compiled_once() {
    let root = tempfile::tempdir().unwrap();
    let store = root.path().join("components");
    load_on(&engine(&store, compiler()), vec![fixture("ok")]).await;
    let again = load_on(&engine(&store, none()), vec![fixture("ok")]).await;
    assert_eq!(attest(&again, process(1)).await[0].outcome, Outcome::Reported);
}

#[tokio::test]
async fn a_damaged_entry_is_compiled_again_and_replaced() {
    let root = tempfile::tempdir().unwrap();
    let store = root.path().join("components");
    load_on(&engine(&store, compiler()), vec![fixture("ok")]).await;
    let entry = entry(&store);
    let mut bytes = fs::read(&entry).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    fs::write(&entry, &bytes).unwrap();

    let broken = Catalogue::load(&engine(&store, none()), vec![fixture("ok")]).await.unwrap_err();
    assert!(matches!(broken[0].kind, LoadErrorKind::Compile(CompileError::Refused { .. })));
    load_on(&engine(&store, compiler()), vec![fixture("ok")]).await;
    load_on(&engine(&store, none()), vec![fixture("ok")]).await;
}

#[tokio::test]
async fn what_a_broken_compiler_writes_is_not_run() {
    let root = tempfile::tempdir().unwrap();
    let store = root.path().join("components");
    let echo = CompilerCommand { program: "/bin/echo".into(), args: vec!["code".into()] };
    let errors = Catalogue::load(&engine(&store, echo), vec![fixture("ok")]).await.unwrap_err();
    assert!(matches!(errors[0].kind, LoadErrorKind::Compile(CompileError::Unusable { .. })));
    assert!(!fs::read_dir(&store).unwrap().any(|entry| {
        entry.unwrap().path().extension().is_some_and(|extension| extension == "cwasm")
    }));
}

#[tokio::test]
async fn without_address_space_for_a_pool_plugins_work_too() {
    let root = tempfile::tempdir().unwrap();
    // Petabytes.
    let config = EngineConfig {
        concurrency: 1 << 20,
        ..EngineConfig::new(root.path().join("components"), compiler())
    };
    let engine = Engine::new(config).unwrap();
    assert!(!engine.is_pooling());
    let catalogue = load_on(&engine, vec![fixture("ok")]).await;
    assert_eq!(attest(&catalogue, process(1)).await[0].outcome, Outcome::Reported);
    assert!(crate::host::engine().is_pooling());
}

#[tokio::test]
async fn a_compiler_that_cannot_be_run_is_named() {
    let root = tempfile::tempdir().unwrap();
    let missing = CompilerCommand { program: "/no/such/program".into(), args: vec![] };
    let engine = engine(&root.path().join("components"), missing);
    let errors = Catalogue::load(&engine, vec![fixture("ok")]).await.unwrap_err();
    assert!(errors[0].to_string().contains("/no/such/program"), "{}", errors[0]);
    assert_eq!(errors[0].fault(), witgate_identity::Fault::Host);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_compile_child_limits_itself() {
    use std::process::{Command, Stdio};
    // It waits for its input, with its limits in place.
    let mut child = Command::new(compiler().program)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let path = format!("/proc/{}/limits", child.id());
    let limit = |text: &str, name: &str| -> Option<u64> {
        let line = text.lines().find(|line| line.starts_with(name))?;
        line[name.len()..].split_whitespace().next()?.parse().ok()
    };
    let limits = loop {
        let text = fs::read_to_string(&path).unwrap();
        if limit(&text, "Max processes") == Some(0) {
            break text;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(limit(&limits, "Max open files"), Some(3));
    assert_eq!(limit(&limits, "Max file size"), Some(0));
    assert_eq!(limit(&limits, "Max cpu time"), Some(witgate_attestor::limits::COMPILE_CPU_SECONDS));
    assert_eq!(
        limit(&limits, "Max address space"),
        Some(witgate_attestor::limits::COMPILE_ADDRESS_SPACE)
    );
    drop(child.stdin.take());
    assert!(!child.wait().unwrap().success(), "an empty input is no component");
}
