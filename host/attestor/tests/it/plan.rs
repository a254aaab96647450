//! Who is called for what.

use std::sync::Arc;

use tokio::time::Instant;
use witgate_facts::{FactName, FactSet};
use witgate_identity::{KeyName, Wanted};

use crate::host::{PATIENCE, builtin, fixture, load, name, process, said, unknown};

fn keys(wanted: &[(&str, &str)]) -> Wanted {
    let pair = |(plugin, key): &(&str, &str)| (name(plugin), KeyName::new(key).unwrap());
    Wanted::Keys(wanted.iter().map(pair).collect())
}

#[tokio::test]
async fn only_wanted_plugins_are_called_and_only_their_facts_collected() {
    let catalogue = load(vec![builtin("unix"), fixture("ok"), fixture("panic")]).await;
    let wanted = keys(&[("unix", "uid"), ("unix", "user"), ("docker", "image")]);
    let plan = catalogue.plan(&wanted);
    let facts: FactSet =
        [FactName::ProcessCredentials, FactName::ProcessNames].into_iter().collect();
    assert_eq!(plan.facts(), facts);
    assert_eq!(plan.plugins().map(|p| p.name().as_str()).collect::<Vec<_>>(), ["unix"]);
    assert!(plan.covers(catalogue.plugins(), &wanted));
    assert!(!plan.covers(catalogue.plugins(), &Wanted::All));
    let deadline = Instant::now() + PATIENCE;
    let attestations = catalogue.attest(&plan, Arc::new(process(1000)), deadline).await;
    assert_eq!(attestations.len(), 1);
    assert_eq!(attestations[0].facts_read, facts);
    assert!(said(&attestations[0]).contains(&"unix:user:alice".to_owned()));
    // Nobody wants the label or the program, so nobody is told that they are unknown.
    assert_eq!(unknown(&attestations[0]), [""; 0]);
}

#[tokio::test]
async fn nothing_wanted_is_nothing_called() {
    let catalogue = load(vec![fixture("ok")]).await;
    let plan = catalogue.plan(&Wanted::none());
    assert!(plan.facts().is_empty());
    let none = catalogue.attest(&plan, Arc::new(process(1)), Instant::now()).await;
    assert!(none.is_empty());
}
