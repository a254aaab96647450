//! From configuration to a generation: everything is checked before anything takes effect.

use std::{borrow::Cow, collections::BTreeSet, fs, path::Path, sync::Arc};

use witgate_attestor::{Catalogue, Engine, LoadError, PluginSpec};
use witgate_decision::Generation;
use witgate_facts::Interface;
use witgate_identity::TrustDomain;
use witgate_policy::{
    HostLabels, LoadOptions, Policy, PolicyErrors, SourceFile, Vocabulary, default_entries,
};

use crate::config::{
    Config, ConfigError, DEV_TRUST_DOMAIN, PluginConfig, read_bounded, read_regular, toml_files,
};

/// Largest component that is read, in bytes: three times a Python guest.
const MAX_COMPONENT: u64 = 64 * 1024 * 1024;

/// The example entries that an empty folder gets.
const EXAMPLE: &str = "example.toml";

/// Everything that is wrong with a configuration, its plugins and its entries.
#[derive(Debug, Default)]
pub struct LoadErrors {
    /// The configuration, and files that cannot be read.
    pub config: Vec<ConfigError>,
    /// Plugins.
    pub plugins: Vec<LoadError>,
    /// Entries.
    pub entries: Option<PolicyErrors>,
}

impl LoadErrors {
    /// One line or more for each mistake.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let config = self.config.iter().map(ToString::to_string);
        let plugins = self.plugins.iter().map(ToString::to_string);
        let entries = self.entries.iter().flat_map(PolicyErrors::as_slice).map(ToString::to_string);
        config.chain(plugins).chain(entries).collect()
    }

    fn is_empty(&self) -> bool {
        self.config.is_empty() && self.plugins.is_empty() && self.entries.is_none()
    }
}

impl std::fmt::Display for LoadErrors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.lines().join("\n"))
    }
}

impl std::error::Error for LoadErrors {}

/// Loads plugins and entries.
///
/// # Errors
/// Every mistake in all of them; entries are checked as far as the plugins that did load allow.
pub async fn load(
    config: &Config,
    engine: &Arc<Engine>,
    number: u64,
) -> Result<Generation, LoadErrors> {
    let (specs, sources, wrong) = read_all(config).await;
    let mut errors = LoadErrors { config: wrong, ..LoadErrors::default() };
    let catalogue = match Catalogue::load(engine, specs).await {
        Ok(catalogue) => Some(catalogue),
        Err(plugins) => {
            errors.plugins = plugins;
            None
        }
    };
    // An entry about a plugin that is not there is inert, so without a catalogue what can be said
    // about the entries by themselves is said all the same.
    let complete = catalogue.as_ref().filter(|_| errors.config.is_empty());
    let vocabulary = complete.map(Generation::vocabulary).unwrap_or_default();
    let strict = config.strict_plugins && complete.is_some();
    let policy = match policy(config, sources, vocabulary, strict).await {
        Ok(policy) => Some(policy),
        Err(entries) => {
            errors.entries = Some(entries);
            None
        }
    };
    match (catalogue, policy) {
        (Some(catalogue), Some(policy)) if errors.is_empty() => {
            Ok(Generation::new(number, catalogue, policy))
        }
        _ => Err(errors),
    }
}

/// Reads components and entries on a thread that may wait for a disk.
async fn read_all(config: &Config) -> (Vec<PluginSpec>, Vec<SourceFile>, Vec<ConfigError>) {
    let config = config.clone();
    let read = tokio::task::spawn_blocking(move || {
        let mut errors = Vec::new();
        let mut specs = Vec::new();
        for plugin in &config.plugins {
            match spec(plugin, &config.layout.plugins) {
                Ok(spec) => specs.push(spec),
                Err(error) => errors.push(error),
            }
        }
        let sources = sources(&config.layout.entries, &mut errors);
        (specs, sources, errors)
    });
    read.await.unwrap_or_else(|error| (Vec::new(), Vec::new(), vec![broken(&error)]))
}

