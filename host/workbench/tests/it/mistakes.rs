//! What an author is told, in any language.

use std::{ffi::OsStr, fs, os::unix::fs::PermissionsExt as _};

use witgate_workbench::{
    BuildError, Language, Project, Silent, ToolStatus, build_with_path, check_toolchain,
};

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
    let rust = check(&Scene::new(Language::Rust));
    let cargo = rust.iter().find(|one| one.tool.program == "cargo").unwrap();
    assert!(cargo.version.as_deref().unwrap().starts_with("cargo 1."), "{cargo:?}");
    assert!(rust.iter().all(|one| one.version.is_some()), "{rust:?}");
    let c = check(&Scene::new(Language::C));
    assert!(c.len() >= 2 && c.iter().all(|one| one.version.is_some()), "{c:?}");
}

fn check(scene: &Scene) -> Vec<ToolStatus> {
    check_toolchain(&Project::open(&scene.dir).unwrap())
}

/// What is found of this name, by its version.
fn version(scene: &Scene, program: &str) -> Option<String> {
    let all = check(scene);
    let found = all.iter().find(|one| one.tool.program == program);
    found.unwrap_or_else(|| panic!("{all:?}")).version.clone()
}

#[test]
fn what_a_project_has_installed_for_itself_counts_for_the_check_as_for_the_build() {
    let python = Scene::new(Language::Python);
    let program = ".venv/bin/componentize-py";
    fs::create_dir_all(python.dir.join(".venv/bin")).unwrap();
    python.write(program, "#!/bin/sh\necho the one of the project; [ $# = 1 ]\n");
    fs::set_permissions(python.dir.join(program), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(version(&python, "componentize-py").as_deref(), Some("the one of the project"));
    assert!(python.build_error().contains("the one of the project"));

    let js = Scene::new(Language::JavaScript);
    assert_eq!(version(&js, "esbuild"), None);
    assert!(js.build_error().contains("`componentize-qjs` is missing"), "{}", js.build_error());
    for (package, version) in [("componentize-qjs", "7.0.1"), ("esbuild", "7.0.2")] {
        let folder = format!("node_modules/{package}");
        fs::create_dir_all(js.dir.join(&folder)).unwrap();
        let text = format!("{{ \"version\": \"{version}\" }}");
        js.write(&format!("{folder}/package.json"), &text);
    }
    assert_eq!(version(&js, "esbuild").as_deref(), Some("7.0.2"));
    assert_eq!(version(&js, "@witgate/sdk"), None);
    assert!(js.build_error().contains("`@witgate/sdk` is missing"), "{}", js.build_error());
}
