//! What the tests need besides a Rust toolchain, installed where it is missing.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};

use crate::shell::{cargo, is_installed, run};

/// Version of `cargo-deny` that the tests are written against.
const CARGO_DENY: &str = "0.20.2";

/// Programs that the tests start, and the Debian packages that bring them.
const PROGRAMS: &[(&str, &str)] =
    &[("curl", "curl"), ("nc", "netcat-openbsd"), ("python3", "python3-minimal")];

/// Tools and registry downloads are kept here between runs.
fn cache() -> Result<PathBuf> {
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    Ok(base.or_else(home).context("neither XDG_CACHE_HOME nor HOME is set")?.join("witgate"))
}

/// Installs the Debian packages that are missing.
pub fn programs() -> Result<()> {
    let missing: Vec<_> = PROGRAMS
        .iter()
        .filter(|(program, _)| !is_installed(program))
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !is_installed("apt-get") {
        bail!(
            "these packages are missing and there is no apt-get to install them: {}",
            missing.join(" ")
        );
    }
    println!("    installing {}", missing.join(" "));
    let apt = || {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive");
        apt
    };
    run(apt().args(["update", "--quiet"]))?;
    run(apt().args(["install", "--yes", "--quiet", "--no-install-recommends"]).args(missing))
}

/// Makes the guests' target available; a no-op where it is.
pub fn wasm_target() -> Result<()> {
    if !is_installed("rustup") {
        return Ok(()); // A distribution's toolchain; the build of the guests says what is missing.
    }
    run(Command::new("rustup").current_dir(crate::shell::root()).args([
        "target",
        "add",
        "wasm32-wasip2",
    ]))
}

/// The path of `cargo-deny`, built into the cache the first time.
pub fn cargo_deny() -> Result<PathBuf> {
    let tools = cache()?.join("tools");
    let binary = tools.join("bin/cargo-deny");
    if !binary.is_file() {
        println!("    building cargo-deny {CARGO_DENY}, once");
        run(cargo()
            .args(["install", "cargo-deny", "--locked", "--version", CARGO_DENY, "--root"])
            .arg(&tools)
            .env_remove("CARGO_TARGET_DIR"))?;
    }
    Ok(binary)
}
