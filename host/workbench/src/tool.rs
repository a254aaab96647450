use std::{
    collections::VecDeque,
    env,
    ffi::{OsStr, OsString},
    io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{BuildError, workspace::Workspace};

/// A program that a language's build starts, or a package that it takes from the project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tool {
    /// What it is called, and searched for: in the project's `.venv/bin` and in `PATH`, or a package
    /// of npm in `node_modules`.
    pub program: &'static str,
    /// Arguments with which it shows its version and ends well, if it is usable at all:
    /// `["-m", "ziglang", "version"]`. None for a package, which says it in a file.
    pub version_args: &'static [&'static str],
    /// What it does here, in a few words. Programs that do the same are alternatives: one is
    /// enough.
    pub needed_for: &'static str,
    /// How to install it: exact packages and commands.
    pub install: &'static str,
}

/// Whether a program or package is there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToolStatus {
    /// Which.
    pub tool: Tool,
    /// What it answers when asked for its version, which may be nothing; none if it is missing or
    /// does not work.
    pub version: Option<String>,
}

/// How much of what a program writes is kept, in bytes: the last of it, where the errors are.
const OUTPUT_BYTES: usize = 8 << 10;

impl Tool {
    /// Where it is in a search path such as `PATH`.
    pub(crate) fn find(&self, path: &OsStr) -> Option<PathBuf> {
        env::split_paths(path)
            .filter(|dir| dir.is_absolute())
            .map(|dir| dir.join(self.program))
            .find(|file| is_program(file))
    }

    /// Whether it is there and answers.
    pub(crate) fn status(&self, path: &OsStr) -> ToolStatus {
        let version = self.find(path).and_then(|program| {
            let step = Step::new(program, "asking for the version", path, Path::new("/"));
            let output = step.args(self.version_args).run().ok()?;
            Some(output.lines().next().unwrap_or_default().trim().to_owned())
        });
        ToolStatus { tool: *self, version }
    }

    /// What a build says where it is not there.
    pub(crate) fn missing(&self) -> BuildError {
        BuildError::Missing {
            tool: format!("`{}`, needed for {},", self.program, self.needed_for),
            install: self.install.to_owned(),
        }
    }

    /// A run of it, in the workspace's folder. `name` says what it does: `compiling with cargo`.
    ///
    /// # Errors
    /// [`BuildError::Missing`], if it is not in `PATH`.
    pub(crate) fn step(&self, work: &Workspace, name: &str) -> Result<Step, BuildError> {
        let program = self.find(&work.path).ok_or_else(|| self.missing())?;
        Ok(Step::new(program, name, &work.path, &work.dir))
    }
}

