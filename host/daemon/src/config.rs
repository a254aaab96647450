//! The daemon's configuration: where it is, what may stand in it, what it defaults to.
//!
//! One TOML file and `conf.d/*.toml`, later files winning key by key. Every mistake in every file is
//! reported at once, each with file, line and key; nothing is started with a broken configuration.

mod broker;
mod endpoints;
mod layout;
mod plugins;
mod sections;
mod supply;
mod table;

use std::{
    collections::BTreeMap,
    fmt, fs,
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    rc::Rc,
};

use witgate_attestor::CallFilter;
use witgate_endpoints::EndpointConfig;
use witgate_identity::{NodeName, TrustDomain};
use witgate_provenance::Policy as SupplyPolicy;

pub use self::{
    broker::BrokerConfig,
    layout::Layout,
    plugins::PluginConfig,
    sections::{AdminAccess, AuditLimits, Limits, ListenConfig, Roles},
};
use self::{
    sections::Partial,
    table::{Source, Table},
};
use crate::inputs::Inputs;

/// The trust domain of a one-folder daemon that was not given another.
pub const DEV_TRUST_DOMAIN: &str = "dev.internal";

/// JSON schema (draft 2020-12) of a configuration file, for editors.
pub const SCHEMA: &str = include_str!("config/witgate.schema.json");

/// Largest configuration or entry file in bytes; what is larger is a mistake, not a configuration.
const MAX_FILE: u64 = 64 * 1024 * 1024;

/// One mistake, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file as it was named.
    pub file: String,
    /// Line, from 1; none if it is about the file as a whole.
    pub line: Option<usize>,
    /// Dotted key; empty if there is none.
    pub key: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// Where something stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Place {
    file: String,
    line: Option<usize>,
}

impl Place {
    /// A mistake there.
    pub(crate) fn error(self, key: &str, message: impl Into<String>) -> ConfigError {
        let Self { file, line } = self;
        ConfigError { file, line, key: key.to_owned(), message: message.into() }
    }
}

impl ConfigError {
    /// A mistake about a file as a whole.
    pub(crate) fn of_file(file: &Path, message: impl fmt::Display) -> Self {
        let file = file.display().to_string();
        Self { file, line: None, key: String::new(), message: message.to_string() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        if !self.key.is_empty() {
            write!(f, " {}:", self.key)?;
        }
        write!(f, " {}", self.message)
    }
}

/// Everything the daemon was told, complete and checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where things are.
    pub layout: Layout,
    /// The root that vouches for identities.
    pub trust_domain: TrustDomain,
    /// This machine's name in decision ids.
    pub node: NodeName,
    /// `[host] labels`, for entries with `on`.
    pub labels: BTreeMap<String, String>,
    /// An entry about a plugin that is not configured is an error instead of inert.
    pub strict_plugins: bool,
    /// Serve although this kernel cannot pin a peer by the socket (tier C).
    pub allow_legacy_kernel: bool,
    /// Whether the daemon's own calls of the kernel are filtered, and those of what it starts.
    pub call_filter: CallFilter,
    /// The public socket.
    pub public: ListenConfig,
    /// The admin socket.
    pub admin: ListenConfig,
    /// Who may use the admin socket, and for what.
    pub access: AdminAccess,
    /// The socket of brokers, and who they are; none if there is none.
    pub broker: Option<BrokerConfig>,
    /// How much, how many, how long.
    pub limits: Limits,
    /// The audit log's size.
    pub audit: AuditLimits,
    /// The plugins, by name.
    pub plugins: Vec<PluginConfig>,
    /// The endpoints that plugins can be granted.
    pub endpoints: Vec<EndpointConfig>,
    /// Which plugin files may be loaded.
    pub supply: SupplyPolicy,
    /// Reload by itself when a file has changed.
    pub watch: bool,
    /// The files that all this was read from.
    pub(crate) inputs: Inputs,
}

impl Config {
    /// Reads the configuration of a layout.
    ///
    /// # Errors
    /// Every mistake found, in all files.
    pub fn read(layout: &Layout) -> Result<Self, Vec<ConfigError>> {
        let mut errors = Vec::new();
        let mut whole = Partial::default();
        let mut inputs = Inputs::default();
        for file in files(layout, &mut errors) {
            match read_bounded(&file) {
                Ok(text) => {
                    inputs.add(&file, text.as_bytes());
                    whole.overlay(parse(&file.display().to_string(), &text, &mut errors));
                }
                Err(error) => errors.push(ConfigError::of_file(&file, error)),
            }
        }
        let config = whole.complete(layout, &mut errors);
        match config {
            Some(config) if errors.is_empty() => Ok(Self { inputs, ..config }),
            _ => Err(errors),
        }
    }
}

impl Config {
    fn broker_socket(&self) -> Option<&ListenConfig> {
        self.broker.as_ref().map(|broker| &broker.listen)
    }

    /// What differs in a later configuration and takes effect only at a start.
    pub(crate) fn needs_restart(&self, later: &Self) -> Vec<String> {
        let parts = [
            ("host.name", self.node != later.node),
            ("allow_legacy_kernel", self.allow_legacy_kernel != later.allow_legacy_kernel),
            ("process", self.call_filter != later.call_filter),
            ("listen.public", self.public != later.public),
            ("listen.admin.path and mode", self.admin != later.admin),
            ("listen.broker.path and mode", self.broker_socket() != later.broker_socket()),
            ("audit", self.audit != later.audit),
            ("limits", self.limits != later.limits),
        ];
        let changed = parts.into_iter().filter(|(_, differs)| *differs);
        changed.map(|(part, _)| format!("{part} was changed and needs a restart")).collect()
    }
}

/// The configuration files that are there, in the order in which they count.
fn files(layout: &Layout, errors: &mut Vec<ConfigError>) -> Vec<PathBuf> {
    let mut files = Vec::new();
    if layout.config.exists() {
        files.push(layout.config.clone());
    } else if !layout.one_folder {
        errors.push(ConfigError::of_file(
            &layout.config,
            "there is no configuration; write one with: witgate init",
        ));
    }
    files.extend(toml_files(&layout.config_dir, errors));
    files
}

/// The `*.toml` files of a folder by name; a folder that is not there has none.
pub(crate) fn toml_files(dir: &Path, errors: &mut Vec<ConfigError>) -> Vec<PathBuf> {
    let listing = match fs::read_dir(dir) {
        Ok(listing) => listing,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            errors.push(ConfigError::of_file(dir, error));
            return Vec::new();
        }
    };
    let mut files: Vec<PathBuf> = listing
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    files
}

/// Reads a text, unless it is too large to be meant.
pub(crate) fn read_bounded(path: &Path) -> io::Result<String> {
    String::from_utf8(read_regular(path, MAX_FILE)?).map_err(io::Error::other)
}

/// Reads a regular file of at most so many bytes. Anything else (a pipe, a device) could make the
/// daemon wait for ever; opening without blocking and looking at what was opened leaves no gap.
pub(crate) fn read_regular(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let nonblock = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = fs::OpenOptions::new().read(true).custom_flags(nonblock).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut content = Vec::new();
    file.take(max + 1).read_to_end(&mut content)?;
    if content.len() as u64 > max {
        return Err(io::Error::other(format!("over the limit of {max} bytes")));
    }
    Ok(content)
}

fn parse(name: &str, text: &str, errors: &mut Vec<ConfigError>) -> Partial {
    let source = Source::new(name, text);
    let partial = Table::parse(&source).read(Partial::read);
    errors.append(&mut Rc::clone(&source).into_errors());
    partial
}

#[cfg(test)]
mod tests;
