//! From configuration to a generation: everything is checked before anything takes effect.

use std::{borrow::Cow, collections::BTreeMap, fs, path::Path, sync::Arc};

use witgate_attestor::{Catalogue, Engine, LoadError, PluginSpec};
use witgate_decision::Generation;
use witgate_identity::{PluginName, TrustDomain};
use witgate_policy::{
    HostLabels, LoadOptions, Policy, PolicyErrors, SourceFile, Vocabulary, default_entries,
};

use crate::{
    causes::with_causes,
    config::{Config, ConfigError, DEV_TRUST_DOMAIN, PluginConfig, read_bounded, toml_files},
    endpoint_sets::EndpointSets,
    inputs::Inputs,
    supply::{Gatekeeper, Provenance},
};

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
        let plugins = self.plugins.iter().map(|error| with_causes(error));
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
    let material = Material::read(config, Arc::default()).await;
    Ok(build(config, material, engine, number, None).await?.0)
}

/// What a generation leaves behind besides itself: for the next one, and for operators.
#[derive(Debug, Default)]
pub(crate) struct Beside {
    /// The files that it was made of, those of the configuration included.
    pub(crate) inputs: Inputs,
    pub(crate) endpoints: EndpointSets,
    /// Why each plugin was loaded.
    pub(crate) provenance: BTreeMap<PluginName, Provenance>,
    /// What an operator should know about the endpoints, as they were found when this was read.
    pub(crate) endpoint_warnings: Vec<String>,
}

impl Beside {
    /// The plugins that nobody checked, a sentence for each.
    pub(crate) fn not_checked(&self) -> Vec<String> {
        let unchecked = self.provenance.iter().filter(|(_, provenance)| provenance.dev_override);
        unchecked
            .map(|(name, _)| {
                format!(
                    "plugin {name} is NOT CHECKED against lock file and signatures, because of \
                     dev_override; when it is done, take that out and pin it: witgate plugin add FILE"
                )
            })
            .collect()
    }
}

/// Everything that was read from disk for a generation, and what was wrong with it.
#[derive(Debug, Default)]
pub(crate) struct Material {
    pub(crate) beside: Beside,
    pub(crate) errors: Vec<ConfigError>,
    specs: Vec<PluginSpec>,
    entries: Vec<SourceFile>,
}

impl Material {
    /// Reads components and entries on a thread that may wait for a disk.
    pub(crate) async fn read(config: &Config, earlier: Arc<Beside>) -> Self {
        let config = config.clone();
        let read = tokio::task::spawn_blocking(move || Self::read_now(&config, &earlier));
        read.await.unwrap_or_else(|error| Self { errors: vec![broken(&error)], ..Self::default() })
    }

    fn read_now(config: &Config, earlier: &Beside) -> Self {
        let mut this = Self::default();
        let Self { beside, errors, .. } = &mut this;
        beside.inputs = config.inputs.clone();
        beside.endpoints = EndpointSets::new(&config.endpoints, &earlier.endpoints);
        let gatekeeper = Gatekeeper::new(config, &mut beside.inputs, errors);
        for plugin in &config.plugins {
            match this.spec(plugin, config, &gatekeeper) {
                Ok(mut spec) => {
                    let views = &mut this.beside.endpoints;
                    spec.endpoints = views.view(&spec.name, &spec.grants, &earlier.endpoints);
                    this.specs.push(spec);
                }
                Err(error) => this.errors.push(error),
            }
        }
        this.beside.endpoint_warnings = this.beside.endpoints.warnings();
        this.entries = sources(&config.layout.entries, &mut this.errors);
        for entries in &this.entries {
            this.beside.inputs.add(Path::new(&entries.name), entries.text.as_bytes());
        }
        this
    }

