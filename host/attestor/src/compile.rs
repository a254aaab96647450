use std::{
    ffi::OsString,
    io::{self, Read, Write},
    path::PathBuf,
    process::Stdio,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, Command},
};

use crate::{engine, error::CompileError, limits, lines::printable};

/// The program that compiles a component: reads it from standard input, writes machine code to
/// standard output. Its body is [`compile_child`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompilerCommand {
    /// The program; in the daemon, itself.
    pub program: PathBuf,
    /// Its arguments; in the daemon, the hidden subcommand `compile-component`.
    pub args: Vec<OsString>,
}

impl CompilerCommand {
    /// Compiles in a child process that lives as long as this future.
    ///
    /// A compiler is a large program over hostile input, and upstream does not treat a component
    /// that makes it panic, hang or eat memory as a vulnerability; so it happens where it hurts
    /// nobody: the child limits its own memory, processor time, files and processes before it reads
    /// a byte, and we limit its wall time and output.
    pub(crate) async fn compile(&self, component: &[u8]) -> Result<Vec<u8>, CompileError> {
        let mut child = self.spawn()?;
        let after = limits::COMPILE_TIME;
        match tokio::time::timeout(after, self.converse(&mut child, component)).await {
            Ok(result) => result,
            Err(_) => Err(CompileError::TooLong { after }),
        }
    }

    fn spawn(&self) -> Result<Child, CompileError> {
        Command::new(&self.program)
            .args(&self.args)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| self.broken(source))
    }

    async fn converse(&self, child: &mut Child, component: &[u8]) -> Result<Vec<u8>, CompileError> {
        let broken = || self.broken(io::ErrorKind::BrokenPipe.into());
        let mut stdin = child.stdin.take().ok_or_else(broken)?;
        let stdout = child.stdout.take().ok_or_else(broken)?;
        let stderr = child.stderr.take().ok_or_else(broken)?;
        let write = async {
            // A child that refuses early does not read to the end; its status says why.
            let _ = stdin.write_all(component).await;
            drop(stdin);
        };
        let ((), code, said) = tokio::join!(
            write,
            read_bounded(stdout, limits::COMPILED_BYTES),
            read_bounded(stderr, limits::COMPILE_STDERR_BYTES),
        );
        let (code, said) = (code.map_err(|e| self.broken(e))?, said.map_err(|e| self.broken(e))?);
        let Some(code) = code else {
            return Err(CompileError::TooLarge { limit: limits::COMPILED_BYTES });
        };
        let status = child.wait().await.map_err(|error| self.broken(error))?;
        if status.success() {
            return Ok(code);
        }
        let said = said.unwrap_or_else(|| b"it had too much to say".to_vec());
        let message = printable(&String::from_utf8_lossy(&said), limits::COMPILE_STDERR_BYTES);
        Err(CompileError::Refused { status: status.to_string(), message })
    }

    fn broken(&self, source: io::Error) -> CompileError {
        CompileError::Spawn { program: self.program.clone(), source }
    }
}

/// Everything up to the end, or nothing if that is more than `limit` bytes; then the writer gets a
/// broken pipe.
async fn read_bounded(stream: impl AsyncRead + Unpin, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let one_more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    stream.take(one_more).read_to_end(&mut bytes).await?;
    Ok((bytes.len() <= limit).then_some(bytes))
}

/// Whether the compile child filters its own calls of the kernel (Linux).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallFilter {
    /// It does, or compiles nothing.
    Required,
    /// It does not, for a kernel that cannot.
    Off,
}

/// The body of the compile child: limits this very process, gives up whatever compiling does not
/// need, reads a component from `input`, compiles it for the engine of this build and machine, writes
/// the machine code to `output`.
///
/// Call it first thing in `main`, before any thread is started: the limits allow no more threads.
///
/// # Errors
/// If anything cannot be limited or given up, the input is not a valid component, or the output
/// breaks. Print the error to standard error and exit with any status but 0.
pub fn compile_child(
    filter: CallFilter,
    mut input: impl Read,
    mut output: impl Write,
) -> io::Result<()> {
    give_up_everything()?;
    limit_this_process()?;
    filter_calls(filter)?;
    let mut component = Vec::new();
    let limit = u64::try_from(limits::COMPONENT_BYTES).unwrap_or(u64::MAX);
    input.by_ref().take(limit).read_to_end(&mut component)?;
    let compiled = engine::compiling()
        .and_then(|engine| engine.precompile_component(&component))
        .map_err(|error| io::Error::other(format!("{error:#}")))?;
    output.write_all(&compiled)?;
    output.flush()
}

#[cfg(unix)]
fn limit_this_process() -> io::Result<()> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let limits = [
        (Resource::RLIMIT_AS, limits::COMPILE_ADDRESS_SPACE),
        (Resource::RLIMIT_CPU, limits::COMPILE_CPU_SECONDS),
        // Nothing is opened, written or started any more, and nothing of ours is dumped.
        (Resource::RLIMIT_NOFILE, 3),
        (Resource::RLIMIT_FSIZE, 0),
        (Resource::RLIMIT_CORE, 0),
        #[cfg(target_os = "linux")]
        (Resource::RLIMIT_NPROC, 0),
    ];
    for (resource, limit) in limits {
        // Whoever starts us may have been stricter.
        let (_, hard) = getrlimit(resource)?;
        setrlimit(resource, limit.min(hard), limit.min(hard))?;
    }
    #[cfg(target_os = "linux")]
    {
        nix::sys::prctl::set_no_new_privs()?;
        nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
    }
    Ok(())
}

/// No memory that others read, no capability, no file and no network.
#[cfg(target_os = "linux")]
fn give_up_everything() -> io::Result<()> {
    use witgate_confine::{give_up_capabilities, give_up_files, keep_memory_private};
    let given_up = keep_memory_private()
        .and_then(|()| give_up_capabilities())
        // How much of it the kernel sees to is told by the doctor: a child has nobody to tell.
        .and_then(|()| give_up_files());
    given_up.map(drop).map_err(io::Error::other)
}

/// Nor any call that leads there: the last that is given up, for the rest takes calls.
#[cfg(target_os = "linux")]
fn filter_calls(filter: CallFilter) -> io::Result<()> {
    use witgate_confine::{Role, confine_all_threads};
    match filter {
        CallFilter::Required => confine_all_threads(Role::Compiler).map_err(io::Error::other),
        CallFilter::Off => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "as on Linux, where it can fail")]
const fn give_up_everything() -> io::Result<()> {
    Ok(())
}

#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "as on Linux, where it can fail")]
const fn filter_calls(_: CallFilter) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
fn limit_this_process() -> io::Result<()> {
    Ok(())
}
