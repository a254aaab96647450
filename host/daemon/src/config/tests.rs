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
        "witgate.toml:8: plugins.Bad: ",
        "witgate.toml:11: plugins.x.grants: \"everything\" cannot be granted: there is no interface",
        "witgate.toml:12: plugins.x.max_assurance: 'certain' is not one of",
        "witgate.toml:10: plugins.x.source: missing",
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
fn brokers_are_named_or_there_is_no_socket_for_them() {
    let (dir, without) = layout("");
    assert_eq!(Config::read(&without).unwrap().broker, None);
    let (_dir, with) = layout("[listen.broker]\nuids = [7]\n");
    let broker = Config::read(&with).unwrap().broker.unwrap();
    assert_eq!(broker.callers, Roles { uids: vec![7], gids: vec![] });
    assert_eq!((broker.listen.path, broker.listen.mode), (with.broker_socket, 0o666));
    for nobody in ["[listen.broker]\n", "[listen]\n[listen.broker]\nuids = []\ngids = []\n"] {
        let found = errors(nobody);
        assert!(found[0].contains("listen.broker: nobody could ask"), "{found:?}");
    }
    let many: Vec<_> = (0..257).collect();
    let found = errors(&format!("[listen.broker]\nuids = {many:?}\nmode = \"0999\"\n"));
    assert!(found[0].contains("3: listen.broker.mode: permission bits"), "{found:?}");
    assert!(found[1].contains("listen.broker: 257 uids and gids are listed"), "{found:?}");
    assert_eq!(errors("[listen.broker]\nuids = [\"root\"]\n").len(), 1);
    // In another file it may be completed.
    fs::write(dir.path().join("witgate.toml"), "[listen.broker]\nmode = \"0660\"\n").unwrap();
    fs::create_dir(dir.path().join("conf.d")).unwrap();
    fs::write(dir.path().join("conf.d/b.toml"), "[listen.broker]\ngids = [8]\n").unwrap();
    let broker = Config::read(&without).unwrap().broker.unwrap();
    assert_eq!((broker.callers.gids, broker.listen.mode), (vec![8], 0o660));
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

#[test]
fn every_mistake_about_an_endpoint_is_found_with_its_place() {
    let found = errors(
        "[endpoints.docker]\nunix = \"run/docker.sock\"\npaths = [\"/a/../b\", \"x\"]\n\
         methods = [\"DELETE\"]\ntimeout_ms = 0\n[endpoints.kubelet]\nurl = \"https://127.0.0.1:10250\"\n\
         concurrency = \"many\"\npath = []\n[endpoints.Bad]\nunix = \"/s\"\npaths = [\"/\"]\n",
    );
    let expected = [
        "witgate.toml:2: endpoints.docker.unix: `unix` is \"run/docker.sock\": write an absolute path",
        "witgate.toml:3: endpoints.docker.paths: `paths` is \"/a/../b\"",
        "witgate.toml:3: endpoints.docker.paths: `paths` is \"x\"",
        "witgate.toml:4: endpoints.docker.methods: `methods` is \"DELETE\"",
        "witgate.toml:5: endpoints.docker.timeout_ms: `timeout_ms` is 0: it must be from 1",
        "witgate.toml:6: endpoints.kubelet.ca_file: `ca_file` is missing",
        "witgate.toml:6: endpoints.kubelet.paths: `paths` is missing",
        "witgate.toml:8: endpoints.kubelet.concurrency: invalid type",
        "witgate.toml:9: endpoints.kubelet.path: unknown key; did you mean paths?",
        "witgate.toml:10: endpoints.Bad: an endpoint cannot be called \"Bad\"",
    ];
    for part in expected {
        assert!(found.iter().any(|error| error.contains(part)), "{part} not in {found:#?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
}

#[test]
fn a_value_of_another_type_is_complained_about_once() {
    let found = errors("[endpoints.a]\nunix = \"/s\"\npaths = 5\n");
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].starts_with("witgate.toml:3: endpoints.a.paths: invalid type"), "{found:?}");
    let found = errors("[endpoints.a]\nunix = \"/s\"\npaths = []\n");
    assert!(found.len() == 1 && found[0].contains("witgate.toml:3"), "{found:?}");
}

#[test]
fn a_grant_of_an_endpoint_that_is_not_there_says_what_to_write() {
    let plugin = "[plugins.x]\nsource = \"x.wasm\"\ngrants = [\"cmdline\", \"http:docker\"]\n";
    let found = errors(plugin);
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("witgate.toml:3: plugins.x.grants: "), "{found:?}");
    let (_, lines) = found[0].split_once("\n\n").unwrap();
    let (_dir, layout) = layout(&format!("{plugin}{lines}"));
    let config = Config::read(&layout).unwrap();
    assert_eq!(config.endpoints[0].name(), "docker");
}

#[test]
fn a_later_file_replaces_an_endpoint_as_a_whole() {
    let first = "[endpoints.a]\nunix = \"/a\"\npaths = [\"/\"]\ntimeout_ms = 5\n\
                 [endpoints.b]\nunix = \"/b\"\npaths = [\"/\"]\n[reload]\nwatch = false\n\
                 [supply]\nrequire_lock = true\n";
    let (dir, layout) = layout(first);
    let before = Config::read(&layout).unwrap();
    fs::create_dir(dir.path().join("conf.d")).unwrap();
    let later = "[endpoints.a]\nunix = \"/a\"\npaths = [\"/\"]\n[supply]\nrequire_lock = false\n";
    fs::write(dir.path().join("conf.d/a.toml"), later).unwrap();
    let after = Config::read(&layout).unwrap();
    let of = |config: &Config, name: &str| {
        config.endpoints.iter().find(|endpoint| endpoint.name() == name).cloned()
    };
    assert_ne!(of(&before, "a"), of(&after, "a"));
    assert_eq!(of(&before, "b"), of(&after, "b"));
    assert_eq!((before.supply.require_lock, after.supply.require_lock), (true, false));
    assert!(!after.watch);
}

