//! Running other programs, with their command line in every error.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::needs;

/// The root of the checkout.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// The cargo that runs us.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    if let Ok(path) = needs::path() {
        command.env("PATH", path);
    }
    command
}

/// Another program, in a folder of the checkout, with the guests' toolchains on its path.
pub fn program(name: &str, folder: &str) -> Result<Command> {
    let path = needs::path()?;
    let found = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file());
    let mut command = Command::new(found.with_context(|| format!("{name} is not installed"))?);
    command.current_dir(root().join(folder)).env("PATH", path);
    Ok(command)
}

/// Where cargo puts what it builds.
pub fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Runs a program to its end.
pub fn run(command: &mut Command) -> Result<()> {
    let line = format!("{command:?}");
    let status = command.status().with_context(|| format!("cannot start {line}"))?;
    if !status.success() {
        bail!("{line} ended with {status}");
    }
    Ok(())
}

/// Whether a program is on the path.
pub fn is_installed(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

/// Builds the one binary and says where it is.
pub fn build_witgate() -> Result<PathBuf> {
    // The same targets as the tests: another choice would be another set of features in what the
    // engine is built of, and the engine would be compiled twice.
    run(cargo().args(["build", "--locked", "--workspace", "--all-targets"]))?;
    let binary = target_dir().join("debug/witgate");
    if !binary.is_file() {
        bail!("cargo built the package witgate, but {} is not there", binary.display());
    }
    Ok(binary)
}
