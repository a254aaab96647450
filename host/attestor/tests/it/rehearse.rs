//! Fixtures that a component brings along.

use serde_json::{Value, json};
use witgate_attestor::{LoadErrorKind, OutcomeKind, PluginSpec, inspect, limits};
use witgate_facts::{Capability, Interface};

use crate::host::{builtin, fixture, load, name, refusal};

/// A component with one more custom section at its end.
fn with_section(component: &[u8], section: &str, data: &[u8]) -> Vec<u8> {
    fn leb(mut n: usize) -> Vec<u8> {
        let mut out = Vec::new();
        loop {
            let low = u8::try_from(n & 0x7f).unwrap();
            n >>= 7;
            if n == 0 {
                out.push(low);
                return out;
            }
            out.push(low | 0x80);
        }
    }
    let body = [leb(section.len()), section.as_bytes().to_vec(), data.to_vec()].concat();
    [component, &[0], &leb(body.len()), &body].concat()
}

fn with_fixtures(fixtures: &Value) -> PluginSpec {
    let ok = witgate_builtins::fixtures::find("ok").unwrap();
    let bytes = with_section(ok, "witgate:fixtures", fixtures.to_string().as_bytes());
    PluginSpec::new(name("ok"), "/plugins/ok.wasm", bytes)
}

fn alice(selector: &str) -> Value {
    json!([{
        "name": "alice",
        "facts": { "process.credentials": { "ok": { "uid": 1000, "gid": 1, "groups": [] } } },
        "expected": { "outcome": "reported", "selectors": [selector] },
    }])
}

#[tokio::test]
async fn a_component_whose_fixtures_hold_is_loaded_and_no_call_is_counted() {
    let catalogue = load(vec![with_fixtures(&alice("uid:1000"))]).await;
    assert_eq!(catalogue.plugins()[0].counters().total_calls(), 0);
}

#[tokio::test]
async fn one_that_fails_is_told_with_what_differs() {
    let (message, kind) = refusal(with_fixtures(&alice("uid:0"))).await;
    let LoadErrorKind::Fixture { fixture, differences } = kind else { panic!("{kind:?}") };
    assert_eq!((fixture.as_str(), differences.len()), ("alice", 2), "{differences:?}");
    assert!(message.contains("- selector uid:0") && message.contains("+ selector uid:1000"));
}

#[tokio::test]
async fn fixtures_that_cannot_be_read_are_told() {
    let many: Vec<_> = (0..=limits::FIXTURES).map(|_| alice("uid:1000")[0].clone()).collect();
    for wrong in [json!({}), json!([{ "name": "x" }]), Value::Array(many)] {
        let (message, kind) = refusal(with_fixtures(&wrong)).await;
        assert!(matches!(kind, LoadErrorKind::Fixtures { .. }), "{message}");
    }
}

#[tokio::test]
async fn what_a_plugin_says_can_be_expected_from_now_on() {
    let catalogue = load(vec![fixture("panic"), fixture("partial")]).await;
    for (plugin, kind) in
        catalogue.plugins().iter().zip([OutcomeKind::Trapped, OutcomeKind::Reported])
    {
        let facts = crate::host::process(1000);
        let said = plugin.rehearse(facts, None).await;
        let expected = witgate_attestor::Expected::of(&said, None);
        assert_eq!(expected.outcome, kind);
        assert_eq!(expected.differences(&said), [""; 0]);
        let text = serde_json::to_string(&expected).unwrap();
        assert_eq!(serde_json::from_str::<witgate_attestor::Expected>(&text).unwrap(), expected);
    }
}

#[tokio::test]
async fn who_asks_to_be_asked_again_about_a_recording_is_not() {
    let catalogue = load(vec![fixture("retry")]).await;
    let said = catalogue.plugins()[0].rehearse(crate::host::process(1000), None).await;
    assert_eq!(said.outcome.to_string(), "asks to be asked again in 1 ms");
    assert_eq!(said.host_calls, 0);
}

#[test]
fn a_component_can_be_looked_at_without_running_it() {
    let unix = builtin("unix");
    let found = inspect(&unix.bytes).unwrap();
    assert_eq!(found.toml.needed(), [Capability::Interface(Interface::Executable)]);
    assert_eq!((found.bytes, found.digest.len(), found.fixtures), (unix.bytes.len(), 64, 0));
    let ours = found.imports.iter().any(|import| import.name == "witgate:attestor/process@0.1.0");
    assert!(ours, "{:?}", found.imports);
    assert!(
        found.producers.iter().any(|producer| producer.name == "Rust"),
        "{:?}",
        found.producers
    );
}

#[tokio::test]
async fn a_component_of_another_version_is_told_what_to_do() {
    let ok = witgate_builtins::fixtures::find("ok").unwrap();
    // The same length, so that the binary stays well-formed.
    let (from, to) = (b"witgate:attestor/process@0.1.0", b"witgate:attestor/process@0.9.0");
    let mut bytes = ok.to_vec();
    let places: Vec<_> =
        (0..bytes.len() - from.len()).filter(|at| bytes[*at..].starts_with(from)).collect();
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    let (message, kind) = refusal(PluginSpec::new(name("ok"), "ok.wasm", bytes)).await;
    assert!(matches!(kind, LoadErrorKind::OtherVersion { .. }), "{message}");
    assert!(
        message.contains("process@0.9.0`, and this daemon has `witgate:attestor/process@0.1.0`")
    );
    assert!(message.contains("build it again"), "{message}");
}
