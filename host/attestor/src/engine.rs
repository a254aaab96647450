use std::{
    fmt,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Instant,
};

use tokio::sync::{Semaphore, SemaphorePermit};
use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig,
    component::Component,
};

use crate::{
    CompilerCommand,
    error::{CompileError, EngineError, LoadErrorKind},
    limits,
    store::{Entry, Store},
    ticker::{Running, Ticker},
};

/// How to run plugins on this machine.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Directory of the compiled components; made if it is not there. Ours alone, mode 0700.
    pub store: PathBuf,
    /// The compile child.
    pub compiler: CompilerCommand,
    /// Guests that run at once; more wait. Each may use [`limits::MEMORY`].
    pub concurrency: usize,
    /// Threads of the runtime that requests are served on. One less than these, but at least one,
    /// may run guests that are past their first tick.
    pub workers: usize,
    /// Whether guests may use interfaces of `wit/preview/`, which are not published yet and can
    /// change. For authors of interfaces; a daemon has none of them.
    pub preview: bool,
}

impl EngineConfig {
    /// Sixteen guests per processor at once, on a runtime with a thread per processor and at least
    /// two.
    #[must_use]
    pub fn new(store: impl Into<PathBuf>, compiler: CompilerCommand) -> Self {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let workers = processors.max(2);
        Self {
            store: store.into(),
            compiler,
            concurrency: 16 * processors,
            workers,
            preview: false,
        }
    }
}

/// What runs plugins: one per process, shared by all generations of the catalogue.
pub struct Engine {
    wasm: wasmtime::Engine,
    pooling: bool,
    preview: bool,
    store: Store,
    compiler: CompilerCommand,
    ticker: Ticker,
    instances: Semaphore,
    share: usize,
    slow: Arc<Semaphore>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("pooling", &self.pooling)
            .field("store", &self.store)
            .field("compiler", &self.compiler)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Starts the engine: reserves address space for its instances, opens the store, starts the
    /// clock.
    ///
    /// # Errors
    /// If the engine does not work on this machine, or the store is not ours alone.
    pub fn new(config: EngineConfig) -> Result<Arc<Self>, EngineError> {
        let concurrency = config.concurrency.max(1);
        let (wasm, pooling) = start(concurrency)?;
        let store = Store::open(&config.store, compatibility(&wasm))?;
        let ticker = Ticker::start(wasm.weak()).map_err(|source| EngineError::Ticker { source })?;
        Ok(Arc::new(Self {
            wasm,
            pooling,
            preview: config.preview,
            store,
            compiler: config.compiler,
            ticker,
            instances: Semaphore::new(concurrency),
            share: (concurrency / limits::PLUGIN_SHARE).max(1),
            slow: Arc::new(Semaphore::new(config.workers.saturating_sub(1).max(1))),
        }))
    }

    /// Whether instances come from a pool; if not, address space is short and every call costs a
    /// few system calls more.
    #[must_use]
    pub const fn is_pooling(&self) -> bool {
        self.pooling
    }

    /// The interfaces that are linked besides the published ones.
    pub(crate) const fn previews(&self) -> &'static [&'static str] {
        if self.preview { &["log@0.2.0"] } else { &[] }
    }

    pub(crate) const fn wasm(&self) -> &wasmtime::Engine {
        &self.wasm
    }

    /// The permits for guests that are past their first tick.
    pub(crate) fn slow_lane(&self) -> Arc<Semaphore> {
        Arc::clone(&self.slow)
    }

    /// Waits for room for one more instance; running out inside the pool would be an error.
    pub(crate) async fn admit(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        self.instances.acquire().await.ok()
    }

    /// How many instances one plugin has at once; see [`limits::PLUGIN_SHARE`].
    pub(crate) const fn share(&self) -> usize {
        self.share
    }

    /// Keeps the epochs ticking.
    pub(crate) fn ticking(&self) -> Running<'_> {
        self.ticker.run()
    }

    /// Machine code for a component: from the store, else from the compile child. Also says how
    /// many bytes it has.
    ///
    /// Reads and checks files on the calling thread: some milliseconds for the largest.
    pub(crate) async fn component(
        &self,
        bytes: &[u8],
        digest: &str,
    ) -> Result<(Component, usize), LoadErrorKind> {
        if let Some(entry) = self.store.get(digest) {
            match self.load(&entry) {
                Ok(component) => return Ok((component, entry.size())),
                Err(error) => tracing::warn!(
                    plugin.digest = digest, %error,
                    "A compiled component does not load; it is compiled again"
                ),
            }
        }
        tracing::info!(plugin.digest = digest, bytes = bytes.len(), "Compiling a component");
        let code = patiently(digest, self.compiler.compile(bytes)).await?;
        let component = self.copy(&code)?;
        if let Err(error) = self.store.put(digest, &code) {
            tracing::warn!(
                plugin.digest = digest, %error,
                "A compiled component is not kept; it will be compiled again"
            );
        }
        Ok((component, code.len()))
    }

    /// Maps the file, so that nothing is copied and the pages are shared. Where code must not be
    /// mapped from files, as on a file system that is mounted `noexec`, copies it.
    fn load(&self, entry: &Entry) -> Result<Component, CompileError> {
        self.map(&entry.open_path()).or_else(|error| {
            tracing::debug!(%error, "A compiled component cannot be mapped; it is copied");
            let code = entry
                .bytes()
                .map_err(|error| CompileError::Unusable { cause: error.to_string() })?;
            self.copy(&code)
        })
    }

    #[expect(
        unsafe_code,
        reason = "the engine cannot check machine code, only we can say where it is from: our own \
                  compile child, just now or under the store's seal"
    )]
    fn copy(&self, code: &[u8]) -> Result<Component, CompileError> {
        // SAFETY: `code` is what `Engine::precompile_component` wrote in a child process that runs
        // this program, handed over by a pipe that nobody else has, or by the store, which checks
        // that it was put in by us and is unharmed. Version and settings are in it and are checked.
        let component = unsafe { Component::deserialize(&self.wasm, code) };
        component.map_err(|error| CompileError::Unusable { cause: format!("{error:#}") })
    }

    #[expect(unsafe_code, reason = "as `copy`; and the file must stay as it is")]
    fn map(&self, entry: &Path) -> Result<Component, CompileError> {
        // SAFETY: as in `copy`, from the store. The file is the one that was checked (where there is
        // no /proc, the one of its name); it is writable for our own user alone, in a directory that
        // only we may enter, and nothing of ours writes to an entry: a new one is renamed into its
        // place, an old one unlinked.
        let component = unsafe { Component::deserialize_file(&self.wasm, entry) };
        component.map_err(|error| CompileError::Unusable { cause: format!("{error:#}") })
    }
}

