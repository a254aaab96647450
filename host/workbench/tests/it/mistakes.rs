//! What an author is told, in any language.

use std::ffi::OsStr;

use witgate_workbench::{BuildError, Language, Silent, build_with_path, check_toolchain};

use crate::scene::Scene;

#[test]
fn a_missing_program_is_named_with_what_to_install() {
    for language in Language::ALL {
        let scene = Scene::new(language);
        let error = build_with_path(&scene.dir, OsStr::new(""), &mut Silent).unwrap_err();
        let BuildError::Missing { tool, install } = &error else { panic!("{language}: {error}") };
        assert!(!tool.is_empty() && install.len() > 10, "{language}: {error}");
    }
    let scene = Scene::new(Language::Rust);
    let error = build_with_path(&scene.dir, OsStr::new("/none"), &mut Silent).unwrap_err();
    assert!(
        error.to_string().contains("`cargo`, needed for compiling Rust, is missing"),
        "{error}"
    );
}

#[test]
fn a_broken_plugin_toml_is_shown_by_line() {
    let scene = Scene::new(Language::Rust);
    scene.replace("plugin.toml", "files.workload:/etc/os-release", "files.workload:etc");
    let error = scene.build_error();
    assert!(error.contains("project/plugin.toml:7: "), "{error}");
    assert!(error.contains("a path is absolute"), "{error}");
}

#[test]
fn a_broken_fixture_is_shown_by_line() {
    let scene = Scene::new(Language::C);
    scene.write("fixtures/debian.json", "{\n  \"files.workload\": []\n}\n");
    let error = scene.build_error();
    assert!(error.contains("fixtures/debian.json:2:"), "{error}");
}

#[test]
fn a_folder_without_a_plugin_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let error = build_with_path(dir.path(), OsStr::new(""), &mut Silent).unwrap_err().to_string();
    assert!(error.contains("has no plugin.toml"), "{error}");
}

#[test]
fn the_programs_that_are_there_are_asked_for_their_version() {
    let rust = check_toolchain(Language::Rust);
    let cargo = rust.iter().find(|one| one.tool.program == "cargo").unwrap();
    assert!(cargo.version.as_deref().unwrap().starts_with("cargo 1."), "{cargo:?}");
    assert!(rust.iter().all(|one| one.version.is_some()), "{rust:?}");
    let c = check_toolchain(Language::C);
    assert!(c.len() >= 2 && c.iter().all(|one| one.version.is_some()), "{c:?}");
}