/// A minisign public key, from its documentation.
const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

#[test]
fn keys_that_are_none_and_signatures_without_a_key_are_mistakes() {
    let found = errors("[supply]\nrequire_signature = true\n");
    assert!(found[0].starts_with("witgate.toml:2: supply.require_signature: no key is trusted"));
    let wrong = "[supply]\ntrusted_keys = [{ name = \"a\", key = \"RW\" }, { name = \"b\", key = \"x\" }]\n";
    let found = errors(wrong);
    assert!(found.len() == 1 && found[0].starts_with("witgate.toml:2: supply.trusted_keys: "));
    assert!(found[0].contains("key \"a\"") && found[0].contains("key \"b\""), "{found:?}");
    let good = format!(
        "[supply]\nrequire_signature = true\ntrusted_keys = [{{ name = \"a\", key = \"{KEY}\" }}]\n"
    );
    let (_dir, layout) = layout(&good);
    let supply = Config::read(&layout).unwrap().supply;
    assert!(supply.require_signature && supply.trusted_keys.names().count() == 1);
}

#[test]
fn an_unchecked_plugin_is_for_a_folder_of_ones_own() {
    let text = "[plugins.x]\nsource = \"x.wasm\"\ndev_override = true\n";
    let (_dir, mut layout) = layout(&format!("trust_domain = \"a.example\"\n{text}"));
    assert!(Config::read(&layout).unwrap().plugins[0].dev_override);
    layout.one_folder = false;
    let error = Config::read(&layout).unwrap_err().remove(0).to_string();
    assert!(error.contains(":4: plugins.x.dev_override: an installed daemon"), "{error}");
    let found = errors("[plugins.x]\nsource = \"builtin:unix\"\ndev_override = true\n");
    assert!(found[0].contains("x.dev_override: a built-in plugin is not checked"), "{found:?}");
    let found = errors("[plugins.x]\nsource = \"builtin:unix\"\nsignature = \"x.minisig\"\n");
    assert!(found[0].contains(":3: plugins.x.signature: a built-in"), "{found:?}");
    let found = errors("[plugins.x]\nsource = \"x.wasm\"\nsignature = \"x.sig\"\n");
    assert!(found[0].contains("ends in .minisig"), "{found:?}");
}

/// What stands in comments of the file that `witgate init` writes is there to be used.
#[test]
fn the_commented_configuration_is_one() {
    let template = include_str!("../../../cli/src/witgate.toml");
    let is_setting = |line: &str| {
        let key = line.trim_start_matches(|c: char| c.is_ascii_lowercase() || c == '_');
        line.starts_with('[') || (key != line && key.starts_with(" = "))
    };
    let uncommented: Vec<_> = template
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|line| is_setting(line)).unwrap_or(line))
        .collect();
    let (_dir, layout) = layout(&uncommented.join("\n"));
    let config = Config::read(&layout).unwrap_or_else(|errors| panic!("{errors:#?}"));
    assert_eq!((config.plugins.len(), config.endpoints.len()), (3, 2));
    assert_eq!(config.supply.trusted_keys.names().count(), 1);
    let os = config.plugins.iter().find(|plugin| plugin.name.as_str() == "os").unwrap();
    assert_eq!(os.grants.as_ref().unwrap().len(), 2);
}

/// The example values of a schema's object as a table.
fn examples(schema: &serde_json::Value) -> toml::Table {
    let properties = schema["properties"].as_object().unwrap();
    let value = |property: &serde_json::Value| match property.get("examples") {
        Some(examples) => toml::Value::try_from(&examples[0]).unwrap(),
        None => examples(property).into(),
    };
    properties.iter().map(|(key, property)| (key.clone(), value(property))).collect()
}

#[test]
fn the_schema_allows_what_the_daemon_reads() {
    let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
    let (_dir, layout) = layout(&examples(&schema).to_string());
    let config = Config::read(&layout).unwrap_or_else(|errors| panic!("{errors:#?}"));
    assert_eq!((config.plugins.len(), config.node.as_str()), (2, "edge1"));
    assert_eq!(config.endpoints.len(), 2);
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
    let endpoint = &schema["properties"]["endpoints"]["additionalProperties"];
    let tables = [
        ("", &schema),
        ("[host]", &schema["properties"]["host"]),
        ("[listen]", &schema["properties"]["listen"]),
        ("[listen.public]", &listen["public"]),
        ("[listen.admin]", &listen["admin"]),
        ("[listen.broker]\nuids = [0]", &listen["broker"]),
        ("[listen.admin.view]", &listen["admin"]["properties"]["view"]),
        ("[limits]", &schema["properties"]["limits"]),
        ("[audit]", &schema["properties"]["audit"]),
        ("[reload]", &schema["properties"]["reload"]),
        ("[supply]", &schema["properties"]["supply"]),
        ("[endpoints.docker]", endpoint),
        ("[plugins.unix]", plugin),
    ];
    for (table, schema) in tables {
        let mut keys: Vec<_> = schema["properties"].as_object().unwrap().keys().cloned().collect();
        keys.sort();
        assert_eq!(known_keys(table), keys, "{table}");
    }
}
