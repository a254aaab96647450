use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use witgate_workbench::{Language, build};

use crate::scene::{Heard, Scene, ours, sections};

/// Held by each test: the projects share what cargo makes of the registry's crates, and the file in
/// which it puts the component.
static SHARED: Mutex<()> = Mutex::new(());

fn target(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn scene() -> (Scene, MutexGuard<'static, ()>) {
    let guard = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let scene = Scene::new(Language::Rust);
    let shared = target("rust-guests");
    fs::create_dir_all(&shared).unwrap();
    fs::create_dir(scene.dir.join("build")).unwrap();
    symlink(shared, scene.dir.join("build/target")).unwrap();
    (scene, guard)
}

#[test]
fn a_new_project_builds_the_same_component_anywhere() {
    let (first, _guard) = scene();
    let built = first.build().unwrap();
    let wasm = fs::read(&built.component).unwrap();
    assert!(built.component.ends_with("project/build/my-own.wasm"), "{built:?}");
    assert_eq!((built.bytes, built.sha256.len()), (wasm.len(), 64));
    assert_eq!(sections(&wasm, "witgate:manifest"), [first.read("plugin.toml")]);
    assert_eq!(ours(&wasm), ["files"]);
    let fixtures: serde_json::Value =
        serde_json::from_str(&sections(&wasm, "witgate:fixtures")[0]).unwrap();
    let debian = fixtures.as_array().unwrap().iter().find(|one| one["name"] == "debian").unwrap();
    assert_eq!(debian["expected"]["outcome"], "reported");
    assert!(debian["facts"]["files.workload"]["/etc/os-release"]["content"]["ok"].is_string());

    let second = Scene::new(Language::Rust);
    fs::create_dir(second.dir.join("build")).unwrap();
    symlink(target("rust-guests"), second.dir.join("build/target")).unwrap();
    assert_eq!(second.build().unwrap().sha256, built.sha256);
    assert_eq!(first.build().unwrap().sha256, built.sha256);
}

#[test]
fn the_fixtures_pass_natively_and_say_what_differs() {
    let (scene, _guard) = scene();
    let native = target("rust-native");
    let (passed, said) = scene.run("cargo", &["test", "--quiet"], &native);
    assert!(passed && said.contains("3 passed"), "{said}");
    scene.replace("fixtures/debian.expected.json", "version:12", "version:13");
    let (passed, said) = scene.run("cargo", &["test", "--quiet"], &native);
    assert!(!passed && said.contains("fixtures/debian.json"), "{said}");
    assert!(said.contains("- \"version:13\" is expected and not there"), "{said}");
    assert!(said.contains("+ \"version:12\" is there and not expected"), "{said}");
}

#[test]
fn a_mistake_in_the_code_is_shown_by_line() {
    let (scene, _guard) = scene();
    scene.write("src/lib.rs", &format!("{}\nlet x = 1;\n", scene.read("src/lib.rs")));
    let line = scene.read("src/lib.rs").lines().count();
    let error = scene.build_error();
    assert!(error.starts_with("compiling with cargo failed\n"), "{error}");
    assert!(error.contains(&format!("src/lib.rs:{line}:")), "{error}");
}

#[test]
fn an_interface_that_is_used_and_not_asked_for_is_an_error() {
    let (scene, _guard) = scene();
    let toml = scene.read("plugin.toml");
    let without = toml.lines().filter(|line| !line.starts_with("requests"));
    scene.write("plugin.toml", &without.collect::<Vec<_>>().join("\n"));
    let error = scene.build_error();
    assert!(error.contains("does not ask for `files`"), "{error}");
    assert!(error.contains("files.workload:/PATH"), "{error}");
}

#[test]
fn another_manifest_in_the_component_is_an_error() {
    let (scene, _guard) = scene();
    scene.write("other.toml", "name = \"other\"\n");
    scene.replace("src/lib.rs", "\"plugin.toml\"", "\"other.toml\"");
    let error = scene.build_error();
    assert!(error.contains("already has a section `witgate:manifest`"), "{error}");
}

#[test]
fn fixtures_over_the_limit_stay_outside() {
    let (scene, _guard) = scene();
    let long = format!(r#"{{"about":"{}"}}"#, "x".repeat(256 << 10));
    scene.write("fixtures/debian.json", &long);
    let mut heard = Heard::default();
    let built = build(&scene.dir, &mut heard).unwrap();
    assert!(heard.0.iter().any(|line| line.contains("fixtures are left out")), "{:?}", heard.0);
    let wasm = fs::read(built.component).unwrap();
    assert_eq!(sections(&wasm, "witgate:fixtures"), [""; 0]);
    assert_eq!(sections(&wasm, "witgate:manifest").len(), 1);
}
