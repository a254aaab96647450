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
async fn more_machine_code_than_fits_is_not_taken() {
    let root = tempfile::tempdir().unwrap();
    let store = root.path().join("components");
    let endless = CompilerCommand { program: "/bin/cat".into(), args: vec!["/dev/zero".into()] };
    let errors = Catalogue::load(&engine(&store, endless), vec![fixture("ok")]).await.unwrap_err();
    assert!(matches!(errors[0].kind, LoadErrorKind::Compile(CompileError::TooLarge { .. })));
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

fn leb(mut n: usize) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let low = u8::try_from(n & 0x7f).unwrap();
        n >>= 7;
        if n == 0 {
            out.push(low);
            return out;
        }
        out.push(low | 0x80);
    }
}

fn section(id: u8, body: &[u8]) -> Vec<u8> {
    [vec![id], leb(body.len()), body.to_vec()].concat()
}

/// A small, valid component that a compiler has to think about for minutes: one function that puts
/// a million numbers on the stack before it takes the first from it.
fn bomb() -> Vec<u8> {
    const DEPTH: usize = 1_500_000;
    let code = [
        vec![0], // no locals
        [0x20, 0].repeat(DEPTH),
        [0x6a].repeat(DEPTH - 1),
        vec![0x0b],
    ]
    .concat();
    let body = [leb(code.len()), code].concat();
    let module = [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, &[1, 0x60, 1, 0x7f, 1, 0x7f]), // (i32) -> i32
        section(3, &[1, 0]),
        section(10, &[leb(1), body].concat()),
    ]
    .concat();
    let export = b"\0\x1fwitgate:attestor/attestor@0.1.0";
    let manifest = b"\x10witgate:manifestname='bomb'\nversion='1'\ndescription='d'";
    [
        b"\0asm\x0d\0\x01\0".to_vec(),
        section(0, manifest),
        section(1, &module),
        // An empty instance, exported under the name of an attestor.
        section(5, &[1, 1, 0]),
        section(11, &[&[1], &export[..], &[5, 0, 0]].concat()),
    ]
    .concat()
}

/// `security.md` #73. The child has 60 s of processor time; here it is given one, by the same limit.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_compile_bomb_kills_the_child_and_nothing_else() {
    let root = tempfile::tempdir().unwrap();
    let strict = CompilerCommand {
        program: "/usr/bin/prlimit".into(),
        args: vec!["--cpu=1".into(), "--".into(), compiler().program.into()],
    };
    let engine = engine(&root.path().join("components"), strict);
    let good = load_on(&engine, vec![fixture("ok")]).await;
    let spec = witgate_attestor::PluginSpec::new(crate::host::name("bomb"), "bomb.wasm", bomb());
    let errors = Catalogue::load(&engine, vec![spec]).await.unwrap_err();
    let LoadErrorKind::Compile(CompileError::Refused { status, .. }) = &errors[0].kind else {
        panic!("{}", errors[0]);
    };
    assert!(status.contains("signal"), "{status}");
    assert_eq!(attest(&good, process(1)).await[0].outcome, Outcome::Reported);
    load_on(&engine, vec![fixture("panic")]).await;
}
