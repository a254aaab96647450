//! `[plugins.<name>]`.

use std::path::{Path, PathBuf};

use witgate_builtins::Builtin;
use witgate_facts::{Capabilities, Capability};
use witgate_identity::{Assurance, PluginName};
use witgate_provenance::SIGNATURE_SUFFIX;

use super::{ConfigError, Place, table::Table};

/// One plugin as the operator configured it.
#[derive(Debug, Clone)]
pub struct PluginConfig {
    /// The name that is stamped in front of its selectors.
    pub name: PluginName,
    /// `builtin:<name>`, or a path to a component.
    pub source: String,
    /// Where its signature is, if not beside it as `<source>.minisig`.
    pub signature: Option<PathBuf>,
    /// A build of the operator's own, which is loaded whatever lock file and signatures say. Only
    /// where everything is in one folder.
    pub dev_override: bool,
    /// What it gets besides the interfaces that every plugin has; none: what a built-in one asks
    /// for, nothing for any other.
    pub grants: Option<Capabilities>,
    /// Its own settings, checked by itself.
    pub settings: serde_json::Value,
    /// A decision is unavailable if it fails.
    pub required: bool,
    /// The best that any of its selectors can be worth.
    pub max_assurance: Option<Assurance>,
    /// Where the keys are that are looked at again later.
    places: Vec<(&'static str, Place)>,
}

/// What begins the source of a first-party attestor.
const BUILTIN: &str = "builtin:";

impl PluginConfig {
    /// A first-party attestor with its defaults.
    ///
    /// # Errors
    /// If the name is not one.
    pub(super) fn builtin(name: &str) -> Result<Self, witgate_identity::NameError> {
        Ok(Self {
            name: PluginName::new(name)?,
            source: format!("{BUILTIN}{name}"),
            signature: None,
            dev_override: false,
            grants: None,
            settings: serde_json::json!({}),
            required: false,
            max_assurance: None,
            places: Vec::new(),
        })
    }

    pub(super) fn read(name: &str, table: &mut Table<'_>) -> Option<Self> {
        let source: Option<String> = table.take("source");
        let signature = table.convert("signature", signature);
        let dev_override = table.take("dev_override").unwrap_or(false);
        let grants = table.convert("grants", capabilities);
        let settings = table.take("settings").unwrap_or_else(|| serde_json::json!({}));
        let required = table.take("required").unwrap_or(false);
        let max_assurance = table.convert("max_assurance", |word: String| word.parse());
        let name =
            PluginName::new(name).map_err(|error| table.complain("", error.to_string())).ok()?;
        let Some(source) = source else {
            table.complain("source", "missing; builtin:<name> or the path of a component");
            return None;
        };
        let keys = ["source", "signature", "dev_override", "grants"];
        let places = keys.map(|key| (key, table.place(key))).to_vec();
        Some(Self {
            name,
            source,
            signature,
            dev_override,
            grants,
            settings,
            required,
            max_assurance,
            places,
        })
    }

    /// Which first-party attestor it is; none if it is a file.
    #[must_use]
    pub fn builtin_name(&self) -> Option<&str> {
        self.source.strip_prefix(BUILTIN)
    }

    /// What is embedded of it; none if it is a file, or there is no such attestor.
    #[must_use]
    pub(crate) fn embedded(&self) -> Option<&'static Builtin> {
        self.builtin_name().and_then(witgate_builtins::find)
    }

    /// What it gets: what the operator says, or what a first-party attestor brings along.
    #[must_use]
    pub(crate) fn effective_grants(&self) -> Capabilities {
        let default = || self.embedded().map(|builtin| builtin.default_grants).unwrap_or_default();
        let parsed = || default().iter().filter_map(|word| word.parse::<Capability>().ok());
        self.grants.clone().unwrap_or_else(|| parsed().collect())
    }

    /// Where its component is; `plugins` is the folder of the layout. None if it is built in.
    #[must_use]
    pub fn file(&self, plugins: &Path) -> Option<PathBuf> {
        self.builtin_name().is_none().then(|| plugins.join(&self.source))
    }

    /// A mistake about one of its keys.
    pub(crate) fn mistake(&self, key: &'static str, message: impl Into<String>) -> ConfigError {
        let place = self.places.iter().find(|(known, _)| *known == key);
        let place = place.map(|(_, place)| place.clone()).unwrap_or_default();
        place.error(&format!("plugins.{}.{key}", self.name), message)
    }

    /// What does not go together, and what does not go with this kind of daemon.
    pub(super) fn check(&self, one_folder: bool, errors: &mut Vec<ConfigError>) {
        let mut wrong = |key, message: &str| errors.push(self.mistake(key, message));
        let builtin = self.builtin_name().is_some();
        if builtin && self.signature.is_some() {
            wrong("signature", "a built-in plugin is part of the daemon and has no signature");
        }
        if self.dev_override && builtin {
            wrong("dev_override", "a built-in plugin is not checked; name a file as its source");
        } else if self.dev_override && !one_folder {
            let message = "an installed daemon loads no plugin unchecked; try it with \
                           witgate serve --dir DIR, then pin it: witgate plugin add FILE";
            wrong("dev_override", message);
        }
    }
}

fn signature(path: PathBuf) -> Result<PathBuf, String> {
    let named = path.to_string_lossy().ends_with(SIGNATURE_SUFFIX);
    named.then_some(path).ok_or_else(|| {
        format!("the name of a signature ends in {SIGNATURE_SUFFIX}; minisign -S makes such a file")
    })
}

/// Every word that cannot be granted is told.
fn capabilities(words: Vec<String>) -> Result<Capabilities, String> {
    let mut granted = Vec::new();
    let mut wrong = Vec::new();
    for word in words {
        match word.parse::<Capability>() {
            Ok(capability) => granted.push(capability),
            Err(error) => wrong.push(error.to_string()),
        }
    }
    if wrong.is_empty() { Ok(granted.into_iter().collect()) } else { Err(wrong.join("; ")) }
}
