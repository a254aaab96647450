use std::time::{Duration, Instant};

use witgate_sdk::{
    facts::cache::{self, Scope},
    testing::{Attested, Process, check_fixtures, check_readme},
};

use super::*;
use crate::index::{Index, pod_of};

// #38, #39, #43
#[test]
fn every_fixture_gives_its_expected_report() {
    check_fixtures::<K8s>("fixtures");
}

#[test]
fn the_readme_says_what_the_manifest_says() {
    check_readme::<K8s>("README.md");
}

/// A process in a container, beside a kubelet that answers with this, once; or does not answer.
fn process(pod: usize, container: usize, answer: Option<&str>) -> Process {
    let path = format!("/kubepods/burstable/pod{}/{}", large::uid(pod), large::id(pod, container));
    let entry = serde_json::json!({
        "hierarchy": 0, "controllers": [], "prefix": path, "delegated": false, "mounted": true
    });
    let exchanges: Vec<_> = answer
        .into_iter()
        .map(|body| {
            serde_json::json!({
                "endpoint": "kubelet",
                "request": { "method": "GET", "path": "/pods" },
                "outcome": { "ok": { "status": 200, "body": body } }
            })
        })
        .collect();
    let facts = serde_json::json!({
        "cgroups.trusted": { "ok": [entry] },
        "http.exchanges": exchanges
    });
    Process::from_json(&facts.to_string()).unwrap()
}

fn ns(report: &Report) -> Option<&str> {
    let selectors = report.selectors().iter();
    selectors.filter(|selector| selector.key == "ns").map(|selector| &*selector.value).next()
}

/// What a call leaves in the cache.
fn keep_list(pods: usize, list: &str) {
    let text = large::pod_list(pods);
    let pods = document::read(text.as_bytes()).unwrap();
    let put = |key: &str, value: &[u8]| cache::put(Scope::Plugin, key, value, 10_000).unwrap();
    for (number, part) in Index::of(&pods).parts() {
        put(&format!("part:{number}"), part.as_bytes());
    }
    for pod in &pods {
        put(&format!("pod:{}", pod.uid), &serde_json::to_vec(pod).unwrap());
    }
    put("list", list.as_bytes());
}

#[test]
fn a_second_call_about_any_container_of_the_list_asks_for_nothing() {
    // Without an answer of the kubelet's, any request would be refused.
    for container in 0..2 {
        process(7, container, None).during(|| {
            keep_list(20, "1");
            assert_eq!(ns(&K8s::attest().unwrap()), Some("shop-7"));
        });
    }
    process(7, 0, Some(&large::pod_list(20))).during(|| {
        let first = K8s::attest().unwrap();
        // From now on a request would be too early.
        assert_eq!(K8s::attest(), Ok(first));
        assert!(cache::get(Scope::Plugin, "request").unwrap().is_some());
    });
}

#[test]
fn what_is_missing_in_the_list_that_is_kept_is_looked_for_in_a_newer_one() {
    process(30, 0, Some(&large::pod_list(40))).during(|| {
        keep_list(20, "1");
        assert_eq!(ns(&K8s::attest().unwrap()), Some("shop-30"));
        // Whoever wants a newer list than that finds the one that came after it.
        let after = cache::get(Scope::Plugin, "after:1").unwrap().unwrap();
        let list = cache::get(Scope::Plugin, "list").unwrap().unwrap();
        assert_eq!(after.value, list.value);
        assert_ne!(list.value, b"1");
    });
}

#[test]
fn a_newer_list_that_another_call_has_asked_for_is_looked_through_before_asking() {
    process(30, 0, None).during(|| {
        keep_list(20, "1");
        cache::put(Scope::Plugin, "after:1", b"2", 10_000).unwrap();
        // As far as is known, the list after the second is not there: it is this call's to ask.
        assert!(
            matches!(K8s::attest(), Err(Failure::Unavailable(reason)) if reason.contains("/pods"))
        );
    });
}

