use std::fs;

use super::*;

fn layout(config: &str) -> (tempfile::TempDir, Layout) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("witgate.toml"), config).unwrap();
    let layout = Layout::below(dir.path());
    (dir, layout)
}

fn errors(config: &str) -> Vec<String> {
    let (dir, layout) = layout(config);
    let errors = Config::read(&layout).unwrap_err();
    let dir = format!("{}/", dir.path().display());
    errors.iter().map(|error| error.to_string().replace(&dir, "")).collect()
}

#[test]
fn an_empty_folder_is_a_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config::read(&Layout::below(dir.path())).unwrap();
    assert_eq!(config.trust_domain.as_str(), DEV_TRUST_DOMAIN);
    let plugins: Vec<_> = config.plugins.iter().map(|plugin| plugin.source.as_str()).collect();
    assert_eq!(plugins, ["builtin:unix", "builtin:container"]);
    assert_eq!(config.public.path, dir.path().join("public/api.sock"));
    assert_eq!((config.public.mode, config.admin.mode), (0o666, 0o660));
}

#[test]
fn an_installed_daemon_needs_a_trust_domain() {
    let (_dir, mut layout) = layout("");
    layout.one_folder = false;
    let errors = Config::read(&layout).unwrap_err();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].key, "trust_domain");
    layout.config = layout.config.with_file_name("none.toml");
    let errors = Config::read(&layout).unwrap_err();
    assert!(errors[0].to_string().contains("witgate init"), "{errors:?}");
}

#[test]
fn every_mistake_is_found_at_once_with_its_place() {
    let found = errors(
        "trust_domain = \"Example\"\ntrust_domian = 1\n[listen.public]\nmode = \"0888\"\npath = \"x.sock\"\n\
         [limits]\nrequests_per_second = 0\n[plugins.Bad]\nsource = \"builtin:unix\"\n[plugins.x]\n\
         grants = [\"everything\"]\nmax_assurance = \"certain\"\n",
    );
    let expected = [
        "witgate.toml:1: trust_domain: trust domain \"Example\"",
        "witgate.toml:2: trust_domian: unknown key; did you mean trust_domain?",
        "witgate.toml:4: listen.public.mode: permission bits",
        "witgate.toml:5: listen.public.path: the path of a socket must be absolute",
        "witgate.toml:7: limits.requests_per_second: must be at least 1",
        "plugins.Bad",
        "witgate.toml:11: plugins.x.grants: there is no interface \"everything\"",
        "witgate.toml:12: plugins.x.max_assurance: 'certain' is not one of",
        "plugins.x.source: missing",
    ];
    for part in expected {
        assert!(found.iter().any(|error| error.contains(part)), "{part} not in {found:#?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
}

#[test]
fn a_syntax_error_does_not_hide_the_rest() {
    let found = errors("strict_plugins = maybe\n[limits]\nburst = 3\n");
    assert!(found.iter().any(|error| error.starts_with("witgate.toml:1:")), "{found:?}");
    assert!(found.iter().any(|error| error.contains("limits.burst: unknown key")), "{found:?}");
}

#[test]
fn a_later_file_wins_key_by_key() {
    let (dir, layout) = layout(
        "trust_domain = \"a.example\"\n[limits]\nrequest_burst = 5\nrequests_per_second = 6\n\
         [plugins.unix]\nsource = \"builtin:unix\"\n",
    );
    fs::create_dir(dir.path().join("conf.d")).unwrap();
    fs::write(dir.path().join("conf.d/b.toml"), "[limits]\nrequest_burst = 7\n").unwrap();
    fs::write(
        dir.path().join("conf.d/a.toml"),
        "trust_domain = \"b.example\"\n[limits]\nrequest_burst = 9\n[plugins.unix]\nsource = \"builtin:unix\"\nrequired = true\n",
    )
    .unwrap();
    fs::write(dir.path().join("conf.d/ignored.bak"), "nonsense").unwrap();
    let config = Config::read(&layout).unwrap();
    assert_eq!(config.trust_domain.as_str(), "b.example");
    assert_eq!((config.limits.request_burst, config.limits.requests_per_second), (7, 6));
    assert!(config.plugins.len() == 1 && config.plugins[0].required);
}

#[test]
fn a_plugin_keeps_its_settings() {
    let (_dir, layout) = layout(
        "[plugins.unix]\nsource = \"builtin:unix\"\nmax_assurance = \"kernel\"\ngrants = [\"executable\"]\n\
         settings = { discover_workload_path = true }\n",
    );
    let config = Config::read(&layout).unwrap();
    assert_eq!(config.plugins[0].settings, serde_json::json!({ "discover_workload_path": true }));
    assert_eq!(config.plugins[0].grants.as_ref().unwrap().len(), 1);
}

/// The example values of a schema's object as a table.
fn examples(schema: &serde_json::Value) -> toml::Table {
    let properties = schema["properties"].as_object().unwrap();
    let value = |property: &serde_json::Value| match property.get("examples") {
        Some(examples) => toml::Value::try_from(&examples[0]).unwrap(),
        None if property.get("properties").is_some() => examples(property).into(),
        None => toml::Table::from_iter([(
            "unix".to_owned(),
            examples(&property["additionalProperties"]).into(),
        )])
        .into(),
    };
    properties.iter().map(|(key, property)| (key.clone(), value(property))).collect()
}

#[test]
fn the_schema_allows_what_the_daemon_reads() {
    let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
    let (_dir, layout) = layout(&examples(&schema).to_string());
    let config = Config::read(&layout).unwrap();
    assert_eq!((config.plugins.len(), config.node.as_str()), (1, "edge1"));
}

/// The keys that the daemon names when it meets one that it does not know.
fn known_keys(table: &str) -> Vec<String> {
    let found = errors(&format!("{table}\nzzzzzzzz = 1\n"));
    let error = found.iter().find(|error| error.contains("zzzzzzzz")).unwrap();
    let list = error.split_once("the keys here are ").unwrap().1;
    let mut keys: Vec<_> = list.split(", ").map(str::to_owned).collect();
    keys.sort();
    keys
}

#[test]
fn the_daemon_reads_what_the_schema_allows() {
    let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
    let listen = &schema["properties"]["listen"]["properties"];
    let plugin = &schema["properties"]["plugins"]["additionalProperties"];
    let tables = [
        ("", &schema),
        ("[host]", &schema["properties"]["host"]),
        ("[listen]", &schema["properties"]["listen"]),
        ("[listen.public]", &listen["public"]),
        ("[listen.admin]", &listen["admin"]),
        ("[listen.admin.view]", &listen["admin"]["properties"]["view"]),
        ("[limits]", &schema["properties"]["limits"]),
        ("[audit]", &schema["properties"]["audit"]),
        ("[plugins.unix]", plugin),
    ];
    for (table, schema) in tables {
        let mut keys: Vec<_> = schema["properties"].as_object().unwrap().keys().cloned().collect();
        keys.sort();
        assert_eq!(known_keys(table), keys, "{table}");
    }
}
