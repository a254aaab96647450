//! The schemas in `wit/` say what the code reads and writes.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot read the repository has failed"
)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use witgate_facts::{Capability, FactName, Interface, PluginToml, fixture::Recorded};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn schema(name: &str) -> Value {
    read(&repository().join("wit").join(name))
}

/// As much of JSON Schema as the schemas here use. Patterns and lengths are for editors: the code
/// says more about those in its own messages.
struct Validator<'a> {
    root: &'a Value,
}

const FOR_PEOPLE: [&str; 14] = [
    "$defs",
    "$schema",
    "contentEncoding",
    "default",
    "description",
    "examples",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "pattern",
    "title",
];

impl Validator<'_> {
    /// Whether it is allowed.
    fn allows(&self, schema: &Value, value: &Value) -> bool {
        let rules = match schema {
            Value::Bool(allowed) => return *allowed,
            Value::Object(rules) => rules,
            other => panic!("no schema: {other}"),
        };
        rules.iter().all(|(rule, argument)| self.rule(rules, rule, argument, value))
    }

    fn rule(
        &self,
        rules: &serde_json::Map<String, Value>,
        rule: &str,
        argument: &Value,
        value: &Value,
    ) -> bool {
        let count = |schemas: &Value| {
            schemas.as_array().unwrap().iter().filter(|schema| self.allows(schema, value)).count()
        };
        match rule {
            "$ref" => self.allows(self.definition(argument), value),
            "type" => match argument {
                Value::Array(kinds) => kinds.iter().any(|kind| is_of(value, kind)),
                kind => is_of(value, kind),
            },
            "enum" => argument.as_array().unwrap().contains(value),
            "oneOf" => count(argument) == 1,
            "anyOf" => count(argument) > 0,
            "required" => value.as_object().is_none_or(|fields| {
                argument
                    .as_array()
                    .unwrap()
                    .iter()
                    .all(|n| fields.contains_key(n.as_str().unwrap()))
            }),
            "properties" => value.as_object().is_none_or(|fields| {
                let known = |(name, schema): (&String, _)| Some((fields.get(name)?, schema));
                let all = argument.as_object().unwrap();
                all.iter().filter_map(known).all(|(value, schema)| self.allows(schema, value))
            }),
            "additionalProperties" => value.as_object().is_none_or(|fields| {
                let known = |name: &String| rules.get("properties").and_then(|all| all.get(name));
                let mut others = fields.iter().filter(|(name, _)| known(name).is_none());
                others.all(|(_, value)| self.allows(argument, value))
            }),
            "prefixItems" => value.as_array().is_none_or(|items| {
                let schemas = argument.as_array().unwrap();
                items.iter().zip(schemas).all(|(item, schema)| self.allows(schema, item))
            }),
            "items" => value.as_array().is_none_or(|items| {
                let before = rules.get("prefixItems").and_then(Value::as_array).map_or(0, Vec::len);
                items.iter().skip(before).all(|item| self.allows(argument, item))
            }),
            "uniqueItems" => value.as_array().is_none_or(|items| {
                items.iter().map(ToString::to_string).collect::<BTreeSet<_>>().len() == items.len()
            }),
            other if FOR_PEOPLE.contains(&other) => true,
            other => panic!("{other} is not understood here"),
        }
    }

    fn definition(&self, reference: &Value) -> &Value {
        let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
        self.root.pointer(pointer).unwrap_or_else(|| panic!("nothing at {reference}"))
    }
}

fn is_of(value: &Value, kind: &Value) -> bool {
    match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "null" => value.is_null(),
        other => panic!("no such type: {other}"),
    }
}

fn names(object: &Value) -> BTreeSet<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// Every field, so that a new one cannot be forgotten here.
fn everything() -> Recorded {
    let text = fs::read_to_string(repository().join("host/facts/tests/everything.json")).unwrap();
    let all: Recorded = serde_json::from_str(&text).unwrap();
    let Recorded {
        schema,
        about,
        challenged,
        credentials,
        names,
        label,
        privileges,
        state,
        start_time,
        comm,
        cgroups_trusted,
        cgroups_claimed,
        namespaces,
        doubts,
        executable,
        executable_sha256,
        ancestry,
        cmdline,
        environ,
        host_files,
        workload_files,
        systemd_unit,
        exchanges,
    } = &all;
    assert!(schema.is_some() && !about.is_empty() && *challenged);
    assert!(credentials.is_some() && names.is_some() && label.is_some() && privileges.is_some());
    assert!(state.is_some() && start_time.is_some() && comm.is_some());
    assert!(cgroups_trusted.is_some() && cgroups_claimed.is_some() && namespaces.is_some());
    assert!(
        doubts.is_some()
            && executable.is_some()
            && executable_sha256.is_some()
            && ancestry.is_some()
    );
    assert!(cmdline.is_some() && systemd_unit.is_some());
    assert!(!environ.is_empty() && !host_files.is_empty() && !workload_files.is_empty());
    assert!(!exchanges.is_empty());
    all
}

