use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    path::Path,
    process::Command,
};

use witgate_workbench::{Language, Silent, build_with_path};

use crate::scene::{EVERY_INTERFACE, Heard, Scene, is_in, ours, sections};

/// A path with clang and without Zig: Debian's own programs.
fn clang() -> OsString {
    OsString::from("/usr/bin:/bin")
}

/// A path with Zig before anything else.
fn zig() -> OsString {
    env::var_os("PATH").unwrap()
}

fn builds_the_same_anywhere(path: &OsStr, compiler: &str) {
    let first = Scene::new(Language::C);
    let mut heard = Heard::default();
    let built = build_with_path(&first.dir, path, &mut heard).unwrap();
    assert!(heard.0[0].contains(compiler), "{:?}", heard.0);
    let wasm = fs::read(&built.component).unwrap();
    assert_eq!(sections(&wasm, "witgate:manifest"), [first.read("plugin.toml")]);
    assert_eq!(sections(&wasm, "witgate:fixtures").len(), 1);
    assert_eq!(ours(&wasm), ["files"]);
    let second = Scene::new(Language::C);
    let again = build_with_path(&second.dir, path, &mut Silent).unwrap();
    assert_eq!(again.sha256, built.sha256);
}

#[test]
fn clang_builds_the_same_component_anywhere() {
    builds_the_same_anywhere(&clang(), "clang");
}

#[test]
fn zig_builds_the_same_component_anywhere() {
    builds_the_same_anywhere(&zig(), "zig");
}

#[test]
fn the_fixtures_pass_natively_and_say_what_differs() {
    let scene = Scene::new(Language::C);
    let (passed, said) = scene.run("make", &["test"], Path::new(""));
    assert!(passed && said.contains("21 passed, 0 failed"), "{said}");
    scene.replace("fixtures/debian.expected.json", "version:12", "version:13");
    let (passed, said) = scene.run("make", &["test"], Path::new(""));
    assert!(!passed && said.contains("20 passed, 1 failed"), "{said}");
    assert!(
        said.contains("fixtures/debian.json\n  - version:13 is expected and not there"),
        "{said}"
    );
    assert!(said.contains("+ version:12 is there and not expected"), "{said}");
}

#[test]
fn a_mistake_in_the_code_is_shown_by_line() {
    let scene = Scene::new(Language::C);
    scene.write("src/attestor.c", &format!("{}\nint x = y;\n", scene.read("src/attestor.c")));
    let line = scene.read("src/attestor.c").lines().count();
    for path in [clang(), zig()] {
        let error = build_with_path(&scene.dir, &path, &mut Silent).unwrap_err().to_string();
        assert!(error.starts_with("compiling with make failed\n"), "{error}");
        assert!(error.contains(&format!("src/attestor.c:{line}:")), "{error}");
    }
}

#[test]
fn an_interface_that_is_used_and_not_asked_for_is_an_error() {
    let scene = Scene::new(Language::C);
    let toml = scene.read("plugin.toml");
    let without = toml.lines().filter(|line| !line.starts_with("requests"));
    scene.write("plugin.toml", &without.collect::<Vec<_>>().join("\n"));
    for path in [clang(), zig()] {
        let error = build_with_path(&scene.dir, &path, &mut Silent).unwrap_err().to_string();
        assert!(error.contains("does not ask for `files`"), "{error}");
    }
}

/// Every function of `witgate.h` is there for a plugin that asks for everything.
#[test]
fn every_interface_can_be_used() {
    let scene = Scene::new(Language::C);
    let everything = r#"requests = ["ancestry", "cache:process", "cmdline", "environ:HOME", "executable",
        "files.host:/etc/hostname", "http:docker", "systemd"]"#;
    let toml = scene.read("plugin.toml");
    let lines = toml.lines().filter(|line| !line.starts_with("requests"));
    let text = lines.chain([everything]).collect::<Vec<_>>().join("\n");
    scene.write("plugin.toml", &text);
    scene.write("src/everything.c", EVERYTHING);
    scene.replace(
        "src/attestor.c",
        "witgate_bytes content;",
        "extern void everything(void); everything();\n  witgate_bytes content;",
    );
    for path in [clang(), zig()] {
        let built = build_with_path(&scene.dir, &path, &mut Silent).unwrap();
        let wasm = fs::read(built.component).unwrap();
        assert_eq!(ours(&wasm), EVERY_INTERFACE);
    }
}

const EVERYTHING: &str = include_str!("../../../../plugins/sdk-c/tests/everything.c");

/// The SDK's own tests: what it reads, and what it must not.
#[test]
fn the_sdk_passes_its_own_tests() {
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/sdk-c");
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("tests");
    let sources = ["witgate.c", "witgate_fixtures.c", "witgate_json.c", "witgate_native.c"];
    let compiled = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-g", "-I."])
        .args(["-fsanitize=address,undefined", "-fno-sanitize-recover", "tests/tests.c", "-o"])
        .arg(&program)
        .args(sources)
        .current_dir(&sdk)
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let output = Command::new(program).current_dir(dir.path()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

#[test]
fn what_these_tests_need_is_installed() {
    assert!(is_in(&clang(), "make") && is_in(&clang(), "cc"));
}