/// Says from time to time that a compilation goes on: a Python component takes seconds, and whoever
/// waits for it should know what for.
async fn patiently<T>(digest: &str, compiling: impl Future<Output = T>) -> T {
    let started = Instant::now();
    let mut compiling = std::pin::pin!(compiling);
    loop {
        match tokio::time::timeout(limits::COMPILE_TELLS, &mut compiling).await {
            Ok(done) => return done,
            Err(_) => tracing::info!(
                plugin.digest = digest,
                elapsed_s = started.elapsed().as_secs(),
                "Still compiling a component"
            ),
        }
    }
}

/// The engine with a pool, or without one where its address space cannot be reserved (in some
/// containers, or below a low `RLIMIT_AS`). Found out by trying.
fn start(concurrency: usize) -> Result<(wasmtime::Engine, bool), EngineError> {
    let mut config = settings();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(concurrency)));
    match wasmtime::Engine::new(&config) {
        Ok(engine) => Ok((engine, true)),
        Err(error) => {
            tracing::warn!(error = %format!("{error:#}"), "No room for an instance pool");
            let engine = wasmtime::Engine::new(&settings())
                .map_err(|error| EngineError::Config { cause: format!("{error:#}") })?;
            Ok((engine, false))
        }
    }
}

/// The engine of the compile child. It never runs a guest, so it reserves nothing, and it may not
/// start threads.
pub(crate) fn compiling() -> wasmtime::Result<wasmtime::Engine> {
    let mut config = settings();
    config.parallel_compilation(false);
    wasmtime::Engine::new(&config)
}

/// What all our engines have in common, and machine code depends on.
fn settings() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .epoch_interruption(true)
        .max_wasm_stack(limits::GUEST_STACK)
        .async_stack_size(limits::FIBER_STACK)
        .cranelift_opt_level(OptLevel::Speed)
        // Plain synchronous WIT: the machinery of concurrent components, where most of this year's
        // engine faults were, is not even compiled in. Nor are GC and threads.
        .concurrency_support(false)
        // No toolchain that we support needs these, so no plugin can reach their faults.
        .wasm_memory64(false)
        .wasm_relaxed_simd(false)
        .wasm_tail_call(false)
        .wasm_wide_arithmetic(false)
        // For debuggers alone: a trap finds its way without. Less to check, map and register.
        .native_unwind_info(false)
        // Several memories must stay on: adapters have one of their own.
        .wasm_multi_memory(true)
        .memory_init_cow(true);
    config
}

/// Room for `concurrency` calls. What a component may have of each is in [`limits`]; the pool has
/// what all calls together need if some of them are Python.
fn pool(concurrency: usize) -> PoolingAllocationConfig {
    let of = |each: usize| u32::try_from(concurrency.saturating_mul(each)).unwrap_or(u32::MAX);
    let each = |limit: usize| u32::try_from(limit).unwrap_or(u32::MAX);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(of(1))
        .total_core_instances(of(limits::CORE_INSTANCES))
        .max_core_instances_per_component(each(limits::CORE_INSTANCES))
        .total_memories(of(2))
        .max_memories_per_component(each(limits::MEMORIES))
        .max_memories_per_module(2)
        .max_memory_size(limits::MEMORY)
        .total_tables(of(4))
        .max_tables_per_component(each(limits::TABLES))
        .max_tables_per_module(4)
        .table_elements(limits::TABLE_ELEMENTS)
        .total_stacks(of(1))
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(KEEP_RESIDENT)
        .pagemap_scan(Enabled::Auto);
    pool
}

/// Bytes of a slot that are reset by writing instead of by giving them back to the kernel, which
/// would cost the next call a page fault for each page. With `PAGEMAP_SCAN` (Linux 6.7) only the
/// pages that were written count.
const KEEP_RESIDENT: usize = 2 << 20;

/// Changes with the version and settings of the engine and with the processor.
fn compatibility(engine: &wasmtime::Engine) -> String {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
