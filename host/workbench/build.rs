//! Embeds what a new project is made of: the examples of `examples/attestors`, the SDK folders of
//! `plugins/` and `wit/`. Symbolic links are followed, and what a build or a test leaves behind is
//! not taken along. Embeds also what Go components rest on, the Go module in the sources of the
//! crate `wit-bindgen-go`, which is how its authors ship it.

use std::{
    env,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

const EXAMPLES: [&str; 6] = ["rust", "go", "c", "python", "js", "ts"];
const SDKS: [&str; 5] = ["sdk", "sdk-go", "sdk-c", "sdk-python", "sdk-js"];

/// Folders that hold nothing an author wrote.
const LEFT_OUT: [&str; 9] = [
    ".git",
    ".mypy_cache",
    ".pytest_cache",
    ".venv",
    "__pycache__",
    "build",
    "dist",
    "node_modules",
    "target",
];

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
    println!("cargo::rerun-if-changed=build.rs");
    let root = variable("CARGO_MANIFEST_DIR")?.join("../..");
    let root = root.canonicalize().map_err(|error| format!("{}: {error}", root.display()))?;
    let mut source = String::new();
    table(&mut source, "WIT", &root, [("wit", "wit".to_owned())], &[])?;
    let examples = EXAMPLES.map(|name| (name, format!("examples/attestors/{name}")));
    table(&mut source, "EXAMPLES", &root, examples, &[])?;
    // The SDKs' own tests look at the repository around them.
    let sdks = SDKS.map(|name| (name, format!("plugins/{name}")));
    table(&mut source, "SDKS", &root, sdks, &["tests"])?;
    let runtime = [("go", go_runtime(&root)?.display().to_string())];
    table(&mut source, "GO_RUNTIME", &root, runtime, &["docs"])?;
    let file = variable("OUT_DIR")?.join("embedded.rs");
    fs::write(&file, source).map_err(|error| format!("{}: {error}", file.display()))
}

fn variable(name: &str) -> Result<PathBuf, String> {
    env::var_os(name).map(PathBuf::from).ok_or_else(|| format!("cargo did not set {name}"))
}

/// The Go module in the sources of `wit-bindgen-go`, wherever cargo has them.
fn go_runtime(root: &Path) -> Result<PathBuf, String> {
    println!("cargo::rerun-if-changed={}", root.join("Cargo.lock").display());
    let target = env::var("TARGET").map_err(|error| format!("TARGET: {error}"))?;
    let output = Command::new(variable("CARGO")?)
        .args(["metadata", "--format-version=1", "--locked", "--filter-platform", &target])
        .current_dir(root)
        .output()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).map_err(|error| format!("metadata: {error}"))?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let generator = packages.into_iter().find(|package| package["name"] == "wit-bindgen-go");
    let manifest = generator.and_then(|package| package["manifest_path"].as_str());
    let sources = manifest.map(Path::new).and_then(Path::parent);
    sources.map(|dir| dir.join("src/pkg")).ok_or_else(|| "there is no wit-bindgen-go".to_owned())
}

/// Writes `static NAME: &[(&str, &[File])]`: each folder by its short name, with its files.
fn table<const N: usize>(
    source: &mut String,
    name: &str,
    root: &Path,
    folders: [(&str, String); N],
    without: &[&str],
) -> Result<(), String> {
    let _ = writeln!(source, "pub(super) static {name}: &[(&str, &[File])] = &[");
    for (short, folder) in folders {
        let folder = root.join(folder);
        let mut files = Vec::new();
        collect(&folder, "", without, &mut files)
            .map_err(|e| format!("{}: {e}", folder.display()))?;
        files.sort();
        let _ = writeln!(source, "    ({short:?}, &[");
        for (path, file) in files {
            let file = file.display().to_string();
            let _ = writeln!(source, "        ({path:?}, include_bytes!({file:?})),");
        }
        source.push_str("    ]),\n");
    }
    source.push_str("];\n");
    Ok(())
}

/// Every file below a folder, by its path within.
fn collect(
    dir: &Path,
    prefix: &str,
    without: &[&str],
    files: &mut Vec<(String, PathBuf)>,
) -> io::Result<()> {
    println!("cargo::rerun-if-changed={}", dir.display());
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
        let target = entry.path().canonicalize()?;
        if target.is_dir() {
            if !left_out(&name) && !without.contains(&name.as_str()) {
                collect(&target, &path, without, files)?;
            }
        } else if !name.ends_with(".wasm") && !name.ends_with(".pyc") {
            files.push((path, target));
        }
    }
    Ok(())
}

fn left_out(name: &str) -> bool {
    LEFT_OUT.contains(&name) || name.ends_with(".egg-info")
}
