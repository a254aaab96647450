use witgate_policy::{ErrorKind, LoadOptions, Policy, SourceFile, Standing, WarningKind, limits};

use crate::world::{
    evidence, file, load, now, options, refused, try_load, verdict, vocabulary, vocabulary_of, word,
};

const DOCKER: &str = r#"
[[entry]]
name = "web"
identity = "/web"
match = { docker.image = "web", unix.uid = 1 }

[[entry]]
name = "anybody-else"
identity = "/else"
match = { unix.uid = 2 }
unless = { docker.image = "web" }

[[test]]
name = "web is web"
given = { docker.image = "web", unix.uid = 1 }
expect = { decision = "allow", identity = "/web" }

[[test]]
name = "uid 2 is else"
given = { unix.uid = 2 }
expect = { decision = "allow", identities = ["spiffe://example.org/else"], entry = "anybody-else" }
"#;

#[test]
fn an_entry_about_an_absent_plugin_is_inert_and_its_file_still_loads() {
    let vocabulary = vocabulary_of(&["unix"]);
    let policy = Policy::load(&[file(DOCKER)], &vocabulary, &options(), now()).unwrap();
    assert_eq!(verdict(&policy, &["unix:uid:2"]), "deny no_matching_entry");
    let standing = policy.entry("web").unwrap().standing(now());
    assert_eq!(standing, Standing::Inert(vec![crate::world::plugin("docker")]));
    let inert: Vec<_> = policy
        .warnings()
        .iter()
        .filter(|w| w.kind == WarningKind::Inert)
        .map(|w| w.name.as_str())
        .collect();
    assert_eq!(inert, ["web", "anybody-else", "web is web"]);
    let strict = LoadOptions { strict_plugins: true, ..options() };
    let errors = Policy::load(&[file(DOCKER)], &vocabulary, &strict, now()).unwrap_err();
    assert!(errors.as_slice().iter().all(|error| error.kind == ErrorKind::UnknownPlugin));
    assert_eq!(errors.as_slice().len(), 3, "{errors}");
    // Where it is loaded, everything works.
    assert_eq!(verdict(&load(DOCKER), &["unix:uid:2"]), "allow /else");
}

#[test]
fn entries_for_other_hosts_do_nothing_here_and_can_be_tested_here() {
    let text = |on: &str| {
        format!(
            "[[entry]]\nname = \"core\"\nidentity = \"/core\"\nmatch = {{ unix.uid = 1 }}\non = {{ role = [\"core\", \"hub\"], site = \"b\" }}\n\
         [[test]]\nname = \"t\"\ngiven = {{ unix.uid = 1 }}\n{on}expect = {{ decision = \"allow\" }}"
        )
    };
    let policy = load(&text("on = { role = \"hub\", site = \"b\" }\n"));
    assert_eq!(verdict(&policy, &["unix:uid:1"]), "deny no_matching_entry");
    assert_eq!(policy.entry("core").unwrap().standing(now()), Standing::OtherHost);
    let errors = refused(&text(""));
    assert!(
        errors.contains(
            "closest is core (entries.toml:1): host.role wants core or hub, there is edge"
        ),
        "{errors}"
    );
}

#[test]
fn a_test_passes_tomorrow_if_it_passes_today() {
    let text = |at: &str| {
        format!(
            "[[entry]]\nname = \"glass\"\nidentity = \"/g\"\nmatch = {{ unix.uid = 1 }}\nexpires = 2026-01-01T00:00:00Z\n\
         [[test]]\nname = \"t\"\n{at}given = {{ unix.uid = 1 }}\nexpect = {{ decision = \"allow\" }}"
        )
    };
    let policy = load(&text(""));
    assert_eq!(policy.warnings()[0].kind, WarningKind::Expired);
    assert_eq!(word(&policy.evaluate(&evidence(&["unix:uid:1"]), now())), "deny no_matching_entry");
    load(&text("at = 2025-12-31T00:00:00Z\n"));
    assert!(
        refused(&text("at = 2026-01-01T00:00:00Z\n")).contains("fails: expected allow, got deny")
    );
}

#[test]
fn a_test_says_what_is_unknown_and_challenged() {
    let entry = "[[entry]]\nname = \"e\"\nidentity = \"/e\"\nmatch = { unix.uid = 1, docker.image = \"a\" }\nrequire = [\"challenged\"]\n";
    let test = |more: &str| format!("{entry}[[test]]\nname = \"t\"\n{more}");
    load(&test(
        "given = { unix.uid = 1 }\nunknown = [\"docker\"]\nchallenged = true\nexpect = { decision = \"unavailable\" }",
    ));
    load(&test(
        "given = { unix.uid = 1 }\nunknown = [\"docker.image\"]\nexpect = { decision = \"deny\", reason = \"no_matching_entry\" }",
    ));
    let errors = refused(&test(
        "given = { unix.uid = 1 }\nunknown = [\"docker.imgae\", \"d:e\"]\nexpect = { decision = \"deny\" }",
    ));
    assert!(
        errors.contains("did you mean 'docker.image'?")
            && errors.contains("\"d:e\" is no plugin or key"),
        "{errors}"
    );
}

