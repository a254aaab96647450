use witgate_identity::Wanted;
use witgate_policy::{Clause, Outcome, Policy, Truth};

use crate::world::{evidence, evidence_without, file, load, now, options, vocabulary_of};

const ENTRIES: &str = r#"
[[entry]]
name = "far"
identity = "/far"
match = { unix.uid = 1, unix.gid = 1, unix.path = "/x" }

[[entry]]
name = "near"
identity = "/near"
match = { unix.user = ["ada", "bob"], systemd.unit = "a.service", docker.token = "secret" }

[[entry]]
name = "old"
identity = "/old"
match = { systemd.unit = "a.service" }
expires = 2026-01-01T00:00:00Z

[[entry]]
name = "elsewhere"
identity = "/elsewhere"
match = { systemd.unit = "a.service", unix.group = "g" }
on = { role = "core" }
"#;

#[test]
fn the_closest_come_first_with_what_is_missing_beside_what_is_there() {
    let policy = load(ENTRIES);
    let selectors =
        ["systemd:unit:a.service", "unix:user:eve", "unix:group:g", "docker:token:secret"];
    let considered = policy.explain(&evidence(&selectors), now(), 3);
    let names: Vec<_> = considered.iter().map(|c| (c.at.entry.as_str(), c.outcome)).collect();
    assert_eq!(
        names,
        [
            ("near", Outcome::NotMatched),
            ("elsewhere", Outcome::OtherHost),
            ("old", Outcome::Expired),
        ]
    );
    let missing = &considered[0].missing[0];
    assert_eq!(
        (missing.key.as_str(), missing.clause, missing.met),
        ("unix.user", Clause::Match, Truth::False)
    );
    assert_eq!(
        (missing.wanted.join(" "), missing.have.join(" ")),
        ("ada bob".to_owned(), "eve".to_owned())
    );
    let token = considered[0].held.iter().find(|held| held.key == "docker.token").unwrap();
    assert_eq!(
        (token.wanted.join(""), token.have.join("")),
        ("(secret, 6 bytes)".to_owned(), "(secret, 6 bytes)".to_owned())
    );
    assert!(!serde_json::to_string(&considered).unwrap().contains("\"secret\""));
    let label = &considered[1].missing[0];
    assert_eq!(
        (label.clause, label.wanted.join(""), label.have.join("")),
        (Clause::On, "core".to_owned(), "edge".to_owned())
    );
}

#[test]
fn the_unknown_says_why() {
    let policy = load(ENTRIES);
    let evidence = evidence_without(&["systemd:unit:a.service", "unix:user:ada"], &["docker"]);
    let closest = &policy.explain(&evidence, now(), 1)[0];
    assert_eq!((closest.at.entry.as_str(), closest.outcome), ("near", Outcome::Unknown));
    assert_eq!(closest.missing[0].reason.as_deref(), Some("docker.token: timeout"));
}

#[test]
fn an_inert_entry_says_which_plugin_it_lacks() {
    let vocabulary = vocabulary_of(&["unix", "docker"]);
    let policy = Policy::load(&[file(ENTRIES)], &vocabulary, &options(), now()).unwrap();
    let considered = policy.explain(&evidence(&["unix:user:ada", "docker:token:secret"]), now(), 9);
    let near = considered.iter().find(|c| c.at.entry == "near").unwrap();
    assert_eq!(near.outcome, Outcome::Inert);
    assert!(near.missing.iter().any(|missing| missing.key == "systemd"));
}

#[test]
fn a_template_without_a_value_is_seen() {
    let policy =
        load("[[entry]]\nname = \"e\"\nidentity = \"/{unix.user}\"\nmatch = { unix.uid = 1 }");
    let closest = &policy.explain(&evidence(&["unix:uid:1"]), now(), 1)[0];
    assert_eq!(closest.outcome, Outcome::TemplateIncomplete);
    assert_eq!(closest.missing[0].reason.as_deref(), Some("there is no unix.user"));
}

#[test]
fn only_what_live_entries_and_tests_use_is_wanted() {
    let text = format!(
        "{ENTRIES}\n[[test]]\nname = \"t\"\ngiven = {{ unix.host = true }}\nexpect = {{ decision = \"deny\" }}"
    );
    let Wanted::Keys(keys) = load(&text).wanted() else { panic!("everything is wanted") };
    let keys: Vec<_> = keys.iter().map(|(plugin, key)| format!("{plugin}.{key}")).collect();
    assert_eq!(
        keys.join(" "),
        "docker.token systemd.unit unix.gid unix.host unix.path unix.uid unix.user"
    );
}

#[test]
fn an_entry_reads_as_one_line() {
    let policy = load(&format!(
        "{ENTRIES}\n[[entry]]\nname = \"all\"\nidentity = \"/all\"\nmatch = {{ unix.uid = [1, 2] }}\nlike = {{ docker.image = \"a/*\" }}\n\
         unless = {{ unix.group = \"x\" }}\non = {{ role = [\"edge\", \"core\"] }}\nrequire = [\"challenged\"]"
    ));
    assert_eq!(
        policy.entry("all").unwrap().describe(),
        "docker.image like a/*, unix.uid = 1 or 2 · unless unix.group = x · on role = core or edge · challenged"
    );
    let text = serde_json::to_string(&policy.entry("all").unwrap().summary(now())).unwrap();
    assert!(text.contains("\"standing\":\"live\"") && text.contains("\"line\":"), "{text}");
}
