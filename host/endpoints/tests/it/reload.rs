//! A set of endpoints over the life of a daemon.

use witgate_endpoints::{EndpointConfig, EndpointSettings, NamedEndpoints};
use witgate_facts::{Endpoints as _, HttpError};

use crate::server::{get, http, ok, unix_settings};

fn named(name: &str, settings: &EndpointSettings) -> EndpointConfig {
    EndpointConfig::new(name, settings).unwrap()
}

fn requests(endpoints: &NamedEndpoints) -> Vec<(String, u64)> {
    endpoints.health().into_iter().map(|health| (health.name, health.requests)).collect()
}

#[tokio::test]
async fn a_reload_keeps_what_did_not_change() {
    let server = http(|_| ok(""));
    let settings = unix_settings(&server.path);
    let changed = EndpointSettings { concurrency: Some(1), ..settings.clone() };
    let (a, b) = (named("a", &settings), named("b", &settings));
    let before = NamedEndpoints::new([a.clone(), b, named("c", &settings)]);
    for name in ["a", "b", "c"] {
        before.send(name, get("/")).await.unwrap();
    }
    let after =
        NamedEndpoints::new([a, named("b", &changed), named("d", &settings)]).keeping(&before);
    let expected = [("a", 1), ("b", 0), ("d", 0)].map(|(name, count)| (name.to_owned(), count));
    assert_eq!(requests(&after), expected);
    // Who still holds the earlier set counts with the later one.
    before.send("a", get("/")).await.unwrap();
    assert_eq!(requests(&after)[0].1, 2);
}

#[tokio::test]
async fn a_plugin_gets_only_the_endpoints_that_it_was_granted() {
    let server = http(|_| ok(""));
    let settings = unix_settings(&server.path);
    let all = NamedEndpoints::new([named("a", &settings), named("b", &settings)]);
    let granted = all.only(["b", "x"]);
    assert_eq!(granted.names().collect::<Vec<_>>(), ["b"]);
    assert_eq!(granted.send("b", get("/")).await.unwrap().status, 200);
    for name in ["a", "x"] {
        let error = granted.send(name, get("/")).await.unwrap_err();
        assert_eq!(error, HttpError::Refused(format!("there is no endpoint {name:?}")));
    }
    assert_eq!(requests(&all), [("a".to_owned(), 0), ("b".to_owned(), 1)]);
}