fn is_program(file: &Path) -> bool {
    file.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// One run of a program: no shell, no input, its output kept up to a limit.
#[derive(Debug)]
pub(crate) struct Step {
    name: String,
    command: Command,
}

impl Step {
    /// A run of a program by its path.
    pub(crate) fn new(program: impl Into<OsString>, name: &str, path: &OsStr, dir: &Path) -> Self {
        let mut command = Command::new(program.into());
        // The same words everywhere, and whatever it starts itself is found where it was.
        command.env("LC_ALL", "C.UTF-8").env("PATH", path).current_dir(dir);
        for (variable, _) in env::vars_os() {
            if variable.to_str().is_some_and(belongs_to_another_build) {
                command.env_remove(variable);
            }
        }
        Self { name: name.to_owned(), command }
    }

    /// Adds an argument.
    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Adds arguments.
    pub(crate) fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Sets a variable of its environment.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it in this folder.
    pub(crate) fn dir(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Runs it to its end, and gives the last 8 KiB of what it wrote to output and error.
    ///
    /// # Errors
    /// [`BuildError::Failed`] with the same, if it does not end well.
    pub(crate) fn run(mut self) -> Result<String, BuildError> {
        let failed = |output: String| BuildError::Failed { step: self.name.clone(), output };
        let program = PathBuf::from(self.command.get_program());
        let (output, status) =
            capture(&mut self.command).map_err(BuildError::io("running", program))?;
        if status.success() {
            return Ok(output);
        }
        let said_nothing = output.trim().is_empty();
        Err(failed(if said_nothing { format!("it said nothing ({status})") } else { output }))
    }
}

/// What steers the build that this process is part of, if it is, and must not steer another.
/// How to reach a registry holds for both.
fn belongs_to_another_build(variable: &str) -> bool {
    const SHARED: [&str; 5] =
        ["CARGO_HOME", "CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTR", "CARGO_SOURCE_"];
    const STEERS: [&str; 8] =
        ["CARGO", "CLIPPY_", "DEP_", "MAKE", "MFLAGS", "RUSTC", "RUSTDOC", "RUSTFLAGS"];
    let begins = |prefix: &&str| variable.starts_with(prefix);
    STEERS.iter().any(begins) && !SHARED.iter().any(begins)
}

fn capture(command: &mut Command) -> io::Result<(String, std::process::ExitStatus)> {
    let (mut output, input) = io::pipe()?;
    command.stdin(Stdio::null()).stdout(input.try_clone()?).stderr(input);
    let mut child = command.spawn()?;
    // Our ends for writing are in there; without them the reading ends with the child.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut tail = Tail::default();
    let read = tail.read(&mut output);
    let status = child.wait()?;
    read.map(|()| (tail.into_text(), status))
}

/// The last [`OUTPUT_BYTES`] of a stream.
#[derive(Default)]
struct Tail {
    bytes: VecDeque<u8>,
    cut: bool,
}

impl Tail {
    fn read(&mut self, from: &mut impl io::Read) -> io::Result<()> {
        let mut chunk = [0; 4096];
        loop {
            match from.read(&mut chunk) {
                Ok(0) => return Ok(()),
                Ok(length) => self.push(&chunk[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn push(&mut self, chunk: &[u8]) {
        self.bytes.extend(chunk);
        let over = self.bytes.len().saturating_sub(OUTPUT_BYTES);
        self.bytes.drain(..over);
        self.cut |= over > 0;
    }

    /// What was kept, from a whole line on, without what a terminal would act on.
    fn into_text(self) -> String {
        let bytes = Vec::from(self.bytes);
        let text = String::from_utf8_lossy(&bytes);
        let whole =
            if self.cut { text.split_once('\n').map_or(&*text, |(_, rest)| rest) } else { &text };
        whole.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Step {
        let path = OsStr::new("/usr/bin:/bin");
        Step::new("/bin/sh", "trying", path, Path::new("/")).args(["-c", script])
    }

    #[test]
    fn both_streams_are_kept_in_order() {
        assert_eq!(shell("echo a; echo b >&2; echo c").run().unwrap(), "a\nb\nc\n");
        let error = shell("echo no; exit 3").run().unwrap_err();
        assert_eq!(error.to_string(), "trying failed\nno\n");
        let silent = shell("exit 3").run().unwrap_err().to_string();
        assert!(silent.contains("exit status: 3"), "{silent}");
    }

    #[test]
    fn a_flood_is_cut_to_its_end_and_escapes_are_taken_out() {
        let output = shell("seq 100000; printf '\\033[31mend\\033[0m'").run().unwrap();
        assert!(output.len() <= OUTPUT_BYTES, "{}", output.len());
        assert!(output.ends_with("99999\n100000\n[31mend[0m"), "{output:?}");
        assert!(output.lines().next().unwrap().parse::<u32>().is_ok(), "a whole line comes first");
    }

    #[test]
    fn it_has_no_input_and_a_plain_language() {
        assert_eq!(shell("cat; echo $LC_ALL").run().unwrap(), "C.UTF-8\n");
    }

    #[test]
    fn a_program_is_searched_for_in_absolute_folders_only() {
        let tool = Tool { program: "sh", version_args: &[], needed_for: "", install: "" };
        assert_eq!(tool.find(OsStr::new("/none:/bin")), Some("/bin/sh".into()));
        assert_eq!(tool.find(OsStr::new("")), None);
        assert_eq!(tool.find(OsStr::new("bin:.")), None);
    }

    #[test]
    fn what_steers_a_build_around_this_one_is_kept_out_and_registries_are_not() {
        for steers in ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "CARGO_TARGET_DIR", "RUSTC_WRAPPER"]
        {
            assert!(belongs_to_another_build(steers), "{steers}");
        }
        for shared in ["CARGO_HOME", "CARGO_REGISTRIES_X_INDEX", "RUSTUP_TOOLCHAIN", "HOME"] {
            assert!(!belongs_to_another_build(shared), "{shared}");
        }
    }
}
