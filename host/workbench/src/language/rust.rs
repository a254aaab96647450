use std::{env, fs, path::PathBuf};

use serde::Deserialize;

use crate::{BuildError, Progress, Project, tool::Tool, workspace::Workspace};

const CARGO: Tool = Tool {
    program: "cargo",
    version_args: &["--version"],
    needed_for: "compiling Rust",
    install: "install Rust 1.95 or newer (Debian 13 or newer: apt-get install rustup; else \
              https://rustup.rs), then: rustup default stable && rustup target add wasm32-wasip2",
};

/// Asked whether it has the target: it reads an empty program and writes nothing.
const RUSTC: Tool = Tool {
    program: "rustc",
    version_args: &[
        "--target",
        TARGET,
        "--crate-type=lib",
        "--crate-name=empty",
        "--emit=dep-info=-",
        "-",
    ],
    needed_for: "compiling Rust for wasm32-wasip2",
    install: "add the target: rustup target add wasm32-wasip2",
};

const TARGET: &str = "wasm32-wasip2";

/// The programs needed.
pub(super) fn toolchain() -> &'static [Tool] {
    &[CARGO, RUSTC]
}

/// Builds the component, without fixtures; the SDK embeds the manifest.
pub(super) fn build(
    project: &Project,
    work: &Workspace,
    progress: &mut dyn Progress,
) -> Result<Vec<u8>, BuildError> {
    let cargo = CARGO.step(work, "compiling with cargo")?;
    if RUSTC.status(&work.path).version.is_none() {
        return Err(RUSTC.missing());
    }
    progress.say("compiling with cargo");
    let target_dir = work.dir.join("target");
    cargo
        .dir(&project.dir)
        .args(["build", "--quiet", "--release", "--target", TARGET, "--target-dir"])
        .arg(&target_dir)
        .env("CARGO_ENCODED_RUSTFLAGS", flags())
        .run()?;
    let component = target_dir.join(TARGET).join("release").join(file_name(project)?);
    fs::read(&component).map_err(BuildError::io(
        "reading what cargo built (is `crate-type = [\"cdylib\"]` in Cargo.toml?),",
        component,
    ))
}

/// Panics name files. Where the registry lies on this machine is nobody's business, and the same
/// sources should give the same digest everywhere.
fn flags() -> String {
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(home);
    cargo_home
        .map_or_else(String::new, |cargo| format!("--remap-path-prefix={}=cargo", cargo.display()))
}

/// What matters here of `Cargo.toml`.
#[derive(Deserialize)]
struct CargoToml {
    package: Package,
    #[serde(default)]
    lib: Lib,
}

#[derive(Deserialize)]
struct Package {
    name: String,
}

#[derive(Default, Deserialize)]
struct Lib {
    name: Option<String>,
}

/// What cargo calls the component of a package.
fn file_name(project: &Project) -> Result<String, BuildError> {
    let path = project.dir.join("Cargo.toml");
    let text = fs::read_to_string(&path).map_err(BuildError::io("reading", &path))?;
    let read: CargoToml =
        toml::from_str(&text).map_err(BuildError::component("reading Cargo.toml"))?;
    let name = read.lib.name.unwrap_or_else(|| read.package.name.replace('-', "_"));
    Ok(format!("{name}.wasm"))
}
