//! Python: `componentize-py` runs an interpreter that imports the plugin, and makes a component of
//! what is in its memory then.
//!
//! The SDK's module `witgate._component` is what it takes for the plugin; that module imports
//! `app.py`. All that the interpreter sees is a copy of the folders that pytest imports from.
//!
//! WASI is not stubbed (`--stub-wasi`). Stubs trap without a word where Python's own library reads
//! a clock (`logging` does), prints or asks for random numbers; they freeze the seed of the last;
//! and they make 38 core instances of 14, of which a host has only so many. What they save, 0.1 ms
//! a call, is nearly all of it the seeding of `random`, which the SDK avoids by itself.
//!
//! Two builds of the same files are not the same bytes: an interpreter's memory depends on the key
//! of its hashes and holds what it saw of clocks, of random numbers and of its files' times, and
//! `componentize-py` has no switch for that. So a component is kept with a digest of all that went
//! into it, and is made again only when that changes.

mod sources;

use std::{
    fs,
    path::{Path, PathBuf},
};

use self::sources::Sources;
use crate::{
    BuildError, Progress, Project,
    tool::{Step, Tool},
    workspace::Workspace,
};

const COMPONENTIZE: Tool = Tool {
    program: "componentize-py",
    version_args: &["--version"],
    needed_for: "building components from Python",
    install: "pip install componentize-py==0.25.1 (best in a virtual environment of the project: \
              python3 -m venv .venv && .venv/bin/pip install -r requirements-dev.txt)",
};

/// The programs needed.
pub(super) fn toolchain() -> &'static [Tool] {
    &[COMPONENTIZE]
}

/// Builds the component, without manifest and fixtures: the caller embeds those.
pub(super) fn build(
    project: &Project,
    work: &Workspace,
    progress: &mut dyn Progress,
) -> Result<Vec<u8>, BuildError> {
    let version = COMPONENTIZE.step(work, "asking for the version of componentize-py")?;
    let version = version.arg("--version").run()?;
    let sources = Sources::read(project)?;
    let digest = sources.digest(&version, &work.wit)?;

    let kept = Kept::below(&work.dir);
    if let Some(component) = kept.component(&digest) {
        progress.say("nothing has changed since the last build");
        return Ok(component);
    }
    progress.say(&format!("building with {}", version.trim()));
    kept.clear()?;
    let path = sources.copy(&kept.dir)?;
    let step = COMPONENTIZE.step(work, "building with componentize-py")?;
    arguments(step, work, &path, &kept.wasm).run().map_err(|error| explained(error, &sources))?;
    kept.keep(&digest)
}

fn arguments(step: Step, work: &Workspace, path: &[PathBuf], wasm: &Path) -> Step {
    let step = step
        // It would add what is installed on this machine, which is nothing to rely on.
        .env("VIRTUAL_ENV", work.dir.join("no-packages"))
        // Its own backtrace would push what Python said out of the output that is kept.
        .env("RUST_BACKTRACE", "0")
        .args(["-q", "-w", "plugin", "-d"])
        .arg(&work.wit)
        .args(["componentize", "witgate._component"]);
    let with_path = path.iter().fold(step, |step, folder| step.arg("-p").arg(folder));
    with_path.arg("-o").arg(wasm)
}

/// The last component that was made, and of what.
struct Kept {
    dir: PathBuf,
    wasm: PathBuf,
    digest: PathBuf,
}

impl Kept {
    fn below(work: &Path) -> Self {
        let dir = work.join("python");
        Self { wasm: dir.join("component.wasm"), digest: dir.join("component.sources"), dir }
    }

    /// The component, if it was made of what has this digest.
    fn component(&self, digest: &str) -> Option<Vec<u8>> {
        let same = fs::read_to_string(&self.digest).is_ok_and(|kept| kept == digest);
        same.then(|| fs::read(&self.wasm).ok()).flatten()
    }

    fn clear(&self) -> Result<(), BuildError> {
        if self.dir.exists() {
            fs::remove_dir_all(&self.dir).map_err(BuildError::io("clearing", &self.dir))?;
        }
        fs::create_dir_all(&self.dir).map_err(BuildError::io("making", &self.dir))
    }

    fn keep(&self, digest: &str) -> Result<Vec<u8>, BuildError> {
        let component = fs::read(&self.wasm).map_err(BuildError::io("reading", &self.wasm))?;
        fs::write(&self.digest, digest).map_err(BuildError::io("writing", &self.digest))?;
        Ok(component)
    }
}

/// Says first where in the author's files it failed, and then what Python said.
fn explained(error: BuildError, sources: &Sources) -> BuildError {
    let BuildError::Failed { step, output } = error else { return error };
    let said = python_said(&output);
    let (mut place, mut problem) = (None, "");
    for line in said.lines() {
        place = author_line(line).or(place);
        if !line.starts_with(' ') && !line.is_empty() {
            problem = line;
        }
    }
    let Some(place) = place else {
        // The SDK found it after the author's files were read, and names the file itself.
        let output = match problem.split_once("RuntimeError: app.py: ") {
            Some((_, missing)) => format!("app.py: {missing}"),
            None => sources.renamed(said),
        };
        return BuildError::Failed { step, output };
    };
    let hint = match problem.starts_with("ModuleNotFoundError") {
        true => {
            "\npackages are taken only from the folders of `pythonpath` in pyproject.toml: pip \
             install --target vendor PACKAGE, and add \"vendor\" there"
        }
        false => "",
    };
    let output = format!("{place}: {problem}{hint}\n{}", sources.renamed(said));
    BuildError::Failed { step, output }
}

/// The traceback of the interpreter in the component, out of that of the one that runs the tool.
fn python_said(output: &str) -> &str {
    let (_, said) = output.split_once("AssertionError: ").unwrap_or(("", output));
    said.split_once("\n\nCaused by:").map_or(said, |(said, _)| said).trim_end()
}

/// `app.py:3` of a line `File "/0/app.py", line 3, in <module>`; the project is the first folder.
fn author_line(line: &str) -> Option<String> {
    let (file, rest) = line.trim_start().strip_prefix("File \"/0/")?.split_once("\", line ")?;
    let number = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    Some(format!("{file}:{number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_traceback_is_the_authors() {
        let line = "  File \"/0/lib/parse.py\", line 16, in <module>";
        assert_eq!(author_line(line).as_deref(), Some("lib/parse.py:16"));
        assert_eq!(author_line("  File \"/1/witgate/_key.py\", line 3, in check"), None);
    }

    #[test]
    fn what_the_tools_own_interpreter_says_is_cut_off() {
        let output = "Traceback (most recent call last):\n  sys.exit(script())\nAssertionError: \
                      Traceback:\nKeyError: 'a'\n\n\nCaused by:\n    KeyError: 'a'\n";
        assert_eq!(python_said(output), "Traceback:\nKeyError: 'a'");
        assert_eq!(python_said("no such option\n"), "no such option");
    }
}
