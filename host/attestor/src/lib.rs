//! The plugin host: engine, catalogue, sandbox, host functions, limits.
//!
//! A plugin is a WebAssembly component that exports `witgate:attestor/attestor`. It turns the facts
//! about one process, which it asks for through host functions, into selectors. It is never
//! trusted, ours included: this crate decides what it can call, how long it runs, how much memory
//! it has and which of its output is believed.
//!
//! ```text
//! bytes --inspect--> requests --grants--> compile (child process) --> store --> Plugin
//! Catalogue::load ... Catalogue::plan(wanted) ... Catalogue::attest(plan, facts, deadline)
//! ```
//!
//! Invariants:
//!
//! - A call has one subject, bound to its store. No host function takes or gives a process id.
//! - Every call that runs gets a fresh store and instance; nothing survives it in the guest. A call
//!   whose outcome follows from an earlier one is answered without running it (`memo.rs`).
//! - Everything a guest can make us spend has a named limit in [`limits`].
//! - Whatever a plugin does costs its own selectors and nothing else.
//! - A selector is stamped with the configured name of the plugin, and with the lowest level among
//!   the facts that its key is derived from, all of which were read in that very call.
//!
//! The crate knows facts and plugins. It sees no socket, no policy and no answer.

mod attestation;
mod bindings;
mod breaker;
mod cache;
mod call;
mod catalogue;
mod clock;
mod compile;
mod counters;
mod engine;
mod error;
mod host_functions;
mod inspect;
pub mod limits;
mod lines;
mod linker;
mod load;
mod memo;
mod memory;
mod plan;
mod plugin;
mod question;
mod rehearse;
mod requests;
mod said;
mod sandbox;
mod store;
mod ticker;
mod wasi;

pub use self::{
    attestation::{Attestation, Limit, Outcome},
    breaker::BreakerState,
    catalogue::Catalogue,
    compile::{CallFilter, CompilerCommand, compile_child},
    counters::Counters,
    engine::{Engine, EngineConfig},
    error::{CompileError, EngineError, LoadError, LoadErrorKind, StoreError},
    inspect::{Import, ImportKind, Inspection, Producer, inspect},
    lines::{Line, LineLevel},
    plan::Plan,
    plugin::{Plugin, PluginSpec},
    question::Question,
    rehearse::{Fixture, read_fixtures},
    requests::{RequestsError, read_requests},
    sandbox::Use,
};
pub use witgate_facts::{Expected, OutcomeKind};
pub use witgate_report::{KeySpec, Manifest, UnknownKey};