/// A hundred thousand entries take a second or two: not on a thread that serves.
async fn policy(
    config: &Config,
    sources: Vec<SourceFile>,
    vocabulary: Vocabulary,
    strict_plugins: bool,
) -> Result<Policy, PolicyErrors> {
    let options = LoadOptions {
        trust_domain: config.trust_domain.clone(),
        host_labels: HostLabels(config.labels.clone()),
        strict_plugins,
    };
    let load = move || Policy::load(&sources, &vocabulary, &options, jiff::Timestamp::now());
    match tokio::task::spawn_blocking(load).await {
        Ok(loaded) => loaded,
        // The thread can only have panicked; that is carried on, and the old generation stays.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

fn broken(error: &tokio::task::JoinError) -> ConfigError {
    ConfigError::of_file(Path::new("configuration"), format!("reading failed: {error}"))
}

/// What is wrong with the entries of a folder by themselves, for when the configuration is too
/// broken to load plugins.
#[must_use]
pub fn entry_errors(dir: &Path) -> Vec<String> {
    let mut errors = Vec::new();
    let sources = sources(dir, &mut errors);
    let mut lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let Ok(trust_domain) = TrustDomain::new(DEV_TRUST_DOMAIN) else { return lines };
    let options =
        LoadOptions { trust_domain, host_labels: HostLabels::default(), strict_plugins: false };
    let loaded = Policy::load(&sources, &Vocabulary::default(), &options, jiff::Timestamp::now());
    if let Err(errors) = loaded {
        lines.extend(errors.as_slice().iter().map(ToString::to_string));
    }
    lines
}

/// The files of `entries.d`, by name.
pub fn sources(dir: &Path, errors: &mut Vec<ConfigError>) -> Vec<SourceFile> {
    let mut sources = Vec::new();
    for file in toml_files(dir, errors) {
        match read_bounded(&file) {
            Ok(text) => sources.push(SourceFile { name: file.display().to_string(), text }),
            Err(error) => errors.push(ConfigError::of_file(&file, error)),
        }
    }
    sources
}

/// Writes the example entries into a one-folder layout that has no entry file at all.
///
/// # Errors
/// If the folder or the file cannot be written.
pub fn write_example(config: &Config, owner: u32) -> std::io::Result<()> {
    let dir = &config.layout.entries;
    if !config.layout.one_folder || !toml_files(dir, &mut Vec::new()).is_empty() {
        return Ok(());
    }
    fs::create_dir_all(dir)?;
    fs::write(dir.join(EXAMPLE), default_entries(owner))
}

/// One plugin as the attestor crate wants it; a built-in one brings its own grants and cap.
fn spec(plugin: &PluginConfig, plugins_dir: &Path) -> Result<PluginSpec, ConfigError> {
    let wrong = |message: String| ConfigError {
        file: "configuration".to_owned(),
        line: None,
        key: format!("plugins.{}.source", plugin.name),
        message,
    };
    let mut spec = PluginSpec {
        name: plugin.name.clone(),
        bytes: Cow::Borrowed(&[]),
        origin: plugin.source.clone(),
        grants: plugin.grants.clone().unwrap_or_default(),
        settings: plugin.settings.clone(),
        required: plugin.required,
        max_assurance: plugin.max_assurance,
    };
    if let Some(name) = plugin.source.strip_prefix("builtin:") {
        let builtin = witgate_builtins::find(name).ok_or_else(|| {
            let known: Vec<_> = witgate_builtins::ALL.iter().map(|builtin| builtin.name).collect();
            wrong(format!("there is no built-in {name:?}; there are {}", known.join(", ")))
        })?;
        spec.bytes = Cow::Borrowed(builtin.wasm);
        spec.grants = plugin.grants.clone().unwrap_or_else(|| interfaces(builtin.default_grants));
        spec.max_assurance = plugin
            .max_assurance
            .or_else(|| builtin.max_assurance.and_then(|word| word.parse().ok()));
    } else {
        let path = plugins_dir.join(&plugin.source);
        let bytes = read_regular(&path, MAX_COMPONENT)
            .map_err(|error| wrong(format!("{}: {error}", path.display())))?;
        (spec.bytes, spec.origin) = (Cow::Owned(bytes), path.display().to_string());
    }
    Ok(spec)
}

fn interfaces(words: &[&str]) -> BTreeSet<Interface> {
    words.iter().filter_map(|word| word.parse().ok()).collect()
}