#[test]
fn the_schema_has_the_fields_of_a_fixture_and_no_other() {
    let schema = schema("fixture.schema.json");
    let written = serde_json::to_value(everything()).unwrap();
    assert_eq!(names(&schema["properties"]), names(&written));
    for fact in FactName::ALL {
        let field = match fact {
            FactName::HttpResponse => "http.exchanges",
            other => other.as_str(),
        };
        assert!(names(&written).contains(field), "{field}");
    }
}

#[test]
fn every_fixture_that_can_be_written_is_allowed() {
    let schema = schema("fixture.schema.json");
    let validator = Validator { root: &schema };
    let written = serde_json::to_value(everything()).unwrap();
    for (name, value) in written.as_object().unwrap() {
        assert!(validator.allows(&schema["properties"][name], value), "{name}: {value}");
    }
    assert!(validator.allows(&schema, &written));
    assert!(validator.allows(&schema, &serde_json::to_value(Recorded::default()).unwrap()));
}

#[test]
fn what_the_code_refuses_the_schema_refuses() {
    let schema = schema("fixture.schema.json");
    let validator = Validator { root: &schema };
    for wrong in [
        json!({ "process.pid": { "ok": 1 } }),
        json!({ "process.comm": { "ok": "a", "err": "gone" } }),
        json!({ "process.comm": { "ok": { "base64": "AA==", "text": "" } } }),
        json!({ "process.comm": { "ok": [1, 2] } }),
        json!({ "process.comm": "a" }),
        json!({ "process.label": { "err": "lost" } }),
        json!({ "process.credentials": { "ok": { "uid": 1, "gid": 1 } } }),
        json!({ "environ.variables": { "A": "1" } }),
        json!({ "files.host": { "/a": { "text": { "ok": "" } } } }),
        json!({ "files.host": { "/a": { "entries": { "ok": [{ "name": "a", "kind": "pipe" }] } } } }),
        json!({ "http.exchanges": [{ "endpoint": "a" }] }),
        json!({ "http.exchanges": [{
            "endpoint": "a", "request": { "method": "GET", "path": "/" }, "outcome": { "err": "odd" },
        }] }),
    ] {
        assert!(serde_json::from_value::<Recorded>(wrong.clone()).is_err(), "{wrong}");
        assert!(!validator.allows(&schema, &wrong), "{wrong}");
    }
}

fn files(directory: &Path, end: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.to_str().unwrap().ends_with(end)).collect()
}

#[test]
fn the_fixtures_of_the_examples_are_allowed() {
    let schema = schema("fixture.schema.json");
    let validator = Validator { root: &schema };
    let all = files(&repository().join("examples/attestors/fixtures"), ".json");
    assert!(all.len() > 2);
    for path in all {
        let is_report = path.to_str().unwrap().ends_with(".expected.json");
        let rule = if is_report { &schema["$defs"]["expected"] } else { &schema };
        assert!(validator.allows(rule, &read(&path)), "{}", path.display());
    }
}

#[test]
fn the_schema_has_the_fields_of_plugin_toml_and_every_interface() {
    let schema = schema("plugin.schema.json");
    let full = PluginToml {
        name: witgate_identity::PluginName::new("a").unwrap(),
        version: "1".to_owned(),
        description: "d".to_owned(),
        language: Some("rust".to_owned()),
        requests: Interface::ALL.into_iter().map(Capability::Interface).collect(),
    };
    assert_eq!(names(&schema["properties"]), names(&serde_json::to_value(full).unwrap()));
    let capabilities = &schema["$defs"]["capability"]["anyOf"];
    let whole: BTreeSet<_> = capabilities[0]["enum"]
        .as_array()
        .unwrap()
        .iter()
        .map(|word| word.as_str().unwrap())
        .collect();
    for interface in Interface::ALL.map(Interface::as_str) {
        assert_eq!(
            whole.contains(interface),
            interface.parse::<Capability>().is_ok(),
            "{interface}"
        );
    }
}

#[test]
fn the_manifests_of_our_plugins_are_allowed() {
    let schema = schema("plugin.schema.json");
    let validator = Validator { root: &schema };
    for name in ["unix", "container"] {
        let path = repository().join("plugins").join(name).join("plugin.toml");
        let value: Value = toml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        assert!(validator.allows(&schema, &value), "{name}");
    }
    for wrong in
        [json!({ "name": "a" }), json!({ "name": "a", "version": "", "description": "", "x": 1 })]
    {
        assert!(!validator.allows(&schema, &wrong), "{wrong}");
    }
}
