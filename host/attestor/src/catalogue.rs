use std::sync::Arc;

use futures_util::future::join_all;
use tokio::time::Instant;
use witgate_facts::FactSource;
use witgate_identity::{PluginName, Wanted};

use crate::{
    Attestation, Engine, LoadError, Plan, Plugin, PluginSpec, call,
    error::LoadErrorKind,
    load::{digest, duplicates, load},
};

/// One generation of loaded plugins. It never changes; a reload makes another beside it.
#[derive(Debug, Clone)]
pub struct Catalogue {
    plugins: Vec<Plugin>,
}

impl Catalogue {
    /// Loads all plugins, one after the other: what has to be compiled takes a processor each.
    ///
    /// # Errors
    /// If any of them cannot be used: all errors of all plugins, and nothing is loaded.
    pub async fn load(
        engine: &Arc<Engine>,
        specs: Vec<PluginSpec>,
    ) -> Result<Self, Vec<LoadError>> {
        Self { plugins: Vec::new() }.reload(engine, specs).await
    }

    /// The next generation. A plugin that would come out as it is here is taken over, with its
    /// counters, its cache and its rest; all others are loaded beside it.
    ///
    /// # Errors
    /// As [`Catalogue::load`]; this generation is not touched.
    pub async fn reload(
        &self,
        engine: &Arc<Engine>,
        specs: Vec<PluginSpec>,
    ) -> Result<Self, Vec<LoadError>> {
        let mut errors: Vec<_> = duplicates(&specs)
            .map(|(name, origin)| LoadError {
                plugin: name.clone(),
                origin: origin.to_owned(),
                kind: LoadErrorKind::Duplicate,
            })
            .collect();
        let mut plugins = Vec::with_capacity(specs.len());
        for spec in specs {
            let (plugin, origin) = (spec.name.clone(), spec.origin.clone());
            let digest = digest(&spec.bytes);
            if let Some(same) = self.plugins.iter().find(|plugin| plugin.is(&spec, &digest)) {
                plugins.push(same.clone());
                continue;
            }
            match load(engine, spec, digest).await {
                Ok(plugin) => plugins.push(plugin),
                Err(kind) => errors.push(LoadError { plugin, origin, kind }),
            }
        }
        if errors.is_empty() { Ok(Self { plugins }) } else { Err(errors) }
    }

    /// All of them, in the order of the configuration.
    #[must_use]
    pub fn plugins(&self) -> &[Plugin] {
        &self.plugins
    }

    /// One of them.
    #[must_use]
    pub fn plugin(&self, name: &PluginName) -> Option<&Plugin> {
        self.plugins.iter().find(|plugin| plugin.name() == name)
    }

    /// Which plugins to call when these keys are wanted, and which facts they need.
    #[must_use]
    pub fn plan(&self, wanted: &Wanted) -> Plan {
        Plan::new(&self.plugins, wanted)
    }

    /// Asks every plugin of the plan about one subject, all at once and within this very task: no
    /// other task is spawned, and dropping the future stops them all.
    ///
    /// Every plugin of the plan is in the answer, in the order of the configuration, whatever it
    /// did. Needs a tokio runtime with its clock.
    pub async fn attest(
        &self,
        plan: &Plan,
        facts: Arc<dyn FactSource>,
        deadline: Instant,
    ) -> Vec<Attestation> {
        let deadline = deadline.into_std();
        join_all(plan.calls.iter().map(|call| call::attest(call, &facts, deadline))).await
    }
}
