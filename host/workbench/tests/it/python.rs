//! Python plugins, built by the real toolchain, and run in a host that is not the daemon.

use std::{
    collections::BTreeSet,
    env,
    ffi::{OsStr, OsString},
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
};

use tempfile::TempDir;
use witgate_workbench::{BuildError, Built, Language, Silent, build_with_path, create};

use crate::scene::{Heard, cache, copy, imports, succeeds, text};

/// What the tests need from the package index; the version of componentize-py is the one of which
/// `plugin build` says how to install it.
const PACKAGES: [&str; 4] =
    ["componentize-py==0.25.1", "pytest==9.2.0", "mypy==2.4.1", "wasmtime==50.0.1"];

/// The folder of programs of a virtual environment with these packages, made once.
fn tools() -> &'static Path {
    static TOOLS: OnceLock<PathBuf> = OnceLock::new();
    TOOLS.get_or_init(|| {
        let dir = cache("python");
        let (bin, made) = (dir.join("bin"), dir.join("packages"));
        let packages = PACKAGES.join("\n");
        if !fs::read_to_string(&made).is_ok_and(|there| there == packages) {
            succeeds(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&dir));
            let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
            succeeds(Command::new(bin.join("python")).args(pip).args(PACKAGES));
            fs::write(&made, packages).unwrap();
        }
        bin
    })
}

fn path() -> OsString {
    let old = env::var_os("PATH").unwrap();
    env::join_paths([tools().to_owned()].into_iter().chain(env::split_paths(&old))).unwrap()
}

/// A run of one of the tools that leaves nothing behind.
fn tool(name: &str, dir: &Path) -> Command {
    let mut command = Command::new(tools().join(name));
    command.current_dir(dir).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

fn pytest(dir: &Path) -> String {
    succeeds(tool("pytest", dir).args(["-q", "-p", "no:cacheprovider"]))
}

fn mypy(dir: &Path) -> String {
    succeeds(tool("mypy", dir).arg("--cache-dir=/dev/null"))
}

fn sdk() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/sdk-python").canonicalize().unwrap()
}

/// Runs a component over fixtures; fails unless every call ends as it is to end.
fn second_host(component: &Path, fixtures: &Path, flags: &[&str]) -> Output {
    let script = sdk().join("tests/second_host.py");
    tool("python", &sdk()).arg(script).args([component, fixtures]).args(flags).output().unwrap()
}

fn new_project() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let project = dir.path().join("project");
    create(&project, "my-os", Language::Python).unwrap();
    (dir, project)
}

fn built(dir: &Path) -> (Built, Vec<String>) {
    let mut lines = Heard::default();
    let built = build_with_path(dir, &path(), &mut lines);
    (built.unwrap_or_else(|error| panic!("{error}")), lines.0)
}

fn refused(dir: &Path) -> String {
    build_with_path(dir, &path(), &mut Silent).unwrap_err().to_string()
}

#[test]
fn a_new_plugin_passes_its_tests_builds_and_runs() {
    let (_dir, project) = new_project();
    assert!(pytest(&project).contains("passed"));
    mypy(&project);

    let (first, said) = built(&project);
    assert!(said.iter().any(|line| line == "building with componentize-py 0.25.1"), "{said:?}");
    let (wasi, ours): (BTreeSet<_>, BTreeSet<_>) = imports(&fs::read(&first.component).unwrap())
        .into_iter()
        .partition(|name| name.starts_with("wasi:"));
    let expected = ["cgroups", "config", "files", "log", "namespaces", "process", "types"];
    assert_eq!(ours, expected.map(|name| format!("witgate:attestor/{name}")).into());
    assert!(!wasi.iter().any(|name| name.starts_with("wasi:http")), "{wasi:?}");
    assert!(first.bytes < 20 << 20, "{} bytes", first.bytes);

    // Of WASI it calls nothing but the two functions of which that host has an empty answer.
    let output = second_host(&first.component, &project.join("fixtures"), &[]);
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("debian: reported id:debian version:12"), "{}", text(&output));

    // The same files are the same component; what is no part of it changes nothing.
    fs::write(project.join("test_app.py"), "def test_nothing(): pass\n").unwrap();
    let (again, said) = built(&project);
    assert_eq!(again.sha256, first.sha256);
    assert_eq!(said, ["nothing has changed since the last build"]);

    // And what was kept does not hide what the file says now.
    let app = fs::read_to_string(project.join("app.py")).unwrap();
    fs::write(project.join("app.py"), format!("def f(:\n{app}")).unwrap();
    let broken = refused(&project);
    assert!(broken.contains("\napp.py:1: SyntaxError: invalid syntax\n"), "{broken}");
    assert!(!broken.contains("Caused by") && !broken.contains("sys.exit"), "{broken}");
}

