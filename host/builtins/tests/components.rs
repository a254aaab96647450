//! What is embedded are components of the one shape that the daemon loads.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use wasmparser::{Parser, Payload, Validator};
use witgate_builtins::{ALL, find};

/// What a component says without being run.
#[derive(Debug, Default)]
struct Outline {
    imports: BTreeSet<String>,
    exports: BTreeSet<String>,
    manifests: Vec<String>,
}

fn outline(wasm: &[u8]) -> Outline {
    Validator::new().validate_all(wasm).unwrap();
    assert!(Parser::is_component(wasm));
    let mut outline = Outline::default();
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.unwrap() {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 0 => {
                let names = section.into_iter().map(|import| import.unwrap().name.name.to_owned());
                outline.imports.extend(names);
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                let names = section.into_iter().map(|export| export.unwrap().name.name.to_owned());
                outline.exports.extend(names);
            }
            Payload::CustomSection(section) if section.name() == "witgate:manifest" => {
                outline.manifests.push(String::from_utf8(section.data().to_vec()).unwrap());
            }
            _ => {}
        }
    }
    outline
}

/// Interfaces of ours that it imports.
fn ours(outline: &Outline) -> BTreeSet<&str> {
    outline
        .imports
        .iter()
        .filter_map(|import| import.strip_prefix("witgate:attestor/")?.strip_suffix("@0.1.0"))
        .collect()
}

fn assert_shape(name: &str, outline: &Outline) {
    let attestor: BTreeSet<String> = ["witgate:attestor/attestor@0.1.0".to_owned()].into();
    assert_eq!(outline.exports, attestor, "{name}");
    let known = |import: &&String| {
        ["witgate:attestor/", "wasi:cli/", "wasi:clocks/", "wasi:io/", "wasi:random/"]
            .iter()
            .any(|package| import.starts_with(package))
    };
    let unknown: Vec<&String> = outline.imports.iter().filter(|import| !known(import)).collect();
    assert!(unknown.is_empty(), "{name} imports {unknown:?}");
    let [manifest] = outline.manifests.as_slice() else {
        panic!("{name} has {} manifests", outline.manifests.len());
    };
    assert!(manifest.contains(&format!("name = {name:?}\n")), "{name}: {manifest}");
}

#[test]
fn every_builtin_is_an_attestor_with_one_manifest() {
    for builtin in ALL {
        assert_shape(builtin.name, &outline(builtin.wasm));
    }
}

#[test]
fn a_builtin_imports_what_it_requests_and_is_granted_what_it_requests() {
    let always = ["cgroups", "config", "log", "namespaces", "process", "types"];
    for builtin in ALL {
        let outline = outline(builtin.wasm);
        let interface = |grant: &&'static str| grant.split([':', '.']).next().unwrap_or_default();
        let asked: BTreeSet<&str> = builtin.default_grants.iter().map(interface).collect();
        let used: BTreeSet<&str> =
            ours(&outline).into_iter().filter(|interface| !always.contains(interface)).collect();
        assert_eq!(used, asked, "{}", builtin.name);
        let line = format!("requests = {:?}\n", builtin.default_grants);
        assert!(outline.manifests[0].contains(&line), "{}: {line}", builtin.name);
    }
}

#[test]
fn builtins_are_found_by_name_and_are_small() {
    for builtin in ALL {
        assert!(find(builtin.name).is_some_and(|found| found.wasm == builtin.wasm));
        assert!(builtin.wasm.len() < 400 * 1024, "{builtin:?}");
    }
    assert!(ALL.is_sorted_by_key(|builtin| builtin.name));
    assert!(find("telepathy").is_none());
}

#[test]
fn a_component_does_not_tell_where_it_was_built() {
    let home = std::env::var("HOME").unwrap_or_default();
    let places = [env!("CARGO_MANIFEST_DIR"), home.as_str()];
    for builtin in ALL {
        let text = String::from_utf8_lossy(builtin.wasm);
        for place in places.into_iter().filter(|place| place.len() > 1) {
            assert!(!text.contains(place), "{} names {place}", builtin.name);
        }
    }
}

#[cfg(feature = "fixtures")]
#[test]
fn every_fixture_is_an_attestor_with_one_manifest() {
    use witgate_builtins::fixtures;

    assert!(fixtures::ALL.is_sorted_by_key(|(name, _)| *name));
    for (name, wasm) in fixtures::ALL {
        let outline = outline(wasm);
        assert_shape(name, &outline);
        assert_eq!(fixtures::find(name), Some(*wasm));
        assert_eq!(ours(&outline).contains("ancestry"), *name == "not-asked", "{name}");
    }
    assert!(fixtures::find("unix").is_none());
}
