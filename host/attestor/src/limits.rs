//! Everything that a plugin can make us spend, and how much of it. Always on, for every plugin.
//!
//! None of these is a setting: a limit that can be switched off is switched off on the machine
//! where it is needed. Hostile plugins that run into them are in `plugins/fixtures`.

use std::time::Duration;

// --- time -------------------------------------------------------------------------------------

/// One tick of the epoch clock while any guest runs. A guest that is done within its first tick,
/// as every well-behaved one is, is never interrupted; one that is not yields once per tick, so no
/// request waits longer than this behind a hog.
pub const TICK: Duration = Duration::from_millis(1);

/// How long the ticker keeps ticking after the last call ended. Waking the ticker costs a system
/// call and a thread switch, so it must not be done per request; an idle daemon must not tick.
pub const TICKER_LINGER: Duration = Duration::from_millis(100);

/// A guest's own time per call: the ticks that it was seen running in, and what it slept. What it waits
/// for facts, for a permit or for a processor is not its own. A Python guest needs about 1 ms and a
/// decision has a budget of well under 1 ms; a guest that has not answered in 50 ms will not.
pub const CALL_TIME: Duration = Duration::from_millis(50);

/// The same for `describe`, `validate` and instantiation at load, where nobody waits for an answer.
pub const LOAD_CALL_TIME: Duration = Duration::from_secs(2);

/// Wall time of one fixture. Its answers are at hand, so nothing is waited for but a processor.
pub const REHEARSAL_TIME: Duration = Duration::from_secs(5);

/// How many times its own time a call may take by the wall clock, waiting for facts not counted.
/// Own time is not exact, and on an overloaded machine a guest must not fail because others are
/// running.
pub const WALL_FACTOR: u32 = 5;

/// How often an answer `retry` is obeyed in one request. More would be polling.
pub const MAX_RETRIES: u32 = 5;

/// Longest pause that `retry` can ask for.
pub const MAX_RETRY_PAUSE: Duration = Duration::from_secs(5);

// --- instances --------------------------------------------------------------------------------

/// The part of all instances that one plugin has at once: a quarter, and at least one. An instance is
/// taken for as long as its call lasts, also while that waits for an endpoint or a file, so a plugin
/// that only waits could otherwise have them all. Its further calls wait for its own.
pub const PLUGIN_SHARE: usize = 4;

// --- memory -----------------------------------------------------------------------------------

/// Linear memory of one call, all memories of the component together. The greediest guest
/// toolchain we support (Zig, with its 16 MiB default stack) starts at 17 MiB and Python at 13.
pub const MEMORY: usize = 64 << 20;

/// Elements of all tables of one call. Python has 8 000.
pub const TABLE_ELEMENTS: usize = 100_000;

/// Core instances, tables and memories of one component. Python has 38 core instances.
pub const CORE_INSTANCES: usize = 64;

/// Tables of one component.
pub const TABLES: usize = 64;

/// Memories of one component: adapters have one of their own.
pub const MEMORIES: usize = 8;

/// Stack of the guest; deeper recursion traps. The engine's own default.
pub const GUEST_STACK: usize = 512 << 10;

/// Stack that a call runs on: the guest's, and room for host functions above it.
pub const FIBER_STACK: usize = 2 << 20;

/// What the host copies out of a guest in one call of a function, in bytes: bounds a report, a
/// manifest and a log line before they are looked at.
pub const HOSTCALL_FUEL: usize = 1 << 20;

/// WASI handles (streams, pollables) that a guest holds at once. Three standard streams and a
/// handful of pollables.
pub const HANDLES: usize = 64;

/// Bytes that one call of `wasi:random` can ask for.
pub const RANDOM_BYTES: u64 = 4096;

// --- output -----------------------------------------------------------------------------------

pub use witgate_report::limits::*;

/// Bytes of one log line of a guest; the rest is cut off.
pub const LINE_BYTES: usize = 1024;

/// Log lines that a plugin can write at once,
pub const LINES_BURST: u32 = 32;

/// and per second in the long run. A plugin that logs a line per decision is useful on a quiet
/// machine and must not fill the journal of a busy one.
pub const LINES_PER_SECOND: u32 = 4;

/// Last lines of a plugin that are kept for its status.
pub const LINES_KEPT: usize = 32;

