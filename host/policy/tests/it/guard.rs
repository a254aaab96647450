//! Who gets an entry, in words, and which entries are refused for it.

use crate::world::{load, refused};
use witgate_policy::WarningKind;

/// The guard of the only entry, in words.
#[track_caller]
fn guard(entry: &str) -> String {
    let policy = load(&format!("[[entry]]\nname = \"e\"\n{entry}"));
    policy.entries().next().unwrap().guard().to_string()
}

#[test]
fn guards_in_words() {
    let id = "identity = \"/e\"\n";
    let table = [
        (
            "match = { unix.uid = 1000 }",
            "anyone who can run as uid 1000, also in any container, gets this",
        ),
        (
            "match = { unix.uid = [0, 1000] }",
            "anyone who can run as uid 0 or 1000, also in any container, gets this",
        ),
        (
            "match = { unix.user = \"ada\", unix.host = true }",
            "anyone who is on the host, outside any container, and can run as user ada gets this",
        ),
        (
            "match = { unix.gid = 5, unix.group = \"g\", unix.supplementary_group = \"adm\" }",
            "anyone who can run with gid 5 and can run with group g and is in group adm, also in any container, gets this",
        ),
        (
            "match = { systemd.unit = \"a.service\", unix.uid = 0 }",
            "anyone who has systemd.unit = a.service and can run as uid 0 gets this",
        ),
        (
            "like = { docker.image = \"shop/*\" }",
            "anyone who has docker.image like shop/* gets this",
        ),
        (
            "match = { docker.label.\"com.x\" = \"y\" }",
            "anyone who has docker.label[com.x] = y gets this",
        ),
        // What can be forged does not count.
        (
            "match = { unix.uid = 1, unix.path = \"/bin/x\" }",
            "anyone who can run as uid 1, also in any container, gets this",
        ),
        (
            "match = { unix.uid = 1, docker.env.A = \"b\" }",
            "anyone who can run as uid 1, also in any container, gets this",
        ),
        (
            "match = { unix.uid = 1 }\nrequire = [\"challenged\"]\nunless = { unix.group = \"x\" }",
            "anyone who can run as uid 1, also in any container, gets this",
        ),
        // A glob that everything matches does not count.
        (
            "match = { unix.path = \"/x\" }\nlike = { unix.user = \"*\" }\nweak = true",
            "anyone who can connect gets this",
        ),
        ("match = { unix.path = \"/x\" }\nweak = true", "anyone who can connect gets this"),
        (
            "match = { docker.token = \"abc\" }",
            "anyone who has docker.token = (secret, 3 bytes) gets this",
        ),
        (
            "match = { unix.uid = 1 }\naction = \"observe\"",
            "anyone who can run as uid 1, also in any container, would get this",
        ),
    ];
    for (entry, words) in table {
        assert_eq!(guard(&format!("{id}{entry}")), words, "{entry}");
    }
    let deny = "action = \"deny\"\nmatch = { unix.uid = 0 }";
    assert_eq!(guard(deny), "anyone who can run as uid 0, also in any container, is refused");
    let follows = "identity = \"/u/{unix.user}\"\nmatch = { unix.host = true }";
    assert_eq!(
        guard(follows),
        "anyone who is on the host, outside any container, gets this, each by unix.user"
    );
}

/// Two entries, of identities `/a` and `/b` unless a line says otherwise.
fn two(a: &str, b: &str) -> String {
    let entry = |name: &str, text: &str| {
        let identity = if text.contains("identity") {
            String::new()
        } else {
            format!("identity = \"/{name}\"\n")
        };
        format!("[[entry]]\nname = \"{name}\"\n{identity}{text}\n")
    };
    entry("a", a) + &entry("b", b)
}

