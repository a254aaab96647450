//! Fuzz target: what an engine answers about a container.

use witgate_testkit::fuzz_target;

use crate::{
    Api, EnvironmentSettings, VariableName,
    answer::{Inspected, parse},
    container::{agrees, findings},
    keys::{self, Worth},
};

/// The container that the control group names.
const ID: &str = "52e9069989778f49f83d9ddb7ab0b5d0812596f0e99e5b250919a8ea73dce053";

/// What a report may have, less what is asked for besides: an image's digests and two names.
const SELECTORS: usize = 1024 - 66;
const BYTES: usize = (128 - 10) << 10;

#[test]
fn inspected() {
    let words = &[
        ID,
        "\"Running\":true",
        "\"Running\":false",
        "\"Restarting\":true",
        "\"Dead\":true",
        "null",
        "\"Labels\":{\"a\":\"b\"}",
        "\"Labels\":null",
        "\"Env\":[\"A=1\",\"A=2\",\"=\",\"B\"]",
        "\"Mounts\":[]",
        "\"Pod\":\"\"",
        "\"CgroupPath\":\"/x\"",
        "sha256:",
        "\\u0000",
        "\\u202e",
        ":",
        "[[[[[[[[",
        "{\"Id\":",
        "},",
        "\"",
    ];
    fuzz_target!("inspected").words(words).check(|input| {
        for api in [Api::Docker, Api::Libpod] {
            look(input, api);
        }
    });
}

fn look(input: &[u8], api: Api) {
    let Ok(answer) = parse::<Inspected>("the container", input) else { return };
    let runs = answer.state.running && !answer.state.restarting && !answer.state.dead;
    if agrees(&answer, ID).is_err() {
        assert!(answer.id != ID || !runs || answer.state.cgroup_path.is_some());
        return;
    }
    assert!(answer.id == ID && runs);
    let shown = ["TIER", "A"].map(|name| VariableName::try_from(name.to_owned()).unwrap());
    let settings = EnvironmentSettings { shown: shown.into(), hashed: true };
    let found = findings(answer, api, &settings);
    let (selectors, bytes) = found.size();
    assert!(selectors <= SELECTORS && bytes <= BYTES, "{selectors}, {bytes}");
    for path in [keys::IMAGE_CONFIG_DIGEST, keys::POD_ID].map(|key| found.value(key)) {
        assert!(path.is_none_or(|id| !id.contains(['/', '?', '%', '.'])), "{path:?}");
    }
    let kept = serde_json::to_vec(&found).unwrap();
    assert_eq!(serde_json::from_slice::<crate::findings::Findings>(&kept).unwrap(), found);
    let known = keys::manifest(api, Worth { facts: &[], stable: true });
    let known: Vec<_> = known.keys().iter().map(witgate_sdk::Key::word).collect();
    assert!(found.keys().all(|key| known.contains(&key)));
}
