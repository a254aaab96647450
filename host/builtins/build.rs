//! Compiles the guests of `plugins/` to components, for `src/lib.rs` to embed.
//!
//! They are a workspace of their own and are built by a nested cargo. It has a target folder of its
//! own, `guests` beside the profile folders, because cargo holds a lock on the one that this build
//! runs in; all profiles and features of this crate share it.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

const TARGET: &str = "wasm32-wasip2";
const BUILTINS: [&str; 13] = [
    "ancestry",
    "container",
    "docker",
    "k8s",
    "lsm",
    "package",
    "podman",
    "podman-rootless",
    "privileges",
    "script",
    "slurm",
    "systemd",
    "unix",
];

/// Embedded, and no attestor that anybody would configure.
const EMPTY: &str = "empty";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            println!("cargo::error={problem}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let root = variable("CARGO_MANIFEST_DIR")?.join("../..");
    let root = root.canonicalize().map_err(|error| format!("{}: {error}", root.display()))?;
    let out = variable("OUT_DIR")?;
    let fixtures = env::var_os("CARGO_FEATURE_FIXTURES").is_some();
    watch(&root, fixtures);
    require_target()?;

    let guests = guests_dir(&out);
    build(&root, &guests, fixtures)?;
    let built = guests.join(TARGET).join("release");
    for name in BUILTINS.into_iter().chain([EMPTY]) {
        let wasm = built.join(format!("witgate_plugin_{}.wasm", name.replace('-', "_")));
        copy(&wasm, &out.join(format!("{name}.wasm")))?;
    }
    if fixtures { embed_fixtures(&root, &built.join("examples"), &out) } else { Ok(()) }
}

fn variable(name: &str) -> Result<PathBuf, String> {
    env::var_os(name).map(PathBuf::from).ok_or_else(|| format!("cargo did not set {name}"))
}

/// Whatever the components are made of, and nothing that changes by building them.
fn watch(root: &Path, fixtures: bool) {
    let plugins = root.join("plugins");
    let mut inputs = vec![
        root.join("wit"),
        root.join("rust-toolchain.toml"),
        plugins.join("Cargo.toml"),
        plugins.join("Cargo.lock"),
        plugins.join("sdk/Cargo.toml"),
        plugins.join("sdk/src"),
        plugins.join("engine/Cargo.toml"),
        plugins.join("engine/src"),
    ];
    for name in BUILTINS.into_iter().chain([EMPTY]) {
        let plugin = plugins.join(name);
        inputs.extend(["Cargo.toml", "plugin.toml", "src"].map(|input| plugin.join(input)));
    }
    if fixtures {
        inputs.push(plugins.join("fixtures"));
    }
    for input in inputs {
        println!("cargo::rerun-if-changed={}", input.display());
    }
    println!("cargo::rerun-if-changed=build.rs");
}

/// Finds out that the target is missing before cargo says it in many words.
fn require_target() -> Result<(), String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .map_err(|error| format!("rustc cannot be run: {error}"))?;
    let libraries = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() && Path::new(&libraries).is_dir() {
        return Ok(());
    }
    Err(format!(
        "the first-party plugins need the target {TARGET}; install it with: rustup target add {TARGET}"
    ))
}

/// `target/guests` for an `OUT_DIR` of `target/debug/build/witgate-builtins-0123/out`.
fn guests_dir(out: &Path) -> PathBuf {
    let build = out.ancestors().find(|dir| dir.file_name().is_some_and(|name| name == "build"));
    build.and_then(|dir| dir.parent()?.parent()).unwrap_or(out).join("guests")
}

fn build(root: &Path, guests: &Path, fixtures: bool) -> Result<(), String> {
    let mut cargo = Command::new(variable("CARGO")?);
    cargo.current_dir(root.join("plugins")).args(["build", "--release", "--locked", "--target"]);
    cargo.arg(TARGET).arg("--target-dir").arg(guests);
    for name in BUILTINS.into_iter().chain([EMPTY]) {
        cargo.arg("--package").arg(format!("witgate-plugin-{name}"));
    }
    cargo.arg("--lib");
    if fixtures {
        cargo.args(["--package", "witgate-fixtures", "--examples"]);
    }
    for (name, _) in env::vars_os().filter(|(name, _)| !inherited(&name.to_string_lossy())) {
        cargo.env_remove(name);
    }
    // Panics name files; where the registry lies on this machine is nobody's business, and the
    // same sources should give the same digest everywhere.
    if let Some(home) = cargo_home() {
        let flag = format!("--remap-path-prefix={}=cargo", home.display());
        cargo.env("CARGO_ENCODED_RUSTFLAGS", flag);
    }
    let status = cargo
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .map_err(|error| format!("cargo cannot be run: {error}"))?;
    if status.success() { Ok(()) } else { Err("the guests of plugins/ do not compile".to_owned()) }
}

/// Whether the nested cargo gets a variable of ours. What describes *this* build, or was set to
/// steer it (flags, wrappers such as clippy's, a target, a profile), must not steer the guests;
/// how to reach a registry, and the job server, hold for both.
fn inherited(name: &str) -> bool {
    const SHARED: [&str; 6] = [
        "CARGO_HOME",
        "CARGO_HTTP_",
        "CARGO_MAKEFLAGS",
        "CARGO_NET_",
        "CARGO_REGISTR",
        "CARGO_SOURCE_",
    ];
    if SHARED.iter().any(|prefix| name.starts_with(prefix)) {
        return true;
    }
    let steers = ["CARGO", "CLIPPY_", "DEP_", "RUSTC_", "RUSTDOC", "RUSTFLAGS"];
    !steers.iter().any(|prefix| name.starts_with(prefix))
}

fn cargo_home() -> Option<PathBuf> {
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    env::var_os("CARGO_HOME").map(PathBuf::from).or_else(home)
}

/// Copies every fixture and writes the list that `src/lib.rs` includes. A folder with a `guest.rs`
/// is a fixture.
fn embed_fixtures(root: &Path, built: &Path, out: &Path) -> Result<(), String> {
    let folder = root.join("plugins/fixtures");
    let mut names = fixture_names(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    names.sort();
    let mut list = String::from("&[\n");
    for name in names {
        let embedded = out.join(format!("fixture-{name}.wasm"));
        copy(&built.join(format!("{}.wasm", name.replace('-', "_"))), &embedded)?;
        list += &format!("    ({name:?}, include_bytes!({:?})),\n", embedded.display().to_string());
    }
    list.push(']');
    let file = out.join("fixtures.rs");
    fs::write(&file, list).map_err(|error| format!("{}: {error}", file.display()))
}

fn fixture_names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    let guests = entries.iter().filter(|entry| entry.path().join("guest.rs").is_file());
    Ok(guests.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    fs::copy(from, to).map(drop).map_err(|error| format!("{}: {error}", from.display()))
}
