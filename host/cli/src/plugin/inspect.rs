//! `witgate plugin inspect`: everything that can be known about a plugin before it is added.

use serde_json::{Value, json};
use witgate_attestor::{Inspection, Plugin, inspect as look};
use witgate_daemon::config::{Config, Layout, PluginConfig};
use witgate_facts::FactName;
use witgate_provenance::{LockFile, Owner};

use super::{args::InspectOptions, source::Source, words, workshop::Workshop};
use crate::{
    args::Place,
    exit::{Exit, Failure},
    output::{say, say_json},
};

/// What this host says about a plugin of that file or name.
#[derive(Debug, Default)]
struct Here {
    configured: Option<PluginConfig>,
    pinned: bool,
}

/// Looks, loads it as its author means it, and shows all of it.
pub(crate) fn inspect(place: &Place, options: &InspectOptions) -> Result<Exit, Failure> {
    let source = Source::open(&options.target, options.no_build)?;
    let mut spec = source.spec()?;
    let here = Here::of(place, &source, spec.name.as_str());
    spec.max_assurance = here.configured.as_ref().and_then(|plugin| plugin.max_assurance);
    let loaded = Workshop::open()?.load(spec);
    let inspection = match (look(source.component.bytes()), &loaded) {
        (Ok(inspection), _) => inspection,
        // Loading looks at the first bytes too, and knows what they are instead of a component.
        (Err(_), Err(failure)) => return Err(Failure::new(failure.exit, failure.to_string())),
        (Err(error), Ok(_)) => return Err(Failure::new(Exit::Deny, error.to_string())),
    };
    if options.form.json {
        say_json(&for_scripts(&inspection, &here, &loaded))?;
    } else {
        say(&for_people(&inspection, &here, &loaded));
    }
    Ok(if loaded.is_ok() { Exit::Ok } else { Exit::Deny })
}

impl Here {
    /// What can be read of it; an author's machine has none, and a plugin can be looked at anywhere.
    fn of(place: &Place, source: &Source, name: &str) -> Self {
        let Ok(layout) = place.layout() else { return Self::default() };
        let owner = if layout.one_folder { Owner::Anyone } else { Owner::RootOrUs };
        let lock = LockFile::read(&layout.lock, owner).unwrap_or_default();
        let digest = source.component.sha256();
        let pinned = lock.pins().any(|pin| pin.sha256 == digest);
        let plugins = Config::read(&layout).map_or_else(|_| Vec::new(), |config| config.plugins);
        let is_it = |plugin: &PluginConfig| {
            plugin.name.as_str() == name || is_file(plugin, &layout, source)
        };
        Self { configured: plugins.into_iter().find(is_it), pinned }
    }
}

fn is_file(plugin: &PluginConfig, layout: &Layout, source: &Source) -> bool {
    let file = plugin.file(&layout.plugins).and_then(|file| file.canonicalize().ok());
    file.is_some() && file == source.path.canonicalize().ok()
}

fn for_scripts(seen: &Inspection, here: &Here, loaded: &Result<Plugin, Failure>) -> Value {
    let requests = seen.toml.requests.iter().map(|asked| {
        let (meaning, level) = (words::meaning(asked), words::level(asked));
        json!({ "request": asked, "meaning": meaning, "level": level })
    });
    let keys = loaded.as_ref().ok().map(|plugin| {
        let keys = plugin.manifest().keys().map(|(key, spec)| {
            let assurance = json!({
                "unchallenged": spec.assurance(false), "challenged": spec.assurance(true),
            });
            json!({ "key": key, "spec": spec, "assurance": assurance })
        });
        keys.collect::<Vec<_>>()
    });
    let schema = loaded.as_ref().ok().map(|plugin| plugin.manifest().config_schema());
    let schema = schema.and_then(|text| serde_json::from_str::<Value>(text).ok());
    let limits = words::limits().into_iter().map(|(name, limit)| (name.to_owned(), limit.into()));
    json!({
        "name": seen.toml.name,
        "version": seen.toml.version,
        "description": seen.toml.description,
        "language": seen.toml.language,
        "sha256": seen.digest,
        "bytes": seen.bytes,
        "pinned": here.pinned,
        "requests": requests.collect::<Vec<_>>(),
        "grants": here.configured.as_ref().and_then(|plugin| plugin.grants.as_ref()),
        "keys": keys,
        "config_schema": schema,
        "limits": Value::Object(limits.collect()),
        "producers": seen.producers,
        "imports": seen.imports,
        "fixtures": seen.fixtures,
        "error": loaded.as_ref().err().map(ToString::to_string),
    })
}

