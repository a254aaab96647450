//! The endpoints of a configuration, and what of them each plugin gets.

use std::{collections::BTreeMap, sync::Arc};

use witgate_endpoints::{EndpointConfig, EndpointHealth, NamedEndpoints};
use witgate_facts::{Capabilities, Capability, Endpoints};
use witgate_identity::PluginName;

/// All endpoints, and each plugin's own view of them.
///
/// An endpoint that is configured as before is the same one after a reload, with its slots and its
/// counters. And the view of a plugin is the same one as long as nothing in it has changed, so that
/// the plugin itself can be taken over.
#[derive(Debug, Clone, Default)]
pub(crate) struct EndpointSets {
    all: NamedEndpoints,
    configs: Vec<EndpointConfig>,
    views: BTreeMap<PluginName, View>,
}

#[derive(Debug, Clone)]
struct View {
    configs: Vec<EndpointConfig>,
    endpoints: Arc<NamedEndpoints>,
}

impl EndpointSets {
    /// The endpoints of a configuration, without any view yet.
    pub(crate) fn new(configs: &[EndpointConfig], earlier: &Self) -> Self {
        Self {
            all: NamedEndpoints::new(configs.iter().cloned()).keeping(&earlier.all),
            configs: configs.to_vec(),
            views: BTreeMap::new(),
        }
    }

    /// What a plugin with these grants gets: the endpoints that are among them and no others.
    pub(crate) fn view(
        &mut self,
        plugin: &PluginName,
        grants: &Capabilities,
        earlier: &Self,
    ) -> Arc<dyn Endpoints> {
        let granted = |config: &&EndpointConfig| {
            grants.cover(&Capability::Endpoint(config.name().to_owned()))
        };
        let configs: Vec<_> = self.configs.iter().filter(granted).cloned().collect();
        let same = earlier.views.get(plugin).filter(|view| view.configs == configs).cloned();
        let view = same.unwrap_or_else(|| {
            let names = configs.iter().map(EndpointConfig::name);
            View { endpoints: Arc::new(self.all.only(names)), configs: configs.clone() }
        });
        let endpoints = Arc::clone(&view.endpoints);
        self.views.insert(plugin.clone(), view);
        endpoints
    }

    /// How each endpoint is doing, by name.
    pub(crate) fn health(&self) -> Vec<EndpointHealth> {
        self.all.health()
    }

    /// What is wrong now with the files of the endpoints: a sentence each.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let failed = self.all.check_files().into_iter();
        failed
            .map(|(name, error)| {
                let cause = crate::causes::with_causes(&error);
                format!("endpoint {name} cannot be used now: {cause}")
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use witgate_endpoints::EndpointSettings;

    use super::*;

    fn configs(timeout_ms: u64) -> Vec<EndpointConfig> {
        let config = |name: &str, timeout_ms| {
            let settings = EndpointSettings {
                unix: Some(format!("/run/{name}.sock").into()),
                paths: Some(vec!["/".to_owned()]),
                timeout_ms: Some(timeout_ms),
                ..EndpointSettings::default()
            };
            EndpointConfig::new(name, &settings).unwrap()
        };
        vec![config("docker", timeout_ms), config("podman", 1)]
    }

    fn grants(words: &[&str]) -> Capabilities {
        words.iter().map(|word| word.parse::<Capability>().unwrap()).collect()
    }

    /// The views of three plugins: of docker, of podman, of nothing.
    fn views(
        configs: &[EndpointConfig],
        earlier: &EndpointSets,
    ) -> (EndpointSets, Vec<Arc<dyn Endpoints>>) {
        let mut sets = EndpointSets::new(configs, earlier);
        let plugins = [("a", &["http:docker"][..]), ("b", &["http:podman"]), ("c", &["cmdline"])];
        let views = plugins.map(|(name, words)| {
            sets.view(&PluginName::new(name).unwrap(), &grants(words), earlier)
        });
        (sets, views.to_vec())
    }

    #[test]
    fn a_plugin_keeps_its_view_unless_something_in_it_changes() {
        let same = |one: &[Arc<dyn Endpoints>], other: &[Arc<dyn Endpoints>]| -> Vec<bool> {
            one.iter().zip(other).map(|(one, other)| Arc::ptr_eq(one, other)).collect()
        };
        let (first, at_first) = views(&configs(10), &EndpointSets::default());
        let (second, then) = views(&configs(10), &first);
        assert_eq!(same(&at_first, &then), [true, true, true]);
        let (_, at_last) = views(&configs(20), &second);
        assert_eq!(same(&then, &at_last), [false, true, true]);
    }

    #[test]
    fn a_view_has_what_was_granted_and_nothing_else() {
        let (sets, _) = views(&configs(10), &EndpointSets::default());
        let names = |plugin| -> Vec<_> {
            let view = &sets.views[&PluginName::new(plugin).unwrap()];
            view.endpoints.names().map(str::to_owned).collect()
        };
        assert_eq!(names("a"), ["docker"]);
        assert!(names("c").is_empty());
        assert_eq!(sets.health().len(), 2);
    }
}