#[test]
fn entries_that_only_forgeable_evidence_tells_apart_are_refused() {
    let by_path = |path: &str, more: &str| {
        format!("match = {{ unix.uid = 1, unix.path = \"{path}\" }}\n{more}")
    };
    let by_uid = "match = { unix.uid = 1 }";
    // Both rest on their paths: both must say so.
    let errors = refused(&two(&by_path("/x", ""), &by_path("/y", "")));
    assert_eq!(errors.lines().count(), 2, "{errors}");
    assert!(
        errors.contains(
            "'a' and 'b' (entries.toml:6) give different identities behind the same guard"
        ),
        "{errors}"
    );
    assert_eq!(refused(&two(&by_path("/x", ""), &by_path("/y", "weak = true"))).lines().count(), 1);
    load(&two(&by_path("/x", "weak = true"), &by_path("/y", "weak = true")));
    // One that promises no more than its guard may stand beside a weak one, not beside another like it.
    load(&two(by_uid, &by_path("/y", "weak = true")));
    assert_eq!(refused(&two(by_uid, by_uid)).lines().count(), 2);
    // The same identity, another guard, other hosts, the past, and observing are fine.
    load(&two(
        &format!("{by_uid}\nidentity = \"/s\""),
        &format!("{}\nidentity = \"/s\"", by_path("/y", "")),
    ));
    load(&two(by_uid, "match = { unix.uid = [1, 2] }"));
    load(&two(by_uid, &format!("{by_uid}\non = {{ role = \"core\" }}")));
    load(&two(by_uid, &format!("{by_uid}\nexpires = 2026-01-01T00:00:00Z")));
    load(&two(by_uid, &format!("{by_uid}\naction = \"observe\"")));
    // Written otherwise, it is still the same guard.
    let errors = refused(&two("match = { unix.uid = [2, 1, 1] }", "match = { unix.uid = [1, 2] }"));
    assert_eq!(errors.lines().count(), 2, "{errors}");
    assert_eq!(refused(&two("selectors = [\"unix:uid:1\"]", by_uid)).lines().count(), 2);
}

// #27
#[test]
fn what_rests_on_forgeable_evidence_needs_weak() {
    let table = [
        ("identity = \"/e\"\nmatch = { unix.path = \"/x\" }", "anyone who can connect gets this"),
        (
            "identity = \"/e\"\nmatch = { unix.path = \"/x\" }\nrequire = [\"challenged\"]",
            "anyone who can connect gets this",
        ),
        ("identity = \"/e\"\nlike = { unix.user = \"**\" }", "anyone who can connect gets this"),
        (
            "identity = \"/e/{unix.sha256}\"\nmatch = { unix.uid = 1 }",
            "the identity carries unix.sha256 of level claimed",
        ),
        (
            "identity = \"/e\"\nmatch = { unix.uid = 1 }\nunless = { docker.env.A = \"b\" }",
            "unless docker.env[A] is of level claimed",
        ),
        (
            "action = \"deny\"\nmatch = { unix.uid = 1, unix.path = \"/x\" }",
            "deny by unix.path is of level claimed",
        ),
        (
            "action = \"deny\"\nlike = { unix.path = \"/tmp/**\" }",
            "deny by unix.path is of level claimed",
        ),
    ];
    for (entry, message) in table {
        let text = format!("[[entry]]\nname = \"e\"\n{entry}\n");
        let errors = refused(&text);
        assert!(errors.contains(message) && errors.lines().count() == 1, "{errors}");
        let policy = load(&(text + "weak = true"));
        let weak = policy.warnings().iter().filter(|w| w.kind == WarningKind::Weak);
        assert_eq!(weak.count(), 1);
    }
    load(
        "[[entry]]\nname = \"e\"\nidentity = \"/e\"\naction = \"observe\"\nmatch = { unix.path = \"/x\" }",
    );
}

#[test]
fn ids_alone_remind_of_containers() {
    let reminded = |text: &str| {
        let policy =
            load(&format!("[[entry]]\nname = \"e\"\nidentity = \"/e\"\nmatch = {{ {text} }}"));
        policy.warnings().iter().any(|w| w.kind == WarningKind::AlsoContainers)
    };
    assert!(reminded("unix.uid = 1") && reminded("unix.group = \"g\""));
    assert!(
        !reminded("unix.uid = 1, unix.host = true")
            && !reminded("unix.uid = 1, systemd.unit = \"a\"")
    );
    assert!(!reminded("docker.image = \"a\""));
}
