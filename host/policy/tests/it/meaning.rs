//! What entries mean: design.md §5, sentence by sentence.

use jiff::Timestamp;

use crate::world::{evidence, evidence_without, load, now, verdict, verdict_without, word};

const SHOP: &str = r#"
[[entry]]
name = "postgres"
identity = "/svc/postgresql/{systemd.instance}"
match = { systemd.template = "postgresql@.service", unix.user = ["postgres", "pg"] }
unless = { unix.supplementary_group = "docker" }
ttl = "2h"
hint = "db"

[[entry]]
name = "shop"
identity = "/shop/{docker.label[com.docker.compose.service]}"
match = { docker.label."com.docker.compose.project" = "shop" }
like = { docker.image = ["shop/web:*", "shop/api:*"] }
on = { role = "edge" }

[[entry]]
name = "legacy"
selectors = ["docker:label:tier:web", "unix:uid:0"]
identity = "/legacy"

[[entry]]
name = "no-guests"
action = "deny"
match = { unix.group = "guests" }
"#;

const POSTGRES: [&str; 3] =
    ["systemd:template:postgresql@.service", "systemd:instance:main", "unix:user:pg"];

#[test]
fn keys_and_arrays_or_templates_unless() {
    let policy = load(SHOP);
    assert_eq!(verdict(&policy, &POSTGRES), "allow /svc/postgresql/main");
    assert_eq!(verdict(&policy, &POSTGRES[1..]), "deny no_matching_entry");
    let with = |more: &'static str| [POSTGRES.as_slice(), &[more]].concat();
    assert_eq!(
        verdict(&policy, &with("unix:supplementary_group:docker")),
        "deny no_matching_entry"
    );
    assert_eq!(
        verdict(&policy, &with("unix:supplementary_group:adm")),
        "allow /svc/postgresql/main"
    );
    assert_eq!(verdict(&policy, &with("unix:group:guests")), "deny denied_by_rule no-guests");
    let found = policy.evaluate(&evidence(&POSTGRES), now());
    let granted = &found.verdict.granted()[0];
    assert_eq!(
        (granted.ttl.as_secs(), granted.hint.as_deref(), granted.line),
        (7200, Some("db"), 2)
    );
}

#[test]
fn globs_names_and_literal_selectors() {
    let policy = load(SHOP);
    let service = "docker:label:com.docker.compose.service:web";
    let shop = ["docker:label:com.docker.compose.project:shop", service, "docker:image:shop/web:1"];
    assert_eq!(verdict(&policy, &shop), "allow /shop/web");
    assert_eq!(
        verdict(&policy, &[shop[0], service, "docker:image:shop/web/x:1"]),
        "deny no_matching_entry"
    );
    assert_eq!(verdict(&policy, &[shop[0], shop[2]]), "deny template_incomplete shop");
    assert_eq!(verdict(&policy, &["docker:label:tier:web", "unix:uid:0"]), "allow /legacy");
    assert_eq!(verdict(&policy, &["docker:label:tier:web"]), "deny no_matching_entry");
    // A star in `match` is a star.
    let star =
        load("[[entry]]\nname = \"e\"\nidentity = \"/e\"\nmatch = { docker.image = \"a*\" }");
    assert_eq!(verdict(&star, &["docker:image:ab"]), "deny no_matching_entry");
    assert_eq!(verdict(&star, &["docker:image:a*"]), "allow /e");
}

#[test]
fn the_unknown_counts_against_the_workload_where_it_could_matter() {
    let policy = load(SHOP);
    // A condition of an allow.
    assert_eq!(
        verdict_without(&policy, &["unix:user:pg"], &["systemd"]),
        "unavailable: postgres (systemd.instance: timeout; systemd.template: timeout)"
    );
    // One that is false anyway: docker cannot change it, uid and label entries are unknown.
    let found = verdict_without(&policy, &["unix:uid:5"], &["docker"]);
    assert_eq!(
        found,
        "unavailable: shop (docker.image: timeout; docker.label[com.docker.compose.project]: timeout; docker.label[com.docker.compose.service]: timeout)"
    );
    // `unless`.
    assert_eq!(
        verdict_without(&policy, &POSTGRES, &["unix.supplementary_group"]),
        "unavailable: postgres (unix.supplementary_group: too large)"
    );
    // `deny`.
    assert_eq!(
        verdict_without(&policy, &POSTGRES, &["unix.group"]),
        "unavailable: no-guests (unix.group: too large)"
    );
    // A `deny` that could only turn a denial into a denial.
    assert_eq!(
        verdict_without(&policy, &["unix:uid:5"], &["unix.group"]),
        "deny no_matching_entry"
    );
    // What does not touch a matching entry.
    assert_eq!(verdict_without(&policy, &POSTGRES, &["docker"]), "allow /svc/postgresql/main");
    // A value of a template; also where one is there, for there may be another.
    assert_eq!(
        verdict_without(&policy, &POSTGRES, &["systemd.instance"]),
        "unavailable: postgres (systemd.instance: too large)"
    );
}

#[test]
fn evidence_below_the_level_that_an_entry_was_checked_with_is_unknown() {
    let policy =
        load("[[entry]]\nname = \"e\"\nidentity = \"/e\"\nmatch = { docker.image = \"a\" }");
    let mut evidence = evidence(&["docker:image:a"]);
    assert_eq!(word(&policy.evaluate(&evidence, now())), "allow /e");
    evidence.selectors = evidence
        .selectors
        .iter()
        .map(|(selector, _)| witgate_identity::Attested {
            selector: selector.clone(),
            assurance: witgate_identity::Assurance::Claimed,
        })
        .collect();
    assert_eq!(
        word(&policy.evaluate(&evidence, now())),
        "unavailable: e (docker.image: attested as claimed only, this entry relies on runtime or better)"
    );
    // Against the workload, any evidence counts.
    let deny =
        load("[[entry]]\nname = \"no\"\naction = \"deny\"\nmatch = { docker.image = \"a\" }");
    assert_eq!(word(&deny.evaluate(&evidence, now())), "deny denied_by_rule no");
}

