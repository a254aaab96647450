//! Many plugins, many callers: what one plugin does costs its own selectors and nothing else.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tokio::time::Instant;
use witgate_attestor::{Attestation, Catalogue, Outcome, OutcomeKind, PluginSpec, limits};
use witgate_identity::Wanted;

use crate::{
    host::{
        PATIENCE, attest, builtin, engine, engine_with, fixture, load, load_on, process, said,
        with_settings,
    },
    reach::{Counting, reach, silent},
};

/// Every fixture that loads and then misbehaves.
const BAD: &[&str] = &[
    "busy-loop",
    "deep-recursion",
    "flood",
    "forge-type",
    "garbage",
    "hoard",
    "host-call-loop",
    "not-asked",
    "panic",
    "unread",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_plugins_cost_their_own_selectors_and_nothing_else() {
    let mut specs: Vec<_> = BAD.iter().map(|bad| fixture(bad)).collect();
    specs.insert(3, fixture("ok"));
    specs.push(builtin("unix"));
    let catalogue = load(specs).await;
    let attestations = attest(&catalogue, process(1000)).await;
    assert_eq!(attestations.len(), BAD.len() + 2);
    for attestation in attestations {
        match attestation.plugin.as_str() {
            "ok" => assert_eq!(said(&attestation), ["ok:uid:1000"]),
            "unix" => assert!(said(&attestation).contains(&"unix:user:alice".to_owned())),
            bad => {
                assert!(attestation.outcome.is_fault(), "{bad}: {}", attestation.outcome);
                assert_eq!(said(&attestation), [""; 0], "{bad}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_are_answered_while_every_slow_permit_is_taken() {
    let engine = engine();
    let hogs = Arc::new(load_on(&engine, vec![fixture("busy-loop"), fixture("hoard")]).await);
    let good = load_on(&engine, vec![fixture("ok")]).await;
    let noise: Vec<_> = (0..3)
        .map(|_| {
            let hogs = Arc::clone(&hogs);
            tokio::spawn(async move { attest(&hogs, process(0)).await })
        })
        .collect();
    for uid in 1..200 {
        let answer = attest(&good, process(uid)).await.remove(0);
        assert_eq!(said(&answer), [format!("ok:uid:{uid}")]);
    }
    for hog in noise {
        let ended = hog.await.unwrap();
        assert!(ended.iter().all(|attestation| attestation.outcome.is_fault()), "{ended:?}");
    }
}

#[tokio::test]
async fn on_a_single_thread_a_hog_lets_others_run() {
    let engine = engine();
    let hogs = load_on(&engine, vec![fixture("busy-loop")]).await;
    let good = load_on(&engine, vec![fixture("ok")]).await;
    let hog = attest(&hogs, process(0));
    let others = async {
        let mut answered = 0;
        for uid in 1..10 {
            answered += attest(&good, process(uid)).await.len();
            tokio::task::yield_now().await;
        }
        answered
    };
    // Both in one task: if the hog did not yield, `others` would not start before it ends.
    let order = async {
        tokio::select! {
            biased;
            ended = hog => format!("hog first: {ended:?}"),
            answered = others => format!("others first: {answered}"),
        }
    };
    assert_eq!(order.await, "others first: 9");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_calls_than_instances_wait_their_turn() {
    let catalogue = Arc::new(load(vec![fixture("ok"), fixture("leak")]).await);
    let calls: Vec<_> = (0..64)
        .map(|uid| {
            let catalogue = Arc::clone(&catalogue);
            tokio::spawn(async move { attest(&catalogue, process(uid)).await })
        })
        .collect();
    for call in calls {
        for attestation in call.await.unwrap() {
            assert_eq!(attestation.outcome, Outcome::Reported);
        }
    }
}

/// A call that there is no time for.
async fn in_a_hurry(catalogue: &Catalogue) -> Attestation {
    let soon = Instant::now() + 5 * limits::TICK;
    catalogue.attest(&catalogue.plan(&Wanted::All), Arc::new(process(1)), soon).await.remove(0)
}

/// The engine has room for eight, of which a plugin has two.
#[tokio::test]
async fn a_plugin_that_waits_keeps_no_instance_from_others() {
    let engine = engine();
    let (spec, endpoint) = silent("endpoint");
    let waits = load_on(&engine, vec![spec.clone()]).await;
    let good = load_on(&engine, vec![fixture("ok")]).await;
    let calls = futures_util::future::join_all((0..8).map(|uid| attest(&waits, process(uid))));
    let others = async {
        endpoint.asked(2).await;
        assert_eq!(said(&attest(&good, process(1)).await[0]), ["ok:uid:1"]);
        let late = in_a_hurry(&waits).await;
        let Outcome::Unavailable { reason } = &late.outcome else { panic!("{late:?}") };
        assert!(reason.contains("all its instances were busy"), "{reason}");

        // What is taken over keeps its share, and a new version has its own.
        let same = waits.reload(&engine, vec![spec.clone()]).await.unwrap();
        assert_eq!(in_a_hurry(&same).await.outcome, late.outcome);
        let other = with_settings(spec, json!({ "do": "endpoint", "version": "2" }));
        let other = waits.reload(&engine, vec![other]).await.unwrap();
        assert!(matches!(in_a_hurry(&other).await.outcome, Outcome::OutOfTime { .. }));
        endpoint.asked(1).await;
    };
    tokio::select! {
        biased;
        ended = calls => panic!("{ended:?}"),
        () = others => {}
    }
}

/// There is one permit for guests that are past their first tick.
#[tokio::test]
async fn a_slow_plugin_that_waits_gives_its_turn_to_others() {
    let engine = engine_with(|config| config.workers = 2);
    let (spec, endpoint) = silent("endpoint after a while");
    let waits = load_on(&engine, vec![spec]).await;
    let endpoints = Arc::new(Counting::default());
    let slow = PluginSpec { endpoints, ..reach("endpoint after a while") };
    let slow = load_on(&engine, vec![slow]).await;
    let other = async {
        endpoint.asked(1).await;
        attest(&slow, process(1)).await.remove(0)
    };
    let other = tokio::select! {
        biased;
        ended = attest(&waits, process(0)) => panic!("{ended:?}"),
        other = other => other,
    };
    assert_eq!(said(&other), ["reach:answer:200 0"]);
}

#[tokio::test]
async fn a_caller_that_gives_up_leaves_nothing_behind() {
    let engine = engine();
    let hogs = load_on(&engine, vec![fixture("busy-loop")]).await;
    for _ in 0..20 {
        // Dropped in the middle of the guest's loop.
        let given_up = tokio::time::timeout(Duration::from_millis(5), attest(&hogs, process(0)));
        assert!(given_up.await.is_err());
    }
    let good = load_on(&engine, vec![fixture("ok")]).await;
    assert_eq!(attest(&good, process(1)).await[0].outcome, Outcome::Reported);
}

#[tokio::test]
async fn counters_tell_what_happened() {
    let catalogue = load(vec![fixture("ok"), fixture("panic")]).await;
    let plan = catalogue.plan(&Wanted::All);
    for _ in 0..3 {
        let deadline = Instant::now() + PATIENCE;
        catalogue.attest(&plan, Arc::new(process(1)), deadline).await;
    }
    let [ok, bad] = catalogue.plugins() else { panic!() };
    assert_eq!(ok.counters().calls(OutcomeKind::Reported), 3);
    assert_eq!(ok.counters().host_calls(), 3);
    assert!(ok.counters().elapsed() >= ok.counters().longest());
    assert!(ok.counters().memory_bytes() > 0);
    assert!(ok.counters().memory_bytes() < u64::try_from(limits::MEMORY).unwrap());
    assert_eq!(bad.counters().calls(OutcomeKind::Trapped), 3);
    assert_eq!(bad.counters().total_calls(), 3);
}
