//! JavaScript and TypeScript plugins, built by the real toolchain.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;
use witgate_workbench::{BuildError, Built, Language, Silent, build, build_with_path, create};

use crate::scene::{Heard, cache, imports, succeeds};

/// What npm says, if it ends well.
fn npm(dir: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("npm");
    command.args(arguments).args(["--prefer-offline", "--no-audit", "--no-fund", "--cache"]);
    succeeds(command.arg(cache("js")).current_dir(dir))
}

/// A new project with its packages, in a folder of this name.
fn new_project(folder: &str, language: Language) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let project = dir.path().join(folder);
    create(&project, "my-os", language).unwrap();
    npm(&project, &["ci"]);
    (dir, project)
}

fn built(dir: &Path) -> Built {
    build(dir, &mut Silent).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(dir: &Path) -> String {
    build(dir, &mut Silent).unwrap_err().to_string()
}

fn write(dir: &Path, file: &str, content: &str) {
    fs::write(dir.join(file), content).unwrap();
}

/// These interfaces of ours, and those that every plugin has.
fn interfaces(words: &[&str]) -> BTreeSet<String> {
    let always = ["cgroups", "config", "log", "namespaces", "process", "types"];
    always.iter().chain(words).map(|name| format!("witgate:attestor/{name}")).collect()
}

fn a_new_plugin_passes_its_tests_and_builds(language: Language) {
    let (_dir, project) = new_project("project", language);
    let tested = npm(&project, &["test"]);
    assert!(tested.contains("fixture debian") && tested.contains("fail 0"), "{tested}");

    let component = built(&project).component;
    let bytes = fs::read(&component).unwrap();
    wasmparser::validate(&bytes).unwrap();
    // No WASI: what is not there cannot be called, and the daemon can remember its answers.
    assert_eq!(imports(&bytes), interfaces(&["files"]));
    let place = project.to_str().unwrap().as_bytes();
    assert!(!bytes.windows(place.len()).any(|window| window == place), "it names our folder");

    // What a build leaves behind is in nobody's way.
    npm(&project, &["test"]);
}

#[test]
fn a_new_javascript_plugin_passes_its_tests_and_builds() {
    a_new_plugin_passes_its_tests_and_builds(Language::JavaScript);
}

#[test]
fn a_new_typescript_plugin_passes_its_tests_and_builds() {
    a_new_plugin_passes_its_tests_and_builds(Language::TypeScript);
}

#[test]
fn the_same_sources_give_the_same_component_anywhere() {
    let (_one, first) = new_project("one", Language::JavaScript);
    let (_other, second) = new_project("a folder elsewhere", Language::JavaScript);
    let digest = built(&first).sha256;
    assert_eq!(digest, built(&second).sha256);
    assert_eq!(digest, built(&first).sha256);
    let changed = fs::read_to_string(first.join("attestor.js")).unwrap();
    write(&first, "attestor.js", &changed.replace("linux", "Linux"));
    assert_ne!(digest, built(&first).sha256);
}

/// An attestor with this in `attest`, which begins in line 6.
fn attestor(attest: &str) -> String {
    format!(
        "import {{ attestor, files, Report }} from \"@witgate/sdk\";\n\
         import {{ first }} from \"./lib/names.js\";\n\
         \n\
         export default attestor({{\n\
         \x20 keys: [{{ key: \"id\", meaning: \"m\", example: \"e\", derivedFrom: [\"files.workload\"] }}],\n\
         \x20 attest() {{\n\
         \x20   {attest}\n\
         \x20 }},\n\
         }});\n"
    )
}

#[test]
fn a_mistake_names_the_authors_file_and_line_natively() {
    let (_dir, project) = new_project("a project", Language::JavaScript);
    fs::create_dir(project.join("lib")).unwrap();
    write(&project, "lib/names.js", "\nexport function first(x) {\n  return x.missing.name;\n}\n");
    let run = "import { attest } from \"@witgate/sdk/testing\";\n\
               import plugin from \"./attestor.js\";\n\
               console.log(attest(plugin, {}).reason);\n";
    write(&project, "run.js", run);
    for (mistake, said) in [
        ("return first({});", "(reading 'name') lib/names.js:3"),
        ("new Report();", "attest returned undefined, it must return a Report (attestor.js:6)"),
        ("return { id: \"a\" };", "it must return a Report (attestor.js:6)"),
        (
            "return new Report().selector(\"id\", 5);",
            "is the number 5, it must be a string attestor.js:7",
        ),
        (
            "return new Report().selector(\"di\", \"5\");",
            "\"di\" is not among the attestor's keys: id attestor.js:7",
        ),
        ("throw new RangeError(\"far\");", "RangeError: far attestor.js:7"),
        (
            "return files.read(\"root\", \"/a\");",
            "it must be \"host\" or \"workload\" attestor.js:7",
        ),
    ] {
        write(&project, "attestor.js", &attestor(mistake));
        let output = succeeds(Command::new("node").arg("run.js").current_dir(&project));
        assert!(output.trim_end().ends_with(said), "{mistake}: {output}");
    }
}

#[test]
fn what_cannot_be_built_names_the_authors_file_and_line() {
    let (_dir, project) = new_project("project", Language::JavaScript);
    for (mistake, place, said) in [
        ("x y z;", "attestor.js:3:2", "Expected \";\" but found \"y\""),
        (
            "import fs from \"node:fs\";",
            "attestor.js:3:15",
            "an attestor has no module \"node:fs\"",
        ),
        ("import { none } from \"@witgate/sdk\"; none();", "attestor.js:3:9", "No matching export"),
        // From here on it is the engine that says so, about the bundle.
        (
            "throw new Error(\"at build\");",
            "attestor.js:3: at build",
            "when the component is built",
        ),
        ("files.read(\"host\", \"/a\");", "attestor.js:3: ", "files.read works only within attest"),
        ("attestor({ keys: [{}], attest() {} });", "attestor.js:3: ", "keys[0].key is undefined"),
        ("console.log(new Date());", "attestor.js:3: ", "there is no Date.now"),
        ("", "attestor.js: ", "the default export must be what attestor("),
    ] {
        let source = "import { attestor, files } from \"@witgate/sdk\";\n\n";
        write(&project, "attestor.js", &format!("{source}{mistake}\nexport default 5;\n"));
        let error = refused(&project);
        assert!(error.contains(place) && error.contains(said), "{mistake}: {error}");
    }
    fs::remove_file(project.join("attestor.js")).unwrap();
    assert!(refused(&project).contains("attestor.js"), "{}", refused(&project));
}

#[test]
fn types_are_checked_where_the_compiler_is_installed() {
    let (_dir, project) = new_project("project", Language::TypeScript);
    let source = fs::read_to_string(project.join("attestor.ts")).unwrap();
    let wrong = source.replace("return report;", "return report.selector(\"id\", 5);");
    assert_ne!(source, wrong);
    write(&project, "attestor.ts", &wrong);
    let line = 1 + wrong.lines().position(|line| line.contains("\"id\", 5")).unwrap();
    let error = refused(&project);
    assert!(error.contains(&format!("attestor.ts({line},")) && error.contains("TS2345"), "{error}");

    fs::remove_dir_all(project.join("node_modules/typescript")).unwrap();
    fs::remove_file(project.join("node_modules/.bin/tsc")).unwrap();
    let mut said = Heard::default();
    build(&project, &mut said).unwrap();
    assert!(said.0.iter().any(|line| line.contains("types are not checked")), "{:?}", said.0);
}

#[test]
fn every_interface_is_connected_and_packages_of_either_kind_are_bundled() {
    let (_dir, project) = new_project("project", Language::JavaScript);
    let requests = "requests = [\"executable\", \"ancestry\", \"cmdline\", \"environ:HOME\", \
                    \"files.host:/etc/\", \"http:docker\", \"cache:process\", \"systemd\"]";
    let toml = fs::read_to_string(project.join("plugin.toml")).unwrap();
    let start = toml.find("requests").unwrap();
    write(&project, "plugin.toml", &format!("{}{requests}\n", &toml[..start]));
    for (package, source) in [
        ("common", "exports.twice = (x) => x + x;"),
        ("modern", "export const thrice = (x) => x + x + x;"),
    ] {
        let folder = project.join("node_modules").join(package);
        fs::create_dir(&folder).unwrap();
        let kind = if package == "modern" { "\"type\": \"module\"," } else { "" };
        write(&folder, "package.json", &format!("{{ {kind} \"main\": \"index.js\" }}"));
        write(&folder, "index.js", source);
    }
    let source = "import * as sdk from \"@witgate/sdk\";\n\
                  import { twice } from \"common\";\n\
                  import { thrice } from \"modern\";\n\
                  export default sdk.attestor({\n\
                  \x20 keys: [],\n\
                  \x20 attest: () => new sdk.Report().selector(twice(\"a\"), thrice(sdk.systemd.unit().id)),\n\
                  });\n";
    write(&project, "attestor.js", source);
    let granted =
        ["executable", "ancestry", "cmdline", "environ", "files", "http", "cache", "systemd"];
    assert_eq!(imports(&fs::read(built(&project).component).unwrap()), interfaces(&granted));
}

#[test]
fn what_is_missing_is_named_with_the_command_that_installs_it() {
    let dir = tempfile::tempdir().unwrap();
    create(dir.path(), "my-os", Language::JavaScript).unwrap();
    let without_node = build_with_path(dir.path(), OsStr::new("/none"), &mut Silent).unwrap_err();
    assert!(matches!(without_node, BuildError::Missing { .. }), "{without_node}");
    let said = without_node.to_string();
    assert!(said.contains("`node`") && said.contains("apt-get install nodejs npm"), "{said}");

    let command = "npm install --save-dev componentize-qjs@0.4.5 esbuild@0.28.2";
    let said = refused(dir.path());
    assert!(said.contains("`componentize-qjs` is missing") && said.contains(command), "{said}");
    for package in ["componentize-qjs", "esbuild"] {
        fs::create_dir_all(dir.path().join("node_modules").join(package)).unwrap();
    }
    let said = refused(dir.path());
    let sdk = "npm install ./witgate/plugins/sdk-js";
    assert!(said.contains("`@witgate/sdk` is missing") && said.contains(sdk), "{said}");
}

#[test]
fn a_node_that_is_too_old_is_as_good_as_none() {
    let dir = tempfile::tempdir().unwrap();
    create(dir.path().join("project").as_path(), "my-os", Language::JavaScript).unwrap();
    let bin = dir.path().join("bin");
    fs::create_dir(&bin).unwrap();
    symlink("/bin/false", bin.join("node")).unwrap();
    let error =
        build_with_path(&dir.path().join("project"), bin.as_os_str(), &mut Silent).unwrap_err();
    assert!(error.to_string().contains("install Node 20 or newer"), "{error}");
}

#[test]
fn the_versions_that_a_build_names_are_those_of_the_templates() {
    for language in [Language::JavaScript, Language::TypeScript] {
        let dir = tempfile::tempdir().unwrap();
        create(dir.path(), "my-os", language).unwrap();
        let package = fs::read_to_string(dir.path().join("package.json")).unwrap();
        for version in ["\"componentize-qjs\": \"0.4.5\"", "\"esbuild\": \"0.28.2\""] {
            assert!(package.contains(version), "{language}: {package}");
        }
        assert!(package.contains("\"name\": \"my-os-attestor\""), "{package}");
        let lock = fs::read_to_string(dir.path().join("package-lock.json")).unwrap();
        assert!(!lock.contains("://"), "the lock file names a registry");
    }
}

#[test]
fn the_sdk_passes_its_own_tests() {
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/sdk-js");
    let tested = npm(&sdk, &["test"]);
    assert!(tested.contains("fail 0"), "{tested}");
}