#[test]
fn several_identities_come_by_priority_then_conditions_then_name() {
    let entry = |name: &str, more: &str| {
        format!("[[entry]]\nname = \"{name}\"\nidentity = \"/{name}\"\nweak = true\n{more}\n")
    };
    let policy = load(
        &[
            entry("b", "match = { unix.uid = 1 }"),
            entry("a", "match = { unix.uid = 1 }"),
            entry("more", "match = { unix.uid = 1, unix.gid = 1 }"),
            entry("first", "match = { unix.uid = 1 }\npriority = 5"),
            entry("last", "match = { unix.uid = 1, unix.gid = 1 }\npriority = -5"),
            entry("twice", "match = { unix.uid = 1 }").replace("/twice", "/a"),
        ]
        .concat(),
    );
    assert_eq!(verdict(&policy, &["unix:uid:1", "unix:gid:1"]), "allow /first /more /a /b /last");
    let found = policy.evaluate(&evidence(&["unix:uid:1"]), now());
    assert_eq!(
        found.verdict.granted().iter().map(|g| g.entry.as_str()).collect::<Vec<_>>(),
        ["first", "a", "b"]
    );
}

#[test]
fn observing_never_grants() {
    let policy = load(
        "[[entry]]\nname = \"o\"\naction = \"observe\"\nidentity = \"/o\"\nmatch = { unix.uid = 1 }",
    );
    let found = policy.evaluate(&evidence(&["unix:uid:1"]), now());
    assert_eq!(word(&found), "deny no_matching_entry");
    assert_eq!(found.observed[0].id.as_ref().unwrap().path(), "/o");
    // Nor does it make anything unavailable.
    assert_eq!(verdict_without(&policy, &[], &["unix"]), "deny no_matching_entry");
}

#[test]
fn what_expires_ends_on_time() {
    let policy = load(
        "[[entry]]\nname = \"e\"\nidentity = \"/e\"\nmatch = { unix.uid = 1 }\nexpires = 2026-06-01T12:30:00Z",
    );
    let at = |time: &str| {
        policy.evaluate(&evidence(&["unix:uid:1"]), time.parse::<Timestamp>().unwrap())
    };
    assert_eq!(at("2026-06-01T11:00:00Z").verdict.granted()[0].ttl.as_secs(), 3600);
    assert_eq!(at("2026-06-01T12:29:00Z").verdict.granted()[0].ttl.as_secs(), 60);
    assert_eq!(word(&at("2026-06-01T12:30:00Z")), "deny no_matching_entry");
}

#[test]
fn a_challenge_is_required_where_the_entry_says_so() {
    let policy = load(
        "[[entry]]\nname = \"e\"\nidentity = \"/e\"\nmatch = { unix.uid = 1 }\nrequire = [\"challenged\"]",
    );
    let mut evidence = evidence(&["unix:uid:1"]);
    assert_eq!(word(&policy.evaluate(&evidence, now())), "deny no_matching_entry");
    evidence.challenged = true;
    assert_eq!(word(&policy.evaluate(&evidence, now())), "allow /e");
}

// #81: no value adds a segment, and two workloads cannot meet in one identity.
#[test]
fn values_stand_in_a_path_only_if_they_fit() {
    let entry = |template: &str| {
        load(&format!(
            "[[entry]]\nname = \"e\"\nidentity = \"{template}\"\nmatch = {{ docker.image = \"a\" }}"
        ))
    };
    let (plain, encoded) = (entry("/x/{docker.label[n]}/y"), entry("/x/{docker.label[n]|encode}"));
    for value in ["a/b", "..", ".", "ä", "a b", "a%2fb", "a|encode", "{unix.user}"] {
        let label = format!("docker:label:n:{value}");
        assert_eq!(
            verdict(&plain, &["docker:image:a", &label]),
            "deny template_incomplete e",
            "{value}"
        );
        let path = format!("allow /x/{}", witgate_identity::encode_segment(value));
        assert_eq!(verdict(&encoded, &["docker:image:a", &label]), path);
    }
    assert_eq!(verdict(&plain, &["docker:image:a", "docker:label:n:v1.2_3"]), "allow /x/v1.2_3/y");
    assert_eq!(
        verdict(&plain, &["docker:image:a", "docker:label:n:a", "docker:label:n:b"]),
        "deny template_incomplete e"
    );
    assert_eq!(verdict(&plain, &["docker:image:a"]), "deny template_incomplete e");
    assert_eq!(
        verdict(&entry("/x/{docker.label[a}b]}"), &["docker:image:a", "docker:label:a}b:v"]),
        "allow /x/v"
    );
    let long = format!("docker:label:n:{}", "x".repeat(2040));
    assert_eq!(verdict(&plain, &["docker:image:a", &long]), "deny template_incomplete e");
}

#[test]
fn a_denial_by_rule_names_the_first_rule() {
    let entry = |name: &str, more: &str| {
        format!(
            "[[entry]]\nname = \"{name}\"\naction = \"deny\"\nmatch = {{ unix.uid = 1 }}\n{more}\n"
        )
    };
    let policy = load(&(entry("a", "") + &entry("b", "priority = 1")));
    assert_eq!(verdict(&policy, &["unix:uid:1"]), "deny denied_by_rule b");
    let evidence = evidence_without(&[], &["unix"]);
    assert_eq!(word(&policy.evaluate(&evidence, now())), "deny no_matching_entry");
}