#[test]
fn all_mistakes_of_all_files_come_at_once() {
    let file = |name: &str, text: &str| SourceFile { name: name.to_owned(), text: text.to_owned() };
    let same = "[[entry]]\nname = \"same\"\nidentity = \"/s\"\nmatch = { unix.uid = 1 }\n";
    let files = [
        file(
            "b.toml",
            &format!("{same}[[entry]]\nname = \nidentity = \"/x\"\n{}", same.replace("uid", "udi")),
        ),
        file(
            "a.toml",
            &format!("{same}[[test]]\nname = \"never run\"\nexpect = {{ decision = \"allow\" }}"),
        ),
    ];
    let errors = Policy::load(&files, &vocabulary(), &options(), now()).unwrap_err();
    let found: Vec<_> =
        errors.as_slice().iter().map(|e| (e.file.as_str(), e.line, e.kind)).collect();
    assert_eq!(
        found,
        [
            ("b.toml", 1, ErrorKind::Duplicate),
            ("b.toml", 6, ErrorKind::Syntax),
            ("b.toml", 8, ErrorKind::Duplicate),
            ("b.toml", 11, ErrorKind::UnknownKey),
        ],
        "{errors}"
    );
    assert_eq!(errors.fault(), witgate_identity::Fault::Operator);
}

#[test]
fn a_revision_names_the_entries_and_nothing_else() {
    let revision = |text: &str| load(text).revision().to_owned();
    let one = "[[entry]]\nname = \"e\"\nidentity = \"/e\"\nmatch = { unix.uid = [1, 2] }\n";
    assert!(revision(one).starts_with("sha256:") && revision(one).len() == 23);
    let test = "[[test]]\nname = \"t\"\nexpect = { decision = \"deny\" }";
    assert_eq!(
        revision(one),
        revision(&format!("# words\n{}\n{test}", one.replace("[1, 2]", "[2, 1, 2]")))
    );
    assert_eq!(
        revision(one),
        revision(
            &one.replace("match = { unix.uid = [1, 2] }", "match = { unix.uid = [\"1\", \"2\"] }")
        )
    );
    for (from, to) in [("/e", "/f"), ("\"e\"", "\"f\""), ("[1, 2]", "[1]"), ("match", "like")] {
        let changed = one
            .replace(from, to)
            .replace("like = { unix.uid = [1, 2] }", "like = { unix.uid = [\"1\", \"2\"] }");
        assert_ne!(revision(one), revision(&changed), "{from}");
    }
    for more in [
        "priority = 1",
        "ttl = \"2h\"",
        "weak = true",
        "hint = \"h\"",
        "on = { role = \"edge\" }",
        "action = \"observe\"",
        "require = [\"challenged\"]",
        "unless = { unix.gid = 1 }",
        "expires = 2027-01-01T00:00:00Z",
    ] {
        assert_ne!(revision(one), revision(&format!("{one}{more}")), "{more}");
    }
}

#[test]
fn too_much_is_refused() {
    let kind = |text: &str| try_load(text).unwrap_err().as_slice()[0].kind;
    assert_eq!(kind(&"#".repeat(limits::MAX_FILE_BYTES + 1)), ErrorKind::Limit);
    let entry = |clause: &str| format!("[[entry]]\nname = \"e\"\nidentity = \"/e\"\n{clause}");
    let list = |n: usize| {
        format!(
            "match = {{ unix.uid = [{}] }}",
            (0..n).map(|i| i.to_string()).collect::<Vec<_>>().join(",")
        )
    };
    load(&entry(&list(limits::MAX_VALUES)));
    assert_eq!(kind(&entry(&list(limits::MAX_VALUES + 1))), ErrorKind::Limit);
    let labels = |n: usize| {
        format!(
            "match = {{ {} }}",
            (0..n).map(|i| format!("docker.label.l{i} = 1")).collect::<Vec<_>>().join(",")
        )
    };
    load(&entry(&labels(limits::MAX_CONDITIONS)));
    assert_eq!(kind(&entry(&labels(limits::MAX_CONDITIONS + 1))), ErrorKind::Limit);
    let slots = |n: usize| "/{unix.user}".repeat(n);
    load(&entry("match = { unix.uid = 1 }").replace("/e", &slots(limits::MAX_PLACEHOLDERS)));
    assert_eq!(
        kind(
            &entry("match = { unix.uid = 1 }").replace("/e", &slots(limits::MAX_PLACEHOLDERS + 1))
        ),
        ErrorKind::Template
    );
    let long_glob = "x".repeat(limits::MAX_GLOB + 1);
    assert_eq!(
        kind(&entry(&format!("like = {{ unix.user = \"{long_glob}\" }}"))),
        ErrorKind::Limit
    );
    for (ttl, ok) in [("10s", true), ("7d", true), ("9s", false), ("8d", false)] {
        let text = entry(&format!("match = {{ unix.uid = 1 }}\nttl = \"{ttl}\""));
        assert_eq!(try_load(&text).is_ok(), ok, "{ttl}");
    }
}

// Deep nesting and endless mistakes cost an error, not the stack or the memory.
#[test]
fn hostile_text_is_refused() {
    for text in [
        "[".repeat(300_000),
        "a = ".to_owned() + &"[".repeat(300_000),
        "a = ".to_owned() + &"{a = ".repeat(100_000),
        "a.".repeat(100_000) + "a = 1",
        format!("[{}a]", "a.".repeat(100_000)),
    ] {
        assert!(try_load(&text).is_err());
    }
    let errors = try_load(&"[[entry]]\n".repeat(5_000)).unwrap_err();
    assert_eq!(errors.as_slice().len(), limits::MAX_ERRORS_PER_FILE + 1);
    assert!(errors.to_string().contains("more mistakes in this file"));
}

#[test]
fn nothing_loads_as_nothing() {
    let policy = Policy::load(&[], &vocabulary(), &options(), now()).unwrap();
    assert_eq!(verdict(&policy, &["unix:uid:0"]), "deny no_matching_entry");
    assert_eq!(policy.entries().count(), 0);
}