#[test]
fn the_kubelet_is_not_asked_again_at_once() {
    process(30, 0, Some(&large::pod_list(40))).during(|| {
        keep_list(20, "1");
        cache::put(Scope::Plugin, "request", &[], 500).unwrap();
        assert_eq!(K8s::attest(), Err(Failure::Retry(500)));
        assert_eq!(cache::get(Scope::Plugin, "after:1").unwrap(), None);
    });
}

#[test]
fn parts_of_two_lists_do_not_make_a_third() {
    process(30, 0, Some(&large::pod_list(40))).during(|| {
        keep_list(40, "1");
        // The pod as it was before its container was there, and then not at all.
        let uid = large::uid(30);
        let key = format!("pod:{uid}");
        let before = br#"{"uid":"u","name":"n"}"#;
        cache::put(Scope::Plugin, &key, before, 10_000).unwrap();
        assert_eq!(ns(&K8s::attest().unwrap()), Some("shop-30"));
    });
}

#[test]
fn a_pod_that_is_too_large_to_keep_costs_no_other_its_place() {
    let pods = large::pod_list(3);
    let label = format!("\"labels\":{{\"long\":\"{}\",", "x".repeat(70_000));
    let answer = pods.replacen("\"labels\":{", &label, 1);
    let attest = |pod| {
        process(pod, 0, Some(&answer)).during(|| {
            let first = K8s::attest().unwrap();
            (ns(&first) == Some(&format!("shop-{pod}")), K8s::attest().is_ok())
        })
    };
    assert_eq!(attest(0), (true, false));
    assert_eq!(attest(1), (true, true));
}

#[test]
fn a_report_of_the_largest_pod_is_within_the_daemons_limits() {
    let image = |at: usize| format!("{at:04}{}", "i".repeat(90));
    let pod = Pod { uid: "u".into(), labels: Vec::new(), containers: Vec::new(), ..Pod::default() };
    let names: Vec<String> = (0..10_000).map(image).collect();
    let all = || names.iter().map(|name| document::Text::from(name.as_str()));
    let labels = all().zip(all()).collect();
    let containers = all().map(|name| pod::Container {
        image_id: name.clone(),
        image: name.clone(),
        name,
        ..pod::Container::of(pod::Kind::Regular)
    });
    let pod = Pod { labels, containers: containers.collect(), ..pod };
    let settings = Settings { container_selectors: false, ..Settings::default() };
    let place = Place { id: "", pod_uid: None };
    let report = report::report(&pod, &place, &settings).unwrap();
    assert!(report.selectors().len() < 1024);
    let keys: Vec<&str> = report.unknown_keys().iter().map(|unknown| &*unknown.key).collect();
    assert!(keys.contains(&"pod-label") && keys.contains(&"pod-image"), "{keys:?}");
}

/// How long a list of a thousand pods takes. Natively it is passed over byte by byte, in the daemon
/// sixteen bytes at once.
#[test]
fn a_thousand_pods_are_read_in_a_moment() {
    let text = large::pod_list(1000);
    assert!(text.len() > 10 << 20);
    let begun = Instant::now();
    let pods = document::read(text.as_bytes()).unwrap();
    let index = Index::of(&pods);
    let kept: usize = pods.iter().map(|pod| serde_json::to_vec(pod).unwrap().len()).sum();
    let elapsed = begun.elapsed();
    // Generous: this is no release build, and not alone on its machine.
    assert!(elapsed < Duration::from_secs(10), "{elapsed:?}");
    // It fits into the cache of a plugin, twice.
    assert!(kept + index.parts().map(|(_, part)| part.len()).sum::<usize>() < 2 << 20);
    let id = large::id(999, 1);
    assert_eq!(pod_of(index.part(&id), &id), Ok(Some(&*large::uid(999))));
}

#[test]
fn nothing_is_asked_about_a_process_of_no_pod() {
    let facts = r#"{"cgroups.trusted": {"ok": [{"hierarchy": 0, "controllers": [],
        "prefix": "/system.slice/sshd.service", "delegated": false, "mounted": true}]}}"#;
    let Attested { outcome, log, .. } = Process::from_json(facts).unwrap().attest::<K8s>();
    assert_eq!((outcome.as_str(), log.len()), ("not-applicable", 0));
}