#[test]
fn every_interface_and_every_mistake_is_the_same_in_a_component_as_natively() {
    let dir = tempfile::tempdir().unwrap();
    let project = dir.path();
    copy(&sdk().join("tests/everything"), project);
    let source = sdk().join("src");
    let paths = format!("[tool.pytest.ini_options]\npythonpath = [\".\", {source:?}]\n");
    fs::write(project.join("pyproject.toml"), paths).unwrap();
    let component = built(project).0.component;
    let output = second_host(&component, &project.join("fixtures"), &[]);
    assert!(output.status.success(), "{}", text(&output));
    module_code_ran_at_build_time(&component, project);
}

/// `BUILT` in `app.py` is the time at which the module was imported.
fn module_code_ran_at_build_time(component: &Path, project: &Path) {
    let fixtures = project.join("frozen/fixtures");
    fs::create_dir_all(&fixtures).unwrap();
    for name in ["one", "two"] {
        let facts = r#"{"process.credentials": {"ok": {"uid": 1, "gid": 1, "groups": []}}}"#;
        let expected =
            r#"{"outcome": "reported", "unknown": ["other"], "settings": {"do": "frozen"}}"#;
        fs::write(fixtures.join(format!("{name}.json")), facts).unwrap();
        fs::write(fixtures.join(format!("{name}.expected.json")), expected).unwrap();
    }
    let said = text(&second_host(component, &fixtures, &["--wasi"]));
    let times = |key: &str| -> Vec<u128> {
        let found = said.lines().filter_map(|line| {
            line.split_once(&format!("seen:{key}:"))?.1.split('\'').next()?.parse().ok()
        });
        found.collect()
    };
    let (built, now) = (times("built"), times("now"));
    assert_eq!((built.len(), now.len()), (2, 2), "{said}");
    assert_eq!(built[0], built[1], "module-level code runs once");
    assert!(built[0] < now[0] && now[0] < now[1], "{said}");
}

#[test]
fn a_mistake_at_build_time_is_found_by_file_and_line() {
    const ATTESTOR: &str = "from witgate import *\nfrom witgate import files\n";
    let (_dir, project) = new_project();
    for (app, place, hint) in [
        ("import requests\n", "\napp.py:1: ModuleNotFoundError: ", "pip install --target vendor"),
        ("from lib.part import x\n", "\nlib/part.py:2: ZeroDivisionError: ", ""),
        (
            "x = files.workload.read('/etc/os-release')\n",
            "\napp.py:3: RuntimeError: ",
            "do this in attest",
        ),
        ("Key('Id', '', example='', derived_from=[])", "\napp.py:3: ValueError: 'Id' is not", ""),
        ("pass\n", "failed\napp.py: exports no attestor; ", "export(YourAttestor)"),
        ("class Os(Attestor): pass\n", "failed\napp.py: exports no attestor; ", "export(Os)"),
    ] {
        fs::create_dir_all(project.join("lib")).unwrap();
        fs::write(project.join("lib/part.py"), "\nx = 1 / 0\n").unwrap();
        let first = if app.starts_with("import") { "" } else { ATTESTOR };
        fs::write(project.join("app.py"), format!("{first}{app}")).unwrap();
        let message = refused(&project);
        let (place, hint) = (message.contains(place), message.contains(hint));
        assert!(place && hint, "{app}\n{message}");
    }
    fs::remove_file(project.join("app.py")).unwrap();
    assert!(refused(&project).contains("there is no app.py"));
}

#[test]
fn a_missing_tool_says_how_to_install_it() {
    let (_dir, project) = new_project();
    let error = build_with_path(&project, OsStr::new(""), &mut Silent).unwrap_err();
    assert!(matches!(error, BuildError::Missing { .. }), "{error}");
    let message = error.to_string();
    let wanted = format!("pip install {}", PACKAGES[0]);
    assert!(message.contains("`componentize-py`") && message.contains(&wanted), "{message}");
    let pinned = fs::read_to_string(project.join("requirements-dev.txt")).unwrap();
    assert!(pinned.contains(PACKAGES[0]), "{pinned}");
}

#[test]
fn the_projects_own_environment_comes_first() {
    let (_dir, project) = new_project();
    let program = project.join(".venv/bin/componentize-py");
    fs::create_dir_all(program.parent().unwrap()).unwrap();
    fs::write(&program, "#!/bin/sh\necho the one of the project; exit 1\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(refused(&project).contains("the one of the project"));
}

#[test]
fn the_sdk_passes_its_tests_and_type_checks() {
    assert!(pytest(&sdk()).contains("passed"));
    mypy(&sdk());
}