// --- what outlives a call ----------------------------------------------------------------------

/// Bytes that one plugin keeps in its cache, keys and values together. A node has some hundred
/// containers, of each of which an attestor keeps a few KiB.
pub const CACHE_BYTES: usize = 4 << 20;

/// Bytes of a key,
pub const CACHE_KEY_BYTES: usize = 256;

/// and of a value.
pub const CACHE_VALUE_BYTES: usize = 64 << 10;

/// Keys whose search one call leads at a time. What it finds missing beyond these others may look for,
/// too. An attestor looks for one thing, or for one and then another.
pub const CACHE_LEADS: usize = 16;

/// Longest time that something is kept.
pub const CACHE_TTL: Duration = Duration::from_secs(3600);

/// Bytes of the memo of one plugin. A full memo is forgotten as a whole.
pub const MEMO_BYTES: usize = 1 << 20;

/// Bytes of one answer that a memo compares; a call with a longer one is not memoised.
pub const MEMO_ANSWER_BYTES: usize = 16 << 10;

/// Bytes that it takes to remember one call; one that would take more is not memoised, or a few would
/// make it forget all others.
pub const MEMO_CALL_BYTES: usize = 64 << 10;

/// Questions of one call that are noted. A plugin that asks more is not memoised.
pub const TRACE_QUESTIONS: usize = 128;

/// Different paths that a plugin may look at for one request, however often it is asked again. All
/// plugins of a request share what is read for it, so this is a quarter of that.
pub const PATHS: usize = 16;

/// Uses of cache and endpoints in one call that are shown to the operator.
pub const USES: usize = 32;

/// Bytes of a response to a plugin; an endpoint says less unless the operator lets it.
pub const RESPONSE_BYTES: usize = 16 << 20;

// --- components -------------------------------------------------------------------------------

/// Bytes of a component. The largest of the supported toolchains makes 18 MiB.
pub const COMPONENT_BYTES: usize = 64 << 20;

/// Names that a component imports, and that it exports. Python imports about 60.
pub const NAMES: usize = 1024;

/// Tools that are shown to have had a part in making a component.
pub const PRODUCERS: usize = 64;

/// Bytes of the fixtures that a component brings along,
pub const FIXTURES_BYTES: usize = 256 << 10;

/// and how many of them. They run at every load, so they are a self-test and not a test suite.
pub const FIXTURES: usize = 64;

/// Bytes of a compiled component; three times the component is usual.
pub const COMPILED_BYTES: usize = 256 << 20;

/// Wall time of one compilation. Python takes 6 s on two cores, and the child has one thread.
pub const COMPILE_TIME: Duration = Duration::from_secs(120);

/// How often it is said that a compilation still goes on.
pub const COMPILE_TELLS: Duration = Duration::from_secs(2);

/// Processor time of one compilation.
pub const COMPILE_CPU_SECONDS: u64 = 60;

/// Address space of the compile child. Python's component takes 420 MiB.
pub const COMPILE_ADDRESS_SPACE: u64 = 4 << 30;

/// Bytes of compiled components that are kept. An author's loop compiles a component for every save;
/// the oldest go first, and are compiled again if they are wanted.
pub const STORE_BYTES: u64 = 2 << 30;

/// Age at which a file that was never completed is taken for abandoned.
pub const STORE_ABANDONED: Duration = Duration::from_secs(3600);

/// Bytes of what the compile child has to say about a failure.
pub const COMPILE_STDERR_BYTES: usize = 8 << 10;

// --- circuit breaker --------------------------------------------------------------------------

/// Calls in a row that ran out of time or memory before a plugin rests.
pub const BREAKER_FAULTS: u32 = 8;

/// Calls in a row that trapped or said what cannot be, before a plugin rests for whom they were about.
/// They cost microseconds, so it may take a few more.
pub const BREAKER_CHEAP_FAULTS: u32 = 32;

/// For how many uids and control groups faults are counted at a time.
pub const BREAKER_SHARES: usize = 1024;

/// First rest; doubles with every further fault.
pub const BREAKER_FIRST_REST: Duration = Duration::from_millis(250);

/// Longest rest.
pub const BREAKER_LONGEST_REST: Duration = Duration::from_secs(30);
