//! The built-in attestors, through the same sandbox as any other.

use witgate_attestor::Outcome;
use witgate_facts::{
    FactError,
    fixture::{Fact, Recorded},
};
use witgate_identity::Assurance;

use crate::host::{ask, builtin, process, said, unknown};

#[tokio::test]
async fn unix_says_who_the_process_is() {
    let attestation = ask(builtin("unix"), process(1000)).await;
    assert_eq!(attestation.outcome, Outcome::Reported);
    let said = said(&attestation);
    for expected in [
        "unix:uid:1000",
        "unix:user:alice",
        "unix:gid:1000",
        "unix:group:alice",
        "unix:supplementary_group:docker",
        "unix:supplementary_gid:998",
        "unix:host:true",
        "unix:path:/usr/bin/curl",
    ] {
        assert!(said.iter().any(|s| s == expected), "{expected} is not in {said:?}");
    }
    for attested in &attestation.selectors {
        let image = matches!(attested.selector.key().as_str(), "path" | "sha256");
        let level = if image { Assurance::Claimed } else { Assurance::Kernel };
        assert_eq!(attested.assurance, level, "{}", attested.selector);
    }
}

#[tokio::test]
async fn one_fact_that_cannot_be_read_costs_its_own_keys() {
    let mut facts = process(1000);
    facts.executable_sha256 = Some(Fact::Err(FactError::TooLarge));
    let attestation = ask(builtin("unix"), facts).await;
    assert_eq!(unknown(&attestation), ["sha256"]);
    assert!(said(&attestation).contains(&"unix:path:/usr/bin/curl".to_owned()));
}

#[tokio::test]
async fn as_many_groups_as_are_said_fit_in_a_report() {
    let attestation = ask(builtin("unix"), in_groups(500, 128)).await;
    assert_eq!(attestation.outcome, Outcome::Reported);
    assert_eq!(unknown(&attestation), [""; 0]);
    assert!(said(&attestation).contains(&"unix:supplementary_gid:499".to_owned()));
}

#[tokio::test]
async fn more_groups_than_fit_in_a_report_cost_their_own_keys() {
    // The second is as many as the kernel gives a process.
    for groups in [3000, 65_536] {
        let attestation = ask(builtin("unix"), in_groups(groups, 32)).await;
        assert_eq!(attestation.outcome, Outcome::Reported, "{groups}");
        assert_eq!(unknown(&attestation), ["supplementary_gid", "supplementary_group"]);
        let said = said(&attestation);
        for expected in ["unix:uid:1000", "unix:gid:1000", "unix:host:true"] {
            assert!(said.iter().any(|s| s == expected), "{expected} is not in {said:?}");
        }
    }
}

/// A process in so many groups whose names have so many bytes.
fn in_groups(count: u32, name_bytes: usize) -> Recorded {
    let mut facts = process(1000);
    let (Some(Fact::Ok(credentials)), Some(Fact::Ok(names))) =
        (&mut facts.credentials, &mut facts.names)
    else {
        panic!()
    };
    credentials.groups = (0..count).collect();
    names.groups =
        credentials.groups.iter().map(|gid| Some(format!("{gid:0name_bytes$}"))).collect();
    facts
}

#[tokio::test]
async fn container_has_nothing_to_say_about_a_process_on_the_host() {
    let attestation = ask(builtin("container"), process(1000)).await;
    assert!(attestation.outcome.answered(), "{attestation:?}");
    assert_eq!(said(&attestation), [""; 0]);
}

#[tokio::test]
async fn container_knows_a_docker_container() {
    let mut facts = process(0);
    let id = "4d".repeat(32);
    let Some(Fact::Ok(cgroups)) = &mut facts.cgroups_trusted else { panic!() };
    cgroups[0].prefix = format!("/docker/{id}");
    let attestation = ask(builtin("container"), facts).await;
    assert_eq!(attestation.outcome, Outcome::Reported);
    assert!(said(&attestation).iter().any(|s| s.ends_with(&id)), "{attestation:?}");
}
