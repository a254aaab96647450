//! `[endpoints.<name>]`.

use std::collections::BTreeSet;

use witgate_builtins::DefaultEndpoint;
use witgate_endpoints::{EndpointConfig, EndpointSettings};
use witgate_facts::Capability;

use super::{ConfigError, PluginConfig, table::Table};

pub(super) fn read(name: &str, table: &mut Table<'_>) -> Option<EndpointConfig> {
    let settings = EndpointSettings {
        unix: table.take("unix"),
        url: table.take("url"),
        allow_plain_http: table.take("allow_plain_http"),
        ca_file: table.take("ca_file"),
        token_file: table.take("token_file"),
        client_certificate_file: table.take("client_certificate_file"),
        client_key_file: table.take("client_key_file"),
        server_name: table.take("server_name"),
        methods: table.take("methods"),
        paths: table.take("paths"),
        timeout_ms: table.take("timeout_ms"),
        max_response_kib: table.take("max_response_kib"),
        concurrency: table.take("concurrency"),
    };
    let mistakes = match EndpointConfig::new(name, &settings) {
        Ok(config) => return Some(config),
        Err(mistakes) => mistakes,
    };
    for mistake in mistakes {
        // A value of another type than it should be was complained about already.
        if !table.misfits(mistake.key()) {
            table.complain(mistake.key(), mistake.to_string());
        }
    }
    None
}

/// Adds what first-party attestors ask by default, unless the operator says where it is.
pub(super) fn add_defaults(plugins: &[PluginConfig], endpoints: &mut Vec<EndpointConfig>) {
    for plugin in plugins {
        let offered = plugin.embedded().map_or(&[][..], |builtin| builtin.default_endpoints);
        let wanted = granted(plugin);
        for default in offered.iter().filter(|default| wanted.contains(default.name)) {
            let known = endpoints.iter().any(|endpoint| endpoint.name() == default.name);
            if !known && let Ok(endpoint) = EndpointConfig::new(default.name, &settings(default)) {
                endpoints.push(endpoint);
            }
        }
    }
}

fn settings(default: &DefaultEndpoint) -> EndpointSettings {
    EndpointSettings {
        unix: Some(default.unix.into()),
        paths: Some(default.paths.iter().map(|&path| path.to_owned()).collect()),
        ..EndpointSettings::default()
    }
}

/// Complains about grants of endpoints that are in no file. Whoever is granted one expects that it
/// is there; without this the plugin would find out, one request after the other.
pub(super) fn check_granted(
    plugins: &[PluginConfig],
    endpoints: &[EndpointConfig],
    errors: &mut Vec<ConfigError>,
) {
    let known: BTreeSet<&str> = endpoints.iter().map(EndpointConfig::name).collect();
    for plugin in plugins {
        for name in granted(plugin).iter().filter(|name| !known.contains(name.as_str())) {
            let message = format!(
                "plugin {} is granted \"http:{name}\", and there is no endpoint of that name; say \
                 where it is and what may be asked of it:\n\n[endpoints.{name}]\n\
                 unix = \"/run/{name}.sock\"\npaths = [\"/\"]\n",
                plugin.name
            );
            errors.push(plugin.mistake("grants", message));
        }
    }
}

/// The endpoints that a plugin was granted by name.
fn granted(plugin: &PluginConfig) -> BTreeSet<String> {
    let name = |grant: &Capability| match grant {
        Capability::Endpoint(name) => Some(name.clone()),
        _ => None,
    };
    plugin.effective_grants().iter().filter_map(name).collect()
}
