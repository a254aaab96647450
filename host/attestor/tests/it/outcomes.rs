//! How a call can end, and what it is worth then.

use serde_json::json;
use witgate_attestor::{Limit, Outcome, OutcomeKind};
use witgate_facts::{FactError, FactName, fixture::Fact};

use crate::host::{ask, attest, fixture, load, process, said, unknown, with_settings};

#[tokio::test]
async fn ok_reports_what_it_read() {
    let attestation = ask(fixture("ok"), process(1000)).await;
    assert_eq!(attestation.outcome, Outcome::Reported);
    assert_eq!(said(&attestation), ["ok:uid:1000"]);
    assert_eq!(attestation.facts_read.iter().collect::<Vec<_>>(), [FactName::ProcessCredentials]);
    assert_eq!(attestation.host_calls, 1);
    assert!(attestation.memory_bytes > 0);
}

#[tokio::test]
async fn a_plugin_speaks_only_in_the_name_that_the_operator_gave_it() {
    let renamed = witgate_attestor::PluginSpec { name: crate::host::name("site"), ..fixture("ok") };
    assert_eq!(said(&ask(renamed, process(7)).await), ["site:uid:7"]);
}

// #68: a plugin that speaks for another, or says what nobody can, has said nothing.
#[tokio::test]
async fn forge_type_cannot_speak_for_another_plugin() {
    let attestation = ask(fixture("forge-type"), process(1000)).await;
    let Outcome::BadOutput { reason } = &attestation.outcome else { panic!("{attestation:?}") };
    assert_eq!(reason, "key 'unix:uid' is not in the manifest, which has uid");
    assert_eq!(said(&attestation), [""; 0]);
}

#[tokio::test]
async fn garbage_of_any_kind_is_refused_whole() {
    for kind in [
        "control-character",
        "zero-byte",
        "second-control-set",
        "newline",
        "bidirectional",
        "another-plugin",
        "another-plugin-by-name",
        "unknown-key",
        "undeclared-unknown",
        "long-reason",
        "empty-value",
        "long-value",
        "name-not-declared",
        "two-of-a-single",
        "duplicate",
        "upper-case",
    ] {
        let spec = with_settings(fixture("garbage"), json!({ "kind": kind }));
        let attestation = ask(spec, process(1000)).await;
        let Outcome::BadOutput { reason } = &attestation.outcome else {
            panic!("{kind}: {attestation:?}")
        };
        assert!(reason.chars().all(|c| !c.is_control()), "{reason:?}");
        assert_eq!(said(&attestation), [""; 0], "{kind}");
    }
}

#[tokio::test]
async fn garbage_that_is_no_text_is_a_trap() {
    let spec = with_settings(fixture("garbage"), json!({ "kind": "not-utf-8" }));
    let attestation = ask(spec, process(1000)).await;
    let Outcome::Trapped { reason } = &attestation.outcome else { panic!("{attestation:?}") };
    assert!(reason.contains("invalid utf-8"), "{reason}");
    assert_eq!(said(&attestation), [""; 0]);
}

#[tokio::test]
async fn panic_names_the_export_and_the_cause() {
    let catalogue = load(vec![fixture("panic")]).await;
    let attestation = attest(&catalogue, process(1000)).await.remove(0);
    let Outcome::Trapped { reason } = &attestation.outcome else { panic!("{attestation:?}") };
    assert_eq!(reason, "`attest`: wasm trap: wasm `unreachable` instruction executed");
    let (lines, _) = catalogue.plugins()[0].lines();
    let text = lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>().join("\n");
    assert!(text.contains("this fixture falls over in attest"), "{text}");
}

#[tokio::test]
async fn not_asked_is_told_what_it_did_not_ask_for() {
    let attestation = ask(fixture("not-asked"), process(1000)).await;
    let Outcome::Trapped { reason } = &attestation.outcome else { panic!("{attestation:?}") };
    let sentence = "it called `ancestry.parents`, but its plugin.toml does not ask for `ancestry`";
    assert!(reason.contains(sentence), "{reason}");
}

#[tokio::test]
async fn the_outcomes_a_plugin_can_choose() {
    let ends = async |word: &str| {
        let spec = with_settings(fixture("outcome"), json!({ "end": word }));
        ask(spec, process(1000)).await.outcome
    };
    assert_eq!(ends("not-applicable").await, Outcome::NotApplicable);
    assert_eq!(ends("unavailable").await.kind(), OutcomeKind::Unavailable);
    assert_eq!(ends("failed").await, Outcome::Failed { reason: "it cannot tell".to_owned() });
}

#[tokio::test]
async fn gone_ignorer_cannot_hide_that_the_process_has_exited() {
    let mut facts = process(1000);
    facts.credentials = Some(Fact::Err(FactError::Gone));
    let attestation = ask(fixture("gone-ignorer"), facts).await;
    assert_eq!(attestation.outcome, Outcome::Gone);
    assert_eq!(said(&attestation), [""; 0]);
}

#[tokio::test]
async fn unread_cannot_report_what_it_did_not_look_at() {
    for settings in [json!({}), json!({ "read": "label" })] {
        let attestation = ask(with_settings(fixture("unread"), settings), process(1000)).await;
        let Outcome::BadOutput { reason } = &attestation.outcome else { panic!("{attestation:?}") };
        assert!(reason.contains("`process.label`"), "{reason}");
    }
}

#[tokio::test]
async fn partial_leaves_open_what_it_did_not_look_at() {
    let attestation = ask(fixture("partial"), process(1000)).await;
    assert_eq!(attestation.outcome, Outcome::Reported);
    assert_eq!(said(&attestation), ["partial:uid:1000"]);
    assert_eq!(unknown(&attestation), ["label", "state"]);
    assert_eq!(attestation.unknown[0].reason, "out of sight");
    assert_eq!(attestation.unknown[1].reason, "`process.state` was not read");
}

#[tokio::test]
async fn retry_is_obeyed_a_few_times() {
    let catalogue = load(vec![fixture("retry")]).await;
    let attestation = attest(&catalogue, process(1000)).await.remove(0);
    assert_eq!(attestation.outcome.kind(), OutcomeKind::Unavailable);
    let counters = catalogue.plugins()[0].counters();
    assert_eq!(counters.retries(), u64::from(witgate_attestor::limits::MAX_RETRIES));
    assert_eq!(counters.total_calls(), 1);
}

#[tokio::test]
async fn leak_finds_nothing_of_the_call_before() {
    let catalogue = load(vec![fixture("leak")]).await;
    for uid in 1..100 {
        let attestation = attest(&catalogue, process(uid)).await.remove(0);
        assert_eq!(said(&attestation), [format!("leak:uid:{uid}")]);
    }
}

#[tokio::test]
async fn a_request_whose_time_is_up_is_not_waited_for() {
    let catalogue = load(vec![fixture("busy-loop")]).await;
    let plan = catalogue.plan(&witgate_identity::Wanted::All);
    let facts = std::sync::Arc::new(process(1000));
    let attestations = catalogue.attest(&plan, facts, tokio::time::Instant::now()).await;
    let limit = Limit::RequestDeadline;
    assert!(
        matches!(&attestations[0].outcome, Outcome::OutOfTime { limit: l } if *l == limit)
            || attestations[0].outcome.kind() == OutcomeKind::Unavailable,
        "{attestations:?}"
    );
}