    /// One plugin as the attestor crate wants it; a built-in one brings its own grants and cap.
    fn spec(
        &mut self,
        plugin: &PluginConfig,
        config: &Config,
        gatekeeper: &Gatekeeper<'_>,
    ) -> Result<PluginSpec, ConfigError> {
        let mut spec = PluginSpec {
            grants: plugin.grants.clone().unwrap_or_default(),
            settings: plugin.settings.clone(),
            required: plugin.required,
            max_assurance: plugin.max_assurance,
            ..PluginSpec::new(plugin.name.clone(), plugin.source.clone(), &[][..])
        };
        let provenance = match plugin.file(&config.layout.plugins) {
            Some(path) => {
                let read = gatekeeper.read(plugin, path, &mut self.beside.inputs)?;
                spec.origin = read.path.display().to_string();
                spec.bytes = Cow::Owned(read.component.into_bytes());
                read.provenance
            }
            None => {
                embed(plugin, &mut spec)?;
                Some(Provenance { builtin: true, ..Provenance::default() })
            }
        };
        if let Some(provenance) = provenance {
            self.beside.provenance.insert(plugin.name.clone(), provenance);
        }
        Ok(spec)
    }
}

/// Fills in a plugin that is part of the daemon.
fn embed(plugin: &PluginConfig, spec: &mut PluginSpec) -> Result<(), ConfigError> {
    let name = plugin.builtin_name().unwrap_or_default();
    let builtin = plugin.embedded().ok_or_else(|| {
        let known: Vec<_> = witgate_builtins::ALL.iter().map(|builtin| builtin.name).collect();
        let known = known.join(", ");
        plugin.mistake("source", format!("there is no built-in {name:?}; there are {known}"))
    })?;
    spec.bytes = Cow::Borrowed(builtin.wasm);
    spec.grants = plugin.effective_grants();
    let cap = || builtin.max_assurance.and_then(|word| word.parse().ok());
    spec.max_assurance = plugin.max_assurance.or_else(cap);
    Ok(())
}

/// Makes a generation of what was read. What `earlier` has and would come out the same is taken
/// over from there.
pub(crate) async fn build(
    config: &Config,
    material: Material,
    engine: &Arc<Engine>,
    number: u64,
    earlier: Option<&Catalogue>,
) -> Result<(Generation, Beside), LoadErrors> {
    let Material { beside, errors, specs, entries } = material;
    let mut errors = LoadErrors { config: errors, ..LoadErrors::default() };
    let loaded = match earlier {
        Some(earlier) => earlier.reload(engine, specs).await,
        None => Catalogue::load(engine, specs).await,
    };
    let catalogue = loaded.map_err(|plugins| errors.plugins = plugins).ok();
    errors.config.extend(not_admitted(config, catalogue.as_ref(), &beside));
    // An entry about a plugin that is not there is inert, so without a catalogue what can be said
    // about the entries by themselves is said all the same.
    let complete = catalogue.as_ref().filter(|_| errors.config.is_empty());
    let vocabulary = complete.map(Generation::vocabulary).unwrap_or_default();
    let strict = config.strict_plugins && complete.is_some();
    let policy = policy(config, entries, vocabulary, strict).await;
    let policy = policy.map_err(|entries| errors.entries = Some(entries)).ok();
    match (catalogue, policy) {
        (Some(catalogue), Some(policy)) if errors.is_empty() => {
            Ok((Generation::new(number, catalogue, policy), beside))
        }
        _ => Err(errors),
    }
}

/// Plugins that were loaded although nobody said that they may be: a mistake of ours, if there ever
/// is one, which must not have the last word.
fn not_admitted(
    config: &Config,
    catalogue: Option<&Catalogue>,
    beside: &Beside,
) -> Vec<ConfigError> {
    let loaded = |plugin: &&PluginConfig| {
        catalogue.is_some_and(|catalogue| catalogue.plugin(&plugin.name).is_some())
    };
    let unknown = |plugin: &&PluginConfig| !beside.provenance.contains_key(&plugin.name);
    let plugins = config.plugins.iter().filter(loaded).filter(unknown);
    plugins.map(|plugin| plugin.mistake("source", "it was not admitted")).collect()
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
