use std::{path::PathBuf, time::Duration};

use witgate_facts::{Capabilities, Capability};
use witgate_identity::{Fault, PluginName};

use crate::{limits, lines::printable, requests::RequestsError};

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The engine refuses its settings on this machine.
    #[error("the WebAssembly engine does not start: {cause}")]
    Config {
        /// The engine's words.
        cause: String,
    },
    /// The store of compiled components cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No thread for the epoch clock.
    #[error("the engine's clock thread does not start")]
    Ticker {
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl EngineError {
    /// Whom it blames.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Store(error) => error.fault(),
            Self::Config { .. } | Self::Ticker { .. } => Fault::Host,
        }
    }
}

/// Why the store of compiled components cannot be used. A single bad entry is not an error: it is
/// compiled again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The directory or its key can be changed by somebody else. What is in it is machine code.
    #[error(
        "{path} must belong to uid {uid} and be closed to everybody else (mode {mode}); \
         remove it, and it will be made again"
    )]
    Exposed {
        /// The directory or file.
        path: PathBuf,
        /// The uid we run as.
        uid: u32,
        /// The mode it must have, in octal.
        mode: &'static str,
    },
    /// A file operation failed.
    #[error("cannot {operation} {path}")]
    Io {
        /// What we tried.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// No random bytes for the key.
    #[error("the kernel gives no random bytes: {cause}")]
    Random {
        /// Why.
        cause: String,
    },
}

impl StoreError {
    /// Whom it blames.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Exposed { .. } => Fault::Operator,
            Self::Io { .. } | Self::Random { .. } => Fault::Host,
        }
    }
}

/// Why a component was not compiled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// The engine refuses the component, or the child ran into one of its limits.
    #[error("the compiler ended with {status}: {message}")]
    Refused {
        /// Exit status or signal.
        status: String,
        /// Its last words, escaped and cut.
        message: String,
    },
    /// The child does not start, or a pipe to it broke.
    #[error("the compiler {program} cannot be run")]
    Spawn {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The child took too long and was killed.
    #[error("the compiler was stopped after {} s", .after.as_secs())]
    TooLong {
        /// The limit.
        after: Duration,
    },
    /// The child wrote more than a compiled component may have.
    #[error("the compiled component is larger than {} MiB", .limit >> 20)]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// What the child wrote is not a component compiled for this engine.
    #[error("the compiler's output does not load: {cause}")]
    Unusable {
        /// The engine's words.
        cause: String,
    },
}

/// Why a plugin was not loaded: which, from where, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("plugin '{plugin}' ({origin}): {kind}")]
pub struct LoadError {
    /// As the operator named it.
    pub plugin: PluginName,
    /// `builtin:unix`, or a path.
    pub origin: String,
    /// What is wrong.
    #[source]
    pub kind: LoadErrorKind,
}

impl LoadError {
    /// Whom it blames.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match &self.kind {
            LoadErrorKind::Compile(CompileError::Spawn { .. }) => Fault::Host,
            LoadErrorKind::Duplicate
            | LoadErrorKind::NotAComponent { .. }
            | LoadErrorKind::NotGranted { .. }
            | LoadErrorKind::Settings { .. } => Fault::Operator,
            _ => Fault::Plugin,
        }
    }
}

/// What is wrong with a plugin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadErrorKind {
    /// The component was not compiled.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// Two plugins have one name.
    #[error("another plugin has this name already; rename one of them")]
    Duplicate,
    /// It imports or exports what this version does not have.
    #[error("{cause}")]
    Link {
        /// The engine's words, and which interface.
        cause: String,
    },
    /// `describe` said something that cannot be used.
    #[error("its manifest cannot be used: {}", problems.join("; "))]
    Manifest {
        /// All problems.
        problems: Vec<String>,
    },
    /// The bytes are something else.
    #[error("{found}")]
    NotAComponent {
        /// What they are, and what to do.
        found: &'static str,
    },
    /// It asks for interfaces that the operator does not grant.
    #[error(
        "it asks for {}, which it is not granted. If you trust it with that, write:\n\n\
         [plugins.{plugin}]\ngrants = [{}]\n", quoted(.missing.iter()), quoted(.needed.iter())
    )]
    NotGranted {
        /// The name to write.
        plugin: PluginName,
        /// What it asks for and is not granted.
        missing: Vec<Capability>,
        /// What is granted already, and all that it asks for and that needs a grant.
        needed: Capabilities,
    },
    /// It was built against interfaces that this daemon does not have.
    #[error(
        "it was built for `{name}`, and this daemon has {known}. That is another version of \
         witgate: build it again with this one (witgate plugin build), or use a daemon that has it"
    )]
    OtherVersion {
        /// What it imports or exports, escaped and cut.
        name: String,
        /// What there is.
        known: String,
    },
    /// It imports what no daemon has.
    #[error(
        "it imports `{import}`, which is neither WASI nor an interface of witgate; build it for the \
         world in wit/"
    )]
    Foreign {
        /// What it imports, escaped and cut.
        import: String,
    },
    /// It is some other component.
    #[error(
        "it is not an attestor: it does not export `{export}`. In Rust write \
         `witgate_sdk::export!(…)`, and build it with `witgate plugin build`"
    )]
    NoAttestor {
        /// What it should export.
        export: &'static str,
    },
    /// One of its own fixtures does not come out as it says.
    #[error(
        "its own fixture `{}` fails: {}", printable(fixture, limits::REASON_BYTES),
        printable(&differences.join("; "), limits::CAUSE_BYTES)
    )]
    Fixture {
        /// Which.
        fixture: String,
        /// What differs.
        differences: Vec<String>,
    },
    /// Its fixtures cannot be read.
    #[error("its fixtures cannot be read: {}", printable(cause, limits::CAUSE_BYTES))]
    Fixtures {
        /// The parser's words.
        cause: String,
    },
    /// `plugin.toml` is missing or cannot be read.
    #[error(transparent)]
    Requests(#[from] RequestsError),
    /// The plugin refuses its settings.
    #[error("it refuses its settings: {message}")]
    Settings {
        /// Its words, escaped and cut.
        message: String,
    },
    /// Over the size limit.
    #[error("it has {size} bytes, the limit is {} MiB", limits::COMPONENT_BYTES >> 20)]
    TooLarge {
        /// Its size.
        size: usize,
    },
    /// A call at load trapped or ran into a limit.
    #[error("`{export}` failed at load: {cause}")]
    Trapped {
        /// `describe`, `validate`, or `instantiate`.
        export: &'static str,
        /// Cause and limit.
        cause: String,
    },
    /// Two calls of `describe` gave two answers.
    #[error("`describe` said one thing and then another; it must not depend on anything")]
    Unstable,
}

fn quoted<'a>(capabilities: impl Iterator<Item = &'a Capability>) -> String {
    let word = |capability: &Capability| {
        format!("\"{}\"", printable(&capability.to_string(), limits::CAUSE_BYTES))
    };
    capabilities.map(word).collect::<Vec<_>>().join(", ")
}
