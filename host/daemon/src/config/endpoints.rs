//! `[endpoints.<name>]`.

use std::collections::BTreeSet;

use witgate_endpoints::{EndpointConfig, EndpointSettings};
use witgate_facts::{Capabilities, Capability};

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

/// Complains about grants of endpoints that are in no file. Whoever is granted one expects that it
/// is there; without this the plugin would find out, one request after the other.
pub(super) fn check_granted(
    plugins: &[PluginConfig],
    endpoints: &[EndpointConfig],
    errors: &mut Vec<ConfigError>,
) {
    let known: BTreeSet<&str> = endpoints.iter().map(EndpointConfig::name).collect();
    for plugin in plugins {
        for name in granted(plugin).filter(|name| !known.contains(name)) {
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
fn granted(plugin: &PluginConfig) -> impl Iterator<Item = &str> {
    plugin.grants.iter().flat_map(Capabilities::iter).filter_map(|grant| match grant {
        Capability::Endpoint(name) => Some(name.as_str()),
        _ => None,
    })
}
