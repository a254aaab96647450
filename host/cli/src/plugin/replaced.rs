//! The plugin whose place another one would take.

use witgate_daemon::config::Config;
use witgate_facts::{Capabilities, Capability};
use witgate_identity::{Assurance, PluginName};
use witgate_provenance::{Digest, LockFile};

use crate::exit::{Exit, Failure};

/// What is configured under a name, and would go over to another component: an operator trusted the
/// old one with it, and a component calls itself what it likes.
#[derive(Debug)]
pub(crate) struct Replaced {
    name: PluginName,
    was: String,
    keeps: Vec<String>,
    grants: Capabilities,
    /// The cap that stays unless another one is wished for.
    pub(crate) max_assurance: Option<Assurance>,
    /// It is another component, not the same once more.
    other: bool,
}

impl Replaced {
    /// What is configured under this name, if anything is.
    pub(crate) fn find(
        config: &Config,
        lock: &LockFile,
        name: &PluginName,
        new: Digest,
    ) -> Option<Self> {
        let plugin = config.plugins.iter().find(|plugin| plugin.name == *name)?;
        let pin = lock.get(name);
        let mut keeps = Vec::new();
        if plugin.settings.as_object().is_some_and(|settings| !settings.is_empty()) {
            keeps.push("its settings".to_owned());
        }
        if plugin.required {
            keeps.push("required = true".to_owned());
        }
        if let Some(level) = plugin.max_assurance {
            keeps.push(format!("max_assurance = \"{}\"", level.as_str()));
        }
        Some(Self {
            name: name.clone(),
            was: pin.map_or_else(
                || "of no known version".to_owned(),
                |pin| format!("{}, sha256 {}", pin.version, pin.sha256),
            ),
            keeps,
            grants: plugin.grants.clone().unwrap_or_default(),
            max_assurance: plugin.max_assurance,
            other: pin.is_none_or(|pin| pin.sha256 != new),
        })
    }

    /// Whether somebody has to agree to it.
    pub(crate) const fn by_another(&self) -> bool {
        self.other
    }

    /// Whether the one that is there was not granted this.
    pub(crate) fn is_new(&self, asked: &Capability) -> bool {
        !self.grants.cover(asked)
    }

    /// For whoever is asked.
    pub(crate) fn for_people(&self) -> String {
        let keeps = match &self.keeps[..] {
            [] => String::new(),
            keeps => format!("; it gets {} of the old one", keeps.join(", ")),
        };
        format!("  replaces {} ({}){keeps}", self.name, self.was)
    }

    /// Where nobody is asked.
    pub(crate) fn refusal(&self) -> Failure {
        let message = format!(
            "nothing was changed: there is another plugin {} here\n{}\nsay --replace if it shall, or \
             choose another --name",
            self.name,
            self.for_people()
        );
        Failure::new(Exit::Usage, message)
    }
}