fn for_people(seen: &Inspection, here: &Here, loaded: &Result<Plugin, Failure>) -> String {
    let mut lines = vec![
        format!("{} {}: {}", seen.toml.name, seen.toml.version, seen.toml.description),
        format!("  sha256 {}", seen.digest),
        format!("  {}, {} fixtures, {}", words::size(seen.bytes), seen.fixtures, pinned(here)),
    ];
    let mut section = |title: &str, items: Vec<String>| {
        if !items.is_empty() {
            lines.push(title.to_owned());
            lines.extend(items.into_iter().map(|item| format!("  {item}")));
        }
    };
    section("asks for", asks(seen));
    section("is granted on this host", grants(here));
    match loaded {
        Ok(plugin) => {
            section(
                "reports",
                plugin
                    .manifest()
                    .keys()
                    .flat_map(|(key, spec)| reports(plugin, key.as_str(), spec))
                    .collect(),
            );
            let schema = plugin.manifest().config_schema();
            let schema = if schema.is_empty() { Vec::new() } else { vec![schema.to_owned()] };
            section("its settings, as JSON schema", schema);
        }
        Err(failure) => section("DOES NOT LOAD", vec![failure.to_string()]),
    }
    let limits = words::limits();
    section("limits", limits.iter().map(|(name, limit)| format!("{name:<30} {limit}")).collect());
    let made = seen
        .producers
        .iter()
        .map(|by| format!("{}: {} {}", by.role, by.name, by.version).trim_end().to_owned());
    section("made by", made.collect());
    let imports = seen.imports.iter();
    let imports = imports.map(|i| format!("{:<40} {}", i.name, words::of_import(i.kind)));
    section("imports", imports.collect());
    lines.join("\n")
}

fn pinned(here: &Here) -> &'static str {
    if here.pinned { "pinned on this host" } else { "not pinned on this host" }
}

fn asks(seen: &Inspection) -> Vec<String> {
    if seen.toml.requests.is_empty() {
        return vec!["nothing but what every plugin has".to_owned()];
    }
    seen.toml.requests.iter().map(words::request).collect()
}

fn grants(here: &Here) -> Vec<String> {
    let Some(plugin) = &here.configured else { return Vec::new() };
    let Some(grants) = &plugin.grants else { return vec!["nothing by name".to_owned()] };
    grants.iter().map(ToString::to_string).collect()
}

/// A key: a selector as an example, what it means, what it is worth and why.
fn reports(plugin: &Plugin, key: &str, spec: &witgate_attestor::KeySpec) -> [String; 3] {
    let name = if spec.named { ":NAME" } else { "" };
    let [plain, challenged] = [false, true].map(|challenged| spec.assurance(challenged));
    let worth = if plain == challenged {
        format!("{plain}")
    } else {
        format!("{plain}; {challenged} when challenged")
    };
    let facts: Vec<_> = spec.derived_from.iter().map(FactName::as_str).collect();
    let marks = [
        (spec.stable, "stable while the process lives"),
        (spec.single, "at most one"),
        (spec.secret, "SECRET"),
    ];
    let marks = marks.iter().filter(|(holds, _)| *holds).map(|(_, mark)| *mark);
    let worth = format!("  worth {worth}, derived from {}", facts.join(", "));
    [
        format!("{}:{key}{name}:{}", plugin.name(), spec.example),
        format!("  {}", spec.meaning),
        std::iter::once(worth.as_str()).chain(marks).collect::<Vec<_>>().join(", "),
    ]
}
