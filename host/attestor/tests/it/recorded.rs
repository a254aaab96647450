//! The first-party attestors say in the sandbox what their recordings expect of them: the same files
//! that their own tests read natively.

use std::{fs, path::Path};

use serde::de::DeserializeOwned;
use witgate_attestor::{Expected, Plugin};
use witgate_builtins::ALL;
use witgate_facts::fixture::Recorded;

use crate::host::{builtin, load};

const EXPECTED: &str = ".expected.json";

fn read<T: DeserializeOwned>(path: &Path) -> T {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Name, process and expectation of each recording of a plugin.
fn recordings(plugin: &str) -> Vec<(String, Recorded, Expected)> {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
    let folder = plugins.join(plugin).join("fixtures");
    let files =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let names = files.filter_map(|file| {
        let name = file.unwrap().file_name().into_string().unwrap();
        name.strip_suffix(EXPECTED).map(str::to_owned)
    });
    let read = |name: String| {
        let facts = read(&folder.join(format!("{name}.json")));
        let expected = read(&folder.join(format!("{name}{EXPECTED}")));
        (name, facts, expected)
    };
    names.map(read).collect()
}

async fn differences(plugin: &Plugin) -> Vec<String> {
    let mut differences = Vec::new();
    for (name, facts, expected) in recordings(plugin.name().as_str()) {
        let said = plugin.rehearse(facts, Some(&expected)).await;
        let differing = expected.differences(&said);
        differences.extend(differing.iter().map(|line| format!("{name}: {line}")));
    }
    differences
}

#[tokio::test]
async fn every_builtin_says_in_the_sandbox_what_its_recordings_expect() {
    let catalogue = load(ALL.iter().map(|found| builtin(found.name)).collect()).await;
    for plugin in catalogue.plugins() {
        let name = plugin.name();
        assert!(recordings(name.as_str()).len() >= 5, "{name} has too few recordings");
        let differences = differences(plugin).await;
        assert!(differences.is_empty(), "{name}:\n{}", differences.join("\n"));
    }
}
