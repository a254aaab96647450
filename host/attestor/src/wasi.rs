use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use tokio::io::AsyncWrite;
use wasmtime::component::{HasData, Linker, ResourceType};
use wasmtime_wasi::{
    HostMonotonicClock, HostWallClock, ResourceTable, WasiCtx, WasiCtxBuilder, WasiCtxView,
    WasiView,
    cli::{IsTerminal, StdoutStream, WasiCli, WasiCliView as _},
    p2::{
        self, DynInputStream, DynOutputStream, DynPollable, IoError, OutputStream, Pollable,
        StreamError, StreamResult, bindings,
    },
    random::{Deterministic, WasiRandom},
};

use crate::{LineLevel, limits, lines::Lines, plugin::Common, sandbox::Sandbox};

/// WASI as plugins see it: real, and empty. No arguments, no environment, nothing to read; what is
/// written goes to the log; clocks and random numbers work. Files and sockets are not here at all:
/// [`crate::linker`] links them to functions that trap.
///
/// It has to be real, because the runtimes of Go and others call some of it before any of the
/// author's code runs.
pub(crate) struct Wasi {
    context: WasiCtx,
    handles: ResourceTable,
}

impl Wasi {
    pub(crate) fn new(common: &Arc<Common>, frozen: bool) -> Self {
        let mut builder = WasiCtx::builder();
        builder
            .stdout(Output::new(common, LineLevel::Info))
            .stderr(Output::new(common, LineLevel::Warn))
            .max_random_size(limits::RANDOM_BYTES);
        if frozen {
            freeze(&mut builder);
        }
        let context = builder.build();
        let mut handles = ResourceTable::new();
        handles.set_max_capacity(limits::HANDLES);
        Self { context, handles }
    }
}

/// Clocks that stand still and random numbers that are always the same, so that a replay is one.
fn freeze(builder: &mut WasiCtxBuilder) {
    builder
        .wall_clock(Frozen)
        .monotonic_clock(Frozen)
        .secure_random(Deterministic::new((1..=251).collect()))
        .insecure_random(Deterministic::new((1..=251).collect()))
        .insecure_random_seed(7);
}

/// The beginning of 2026.
struct Frozen;

const FROZEN: Duration = Duration::from_secs(1_767_225_600);

impl HostWallClock for Frozen {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        FROZEN
    }
}

impl HostMonotonicClock for Frozen {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        // Go takes zero for a broken clock.
        1_000_000_000
    }
}

impl WasiView for Sandbox {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi = self.wasi();
        WasiCtxView { ctx: &mut wasi.context, table: &mut wasi.handles }
    }
}

/// The interfaces that are real. Everything else of WASI is a trap.
const REAL: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

/// Whether [`add_to_linker`] provides an interface, named without its version.
pub(crate) fn provides(interface: &str) -> bool {
    REAL.contains(&interface)
}

/// The resources of `wasi:io`, by the names that other interfaces use them under: where one of those
/// is not here, its streams still are the same streams.
pub(crate) fn shared(resource: &str) -> Option<ResourceType> {
    match resource {
        "error" => Some(ResourceType::host::<IoError>()),
        "input-stream" => Some(ResourceType::host::<DynInputStream>()),
        "output-stream" => Some(ResourceType::host::<DynOutputStream>()),
        "pollable" => Some(ResourceType::host::<DynPollable>()),
        _ => None,
    }
}

/// The environment and the arguments of a guest. That there are none is the same in every call, so
/// whoever asks for them, as Python and Go do at their start, can still be answered from the memo.
struct Nothing;

impl HasData for Nothing {
    type Data<'a> = Self;
}

impl bindings::cli::environment::Host for Nothing {
    fn get_environment(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(Vec::new())
    }

    fn get_arguments(&mut self) -> wasmtime::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn initial_cwd(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(None)
    }
}

/// Links what is in [`REAL`].
pub(crate) fn add_to_linker(linker: &mut Linker<Sandbox>) -> wasmtime::Result<()> {
    use bindings::{cli, random};
    // `io`, `clocks`, `random/random` and the standard streams.
    p2::add_to_linker_proxy_interfaces_async(linker)?;
    cli::environment::add_to_linker::<Sandbox, Nothing>(linker, |_| Nothing)?;
    cli::exit::add_to_linker::<Sandbox, WasiCli>(linker, Sandbox::cli)?;
    cli::terminal_input::add_to_linker::<Sandbox, WasiCli>(linker, Sandbox::cli)?;
    cli::terminal_output::add_to_linker::<Sandbox, WasiCli>(linker, Sandbox::cli)?;
    cli::terminal_stderr::add_to_linker::<Sandbox, WasiCli>(linker, Sandbox::cli)?;
    cli::terminal_stdin::add_to_linker::<Sandbox, WasiCli>(linker, Sandbox::cli)?;
    cli::terminal_stdout::add_to_linker::<Sandbox, WasiCli>(linker, Sandbox::cli)?;
    random::insecure::add_to_linker::<Sandbox, WasiRandom>(linker, |s| s.ctx().ctx.random())?;
    random::insecure_seed::add_to_linker::<Sandbox, WasiRandom>(linker, |s| s.ctx().ctx.random())?;
    Ok(())
}

/// Standard output or standard error of a guest: whole lines go to the log.
#[derive(Clone)]
struct Output {
    common: Arc<Common>,
    level: LineLevel,
    partial: Arc<Mutex<Vec<u8>>>,
}

impl Output {
    fn new(common: &Arc<Common>, level: LineLevel) -> Self {
        Self { common: Arc::clone(common), level, partial: Arc::default() }
    }

    fn take(&self, bytes: &[u8]) {
        let mut partial = self.partial.lock().unwrap_or_else(PoisonError::into_inner);
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = limits::LINE_BYTES.saturating_sub(partial.len());
            partial.extend_from_slice(piece.get(..room).unwrap_or(piece));
            if piece.ends_with(b"\n") {
                flush(&self.common.lines, self.level, &mut partial);
            }
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        let last = Arc::strong_count(&self.partial) == 1;
        let mut partial = self.partial.lock().unwrap_or_else(PoisonError::into_inner);
        if last && !partial.is_empty() {
            flush(&self.common.lines, self.level, &mut partial);
        }
    }
}

fn flush(lines: &Lines, level: LineLevel, partial: &mut Vec<u8>) {
    lines.write(level, &String::from_utf8_lossy(partial));
    partial.clear();
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

impl OutputStream for Output {
    fn write(&mut self, bytes: bytes::Bytes) -> StreamResult<()> {
        self.take(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), StreamError> {
        Ok(())
    }

    fn check_write(&mut self) -> Result<usize, StreamError> {
        Ok(limits::LINE_BYTES)
    }
}

impl AsyncWrite for Output {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.take(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use witgate_facts::Capabilities;

    use super::*;

    fn lines_of(writes: &[&str]) -> Vec<String> {
        let common = Arc::new(Common::new("x", "{}".to_owned(), Capabilities::new()));
        let output = Output::new(&common, LineLevel::Info);
        let stream = output.clone();
        writes.iter().for_each(|text| stream.take(text.as_bytes()));
        drop((output, stream));
        common.lines.kept().0.into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn what_is_written_in_pieces_comes_out_in_lines() {
        assert_eq!(lines_of(&["a", "b\nc", "\nlast"]), ["ab", "c", "last"]);
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let lines = lines_of(&["x".repeat(100_000).as_str(), "y", "\nz\n"]);
        assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [limits::LINE_BYTES, 1]);
    }
}
