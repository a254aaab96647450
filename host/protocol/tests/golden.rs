//! Every frame on the wire, kept as a file. A change of one is a change for every client: look at
//! the difference, then write it with `UPDATE_GOLDEN=1 cargo test -p witgate-protocol`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say where")]

use std::{fs, path::Path};

use serde::{Serialize, de::DeserializeOwned};
use witgate_identity::{DecisionId, NodeName};
use witgate_protocol::{
    AskError, AttestAnswer, Cause, CgroupPath, Decision, HealthAnswer, Identity, Line, Outcome,
    Problem, Reason, VERSION, WatchEvent, WhoamiAnswer, You, frame::json_line,
};

fn same_as_file(name: &str, bytes: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, bytes).unwrap();
    }
    let expected = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(String::from_utf8_lossy(bytes), String::from_utf8_lossy(&expected), "{name}");
}

/// The frame is as in the file, and the file reads back as the value.
fn golden<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(name: &str, value: &T) {
    let line = json_line(value).unwrap();
    same_as_file(&format!("{name}.json"), &line);
    assert_eq!(serde_json::from_slice::<T>(&line).unwrap(), *value, "{name}");
}

fn id() -> DecisionId {
    DecisionId::new(&NodeName::new("edge-1").unwrap(), 1_795_464_000_000, [7; 10])
}

fn nginx() -> You {
    You {
        exe: Some("/usr/sbin/nginx".to_owned()),
        gid: Some(33),
        user: Some("www-data".to_owned()),
        unit: Some("nginx.service".to_owned()),
        ..You::new(4242, 33)
    }
}

/// A process that was named to do harm in a terminal.
fn hostile() -> You {
    You {
        exe: Some("/tmp/\u{1b}[2J\u{9b}31m\u{202e}gnp\n{\"decision\":\"allow\"}".to_owned()),
        container: Some("4f5e6d".to_owned()),
        ..You::new(1, u32::MAX - 1)
    }
}

fn allow() -> AttestAnswer {
    let now = "2026-11-23T20:00:00.9Z".parse().unwrap();
    let identity =
        |id: &str, until: &str| Identity::new(id.parse().unwrap(), until.parse().unwrap(), now);
    let identities = vec![
        identity("spiffe://example.org/web1/nginx", "2026-11-23T21:00:00.2Z"),
        identity("spiffe://example.org/web", "2026-11-23T20:30:00Z"),
    ];
    AttestAnswer::new(id(), identities, "sha256:8f3a09d2c4b61e75".to_owned(), false, nginx())
        .unwrap()
}

fn deny() -> Problem {
    Problem::new(Reason::NoMatchingEntry).decided(id()).about(nginx())
}

#[test]
fn attest() {
    golden("attest_allow", &allow());
    golden("attest_deny", &deny());
    let broker = || Some(You { exe: Some("/usr/bin/agent".to_owned()), ..You::new(77, 0) });
    golden("attest_broker_allow", &allow().asked_by(broker()));
    golden("attest_broker_deny", &deny().asked_by(broker()));
    golden(
        "attest_deny_hostile",
        &Problem::new(Reason::DeniedByRule).decided(id()).about(hostile()),
    );
    golden(
        "attest_unavailable",
        &Problem::new(Reason::AttestorTimeout).decided(id()).about(nginx()),
    );
    golden("rate_limited", &Problem::new(Reason::RateLimited).retry_after(2).about(nginx()));
}

#[test]
fn whoami_and_health() {
    let answer = WhoamiAnswer {
        v: VERSION,
        you: nginx(),
        groups: vec![4, 33],
        label: Some("unconfined".to_owned()),
        cgroups: vec![
            CgroupPath { controllers: String::new(), path: "/system.slice/nginx.service".into() },
            CgroupPath { controllers: "cpu,cpuacct".into(), path: "/".into() },
        ],
        tier: "A".to_owned(),
    };
    golden("whoami", &answer);
    same_as_file("whoami.txt", answer.for_people().as_bytes());
    golden("health", &HealthAnswer::new(true, "0.1.0", Some(nginx())));
    golden("health_not_ready", &HealthAnswer::new(false, "0.1.0", None));
}

#[test]
fn watch() {
    golden("watch_decision", &WatchEvent::decision(Outcome::Allow(allow())));
    golden("watch_changed", &WatchEvent::changed(Cause::Reload, Outcome::Refuse(deny())));
    golden("watch_ended", &WatchEvent::ended(Reason::SubjectChanged, Some(nginx())));
}

#[test]
fn request_faults() {
    golden("unknown_protocol", &Problem::unknown_protocol(0x16));
    let error = Line::parse(b"attest pid=1\n").unwrap_err();
    golden("unknown_key", &Problem::from(&error));
    golden("unknown_path", &Problem::from(&AskError::UnknownPath));
    golden("line_too_long", &Problem::from(&AskError::TooLong));
}

#[test]
fn for_people() {
    same_as_file("attest_allow.txt", allow().for_people().as_bytes());
    same_as_file("attest_deny.txt", deny().for_people().as_bytes());
    let broker = allow().asked_by(Some(nginx())).for_people();
    same_as_file("attest_broker_allow.txt", broker.as_bytes());
    let hostile = Problem::new(Reason::DeniedByRule).decided(id()).about(hostile());
    same_as_file("attest_deny_hostile.txt", hostile.for_people().as_bytes());
}

/// The table of reasons: word, status, gRPC code, retry, decision.
#[test]
fn reasons() {
    use std::fmt::Write as _;
    let mut table = String::new();
    for reason in Reason::ALL {
        let decision = Problem::new(reason).decision.map_or("-", |decision| match decision {
            Decision::Allow => "allow",
            Decision::Deny => "deny",
            Decision::Unavailable => "unavailable",
        });
        let retry = if reason.retryable() { "retry" } else { "-" };
        let (status, code) = (reason.http_status(), reason.grpc_code());
        writeln!(table, "{reason} {status} {code} {retry} {decision}: {}", reason.sentence())
            .unwrap();
        assert_eq!(serde_json::to_string(&reason).unwrap(), format!("\"{reason}\""));
    }
    same_as_file("reasons.txt", table.as_bytes());
    let words: std::collections::BTreeSet<_> = Reason::ALL.map(Reason::as_str).into();
    assert_eq!(words.len(), Reason::ALL.len());
}

/// What is said to a workload never says what it lacks, whatever the reason.
#[test]
fn a_refusal_names_no_entry_and_no_selector() {
    for reason in Reason::ALL {
        let line = json_line(&Problem::new(reason).decided(id()).about(nginx())).unwrap();
        let line = String::from_utf8(line).unwrap();
        for word in ["selector", "\"entry\"", "missing", "match\":"] {
            assert!(!line.contains(word), "{reason} says {word}: {line}");
        }
        assert!(line.contains(&format!("operator: witgate why {}", id())), "{line}");
    }
}

/// A newer daemon may say more; a client of this version reads on.
#[test]
fn unknown_fields_are_ignored() {
    let mut value = serde_json::to_value(allow()).unwrap();
    value.as_object_mut().unwrap().insert("later".to_owned(), 1.into());
    assert_eq!(serde_json::from_value::<Outcome>(value).unwrap(), Outcome::Allow(allow()));
    let problem = serde_json::to_value(deny()).unwrap();
    assert_eq!(serde_json::from_value::<Outcome>(problem).unwrap(), Outcome::Refuse(deny()));
}
