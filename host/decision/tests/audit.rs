//! The audit log as its callers see it: what is written, what is counted, what is kept.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    time::Duration,
};

use proptest::prelude::*;
use serde_json::json;
use witgate_decision::audit::{
    Audit, AuditConfig, AuditError, AuditState, Class, Filter, Kind, Position, Stored, read_back,
    verify,
};

/// A log whose clock never ticks by itself, so that every record is the test's.
fn config(dir: &Path) -> AuditConfig {
    let never = Duration::from_secs(3600);
    AuditConfig {
        tick: never,
        window: never,
        checkpoint_every: never,
        ..AuditConfig::new(dir.join("log"))
    }
}

fn stored(dir: &Path, kinds: &[Kind]) -> Vec<Stored> {
    let filter = Filter { kinds: kinds.to_vec(), ..Filter::default() };
    read_back(&dir.join("log"), filter).unwrap().map(Result::unwrap).collect()
}

fn log_bytes(dir: &Path) -> u64 {
    fs::read_dir(dir.join("log"))
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum()
}

#[test]
fn what_is_appended_is_read_back_in_order_and_verifies() {
    let dir = tempfile::tempdir().unwrap();
    let audit = Audit::open(config(dir.path())).unwrap();
    for n in 0..5 {
        let position = audit.append(Class::Grant, 33, "allow", &json!({ "n": n })).unwrap();
        assert_eq!(position, Position::Written { seq: n + 2, file: 1 }, "1 is the file's own");
    }
    audit.append(Class::Withheld, 33, "peer_exited", &json!({ "n": 4 })).unwrap();
    audit.append(Class::System, 0, "reloaded", &json!({ "revision": "sha256:8f" })).unwrap();
    let head = audit.close().unwrap();

    let grants = stored(dir.path(), &[Kind::Grant]);
    assert_eq!(
        grants.iter().map(|r| r.body["n"].as_u64().unwrap()).collect::<Vec<_>>(),
        [0, 1, 2, 3, 4]
    );
    assert!(grants.iter().all(|record| record.uid == Some(33) && record.cause == "allow"));
    let report = verify(&dir.path().join("log"), Some(&head.to_string())).unwrap();
    assert_eq!((report.records, report.checkpoints, report.unsigned), (9, 1, 0));
    assert_eq!(report.notes, []);
}

#[test]
fn filters_find_what_they_are_for() {
    let dir = tempfile::tempdir().unwrap();
    let audit = Audit::open(config(dir.path())).unwrap();
    audit.append(Class::Grant, 1, "allow", &json!({ "id": "edge-1-aa" })).unwrap();
    audit.append(Class::Denial, 2, "no_matching_entry", &json!({ "id": "edge-1-bb" })).unwrap();
    audit.close().unwrap();
    let find = |filter: Filter| -> Vec<u64> {
        read_back(&dir.path().join("log"), filter)
            .unwrap()
            .map(|record| record.unwrap().seq)
            .collect()
    };
    assert_eq!(find(Filter { containing: Some("edge-1-bb".to_owned()), ..Filter::default() }), [3]);
    assert_eq!(find(Filter { uid: Some(1), ..Filter::default() }), [2]);
    assert_eq!(find(Filter { kinds: vec![Kind::Denial], ..Filter::default() }), [3]);
    let times: Vec<_> = stored(dir.path(), &[]).iter().map(|record| record.time).collect();
    let (first, last) = (times[0], *times.last().unwrap());
    assert_eq!(
        find(Filter { since: Some(first), until: Some(last), ..Filter::default() }).len(),
        4
    );
    let later = last.checked_add(Duration::from_nanos(1)).unwrap();
    assert!(find(Filter { since: Some(later), ..Filter::default() }).is_empty());
}

#[test]
fn only_the_owner_can_look() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    Audit::open(config(dir.path())).unwrap().close().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&log), 0o700);
    for name in ["audit-00000001.jsonl", "checkpoint.key", "head", "lock"] {
        assert_eq!(mode(&log.join(name)), 0o600, "{name}");
    }
    // A key or a folder that others can read or write is not used.
    for path in [log.join("checkpoint.key"), log.clone()] {
        let before = mode(&path);
        fs::set_permissions(&path, fs::Permissions::from_mode(before | 0o040)).unwrap();
        assert!(matches!(Audit::open(config(dir.path())), Err(AuditError::Unsafe { .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(before)).unwrap();
    }
    Audit::open(config(dir.path())).unwrap();
}

// #55: what lies in the way is not followed.
#[test]
fn links_are_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let elsewhere = dir.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, dir.path().join("log")).unwrap();
    assert!(matches!(Audit::open(config(dir.path())), Err(AuditError::Io { .. })));
    fs::remove_file(dir.path().join("log")).unwrap();

    Audit::open(config(dir.path())).unwrap().close().unwrap();
    let file = dir.path().join("log/audit-00000001.jsonl");
    fs::rename(&file, elsewhere.join("stolen")).unwrap();
    symlink(elsewhere.join("stolen"), &file).unwrap();
    assert!(matches!(Audit::open(config(dir.path())), Err(AuditError::Io { .. })));
}

// #58: two daemons on one folder.
#[test]
fn a_second_writer_is_refused_and_the_first_untouched() {
    let dir = tempfile::tempdir().unwrap();
    let first = Audit::open(config(dir.path())).unwrap();
    assert!(matches!(Audit::open(config(dir.path())), Err(AuditError::Busy { .. })));
    first.append(Class::Grant, 1, "allow", &json!({})).unwrap();
    first.close().unwrap();
    assert!(matches!(first.append(Class::Grant, 1, "allow", &json!({})), Err(AuditError::Closed)));
    Audit::open(config(dir.path())).unwrap();
}

#[test]
fn a_lost_key_is_not_replaced_behind_the_logs_back() {
    let dir = tempfile::tempdir().unwrap();
    Audit::open(config(dir.path())).unwrap().close().unwrap();
    let key = dir.path().join("log/checkpoint.key");
    let bytes = fs::read(&key).unwrap();
    for rubbish in [&b""[..], b"short\n", &[b'G'; 65]] {
        fs::write(&key, rubbish).unwrap();
        assert!(matches!(Audit::open(config(dir.path())), Err(AuditError::Key { .. })));
    }
    fs::remove_file(&key).unwrap();
    assert!(matches!(Audit::open(config(dir.path())), Err(AuditError::Key { .. })));
    let log = dir.path().join("log");
    fs::write(&key, bytes).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    Audit::open(config(dir.path())).unwrap().close().unwrap();
    verify(&log, None).unwrap();
}

#[test]
fn repeated_denials_are_one_record_and_an_exact_counter() {
    let dir = tempfile::tempdir().unwrap();
    let audit = Audit::open(config(dir.path())).unwrap();
    let deny =
        |uid, cause| audit.append(Class::Denial, uid, cause, &json!({ "why": "a" })).unwrap();
    assert_eq!(deny(1, "no_matching_entry"), Position::Written { seq: 2, file: 1 });
    for _ in 0..999 {
        assert_eq!(deny(1, "no_matching_entry"), Position::Counted { with: Some(2) });
    }
    assert_eq!(deny(1, "denied_by_rule"), Position::Written { seq: 3, file: 1 });
    assert_eq!(deny(2, "no_matching_entry"), Position::Written { seq: 4, file: 1 });
    assert_eq!(audit.health().pending_denials, 999);
    audit.close().unwrap();
    let counted = stored(dir.path(), &[Kind::Coalesced]);
    let [one] = counted.as_slice() else { panic!("{counted:?}") };
    assert_eq!((one.uid, one.cause.as_str()), (Some(1), "no_matching_entry"));
    assert_eq!((&one.body["count"], &one.body["with"]), (&json!(999), &json!(2)));
}

#[test]
fn the_clock_writes_counters_and_checkpoints() {
    let dir = tempfile::tempdir().unwrap();
    let short = Duration::from_millis(20);
    let audit = Audit::open(AuditConfig {
        tick: short,
        window: short,
        checkpoint_every: short,
        ..config(dir.path())
    })
    .unwrap();
    let mut sent = 0;
    while stored(dir.path(), &[Kind::Coalesced]).is_empty() {
        audit.append(Class::Denial, 1, "no_matching_entry", &json!({})).unwrap();
        sent += 1;
        std::thread::sleep(Duration::from_millis(1));
    }
    // Nothing further is appended: only the clock can sign now.
    while audit.health().unsigned > 0 || audit.health().pending_denials > 0 {
        std::thread::sleep(short);
    }
    let report = verify(&dir.path().join("log"), None).unwrap();
    assert!(report.checkpoints > 0 && report.unsigned == 0, "{report:?}");
    let written = stored(dir.path(), &[Kind::Denial]).len();
    let counted = stored(dir.path(), &[Kind::Coalesced]);
    let counted: u64 = counted.iter().map(|record| record.body["count"].as_u64().unwrap()).sum();
    assert_eq!(u64::try_from(written).unwrap() + counted, sent);
}

/// Thousands of uids and causes, as one user namespace can bring them, cost a bounded log, and
/// every denial is written or counted.
#[test]
fn nobody_can_fill_it() {
    let dir = tempfile::tempdir().unwrap();
    let limits =
        AuditConfig { denial_bytes: 4096, all_denial_bytes: 64 * 1024, ..config(dir.path()) };
    let audit = Audit::open(limits).unwrap();
    let why = "x".repeat(1000);
    for n in 0..60_000_u32 {
        let cause = format!("cause {}", n % 97);
        audit.append(Class::Denial, n % 7001, &cause, &json!({ "why": why })).unwrap();
    }
    let before_counters = log_bytes(dir.path());
    assert!(before_counters < 100 * 1024, "{before_counters}");
    audit.close().unwrap();
    let after = log_bytes(dir.path());
    assert!(after < 600 * 1024, "{after}");
    let written = stored(dir.path(), &[Kind::Denial]).len();
    let counted = stored(dir.path(), &[Kind::Coalesced]);
    let counted: u64 = counted.iter().map(|record| record.body["count"].as_u64().unwrap()).sum();
    assert_eq!(u64::try_from(written).unwrap() + counted, 60_000);
    // The first of all is still there.
    assert_eq!(stored(dir.path(), &[Kind::Denial])[0].cause, "cause 0");
}

#[test]
fn grants_of_one_uid_have_a_share() {
    let dir = tempfile::tempdir().unwrap();
    let audit = Audit::open(AuditConfig { grant_bytes: 10_000, ..config(dir.path()) }).unwrap();
    let why = json!({ "why": "x".repeat(1000) });
    let refused = (0..20).find_map(|_| audit.append(Class::Grant, 1, "allow", &why).err()).unwrap();
    assert!(matches!(refused, AuditError::OverBudget { uid: 1, .. }), "{refused}");
    audit.append(Class::Grant, 2, "allow", &why).unwrap();
    // What takes a grant back always goes in.
    audit.append(Class::Withheld, 1, "peer_exited", &why).unwrap();
}

#[test]
fn what_is_too_large_is_refused_and_nothing_written() {
    let dir = tempfile::tempdir().unwrap();
    let audit = Audit::open(config(dir.path())).unwrap();
    let head = audit.head();
    let large = "x".repeat(300 * 1024);
    assert!(matches!(audit.append(Class::Grant, 1, "", &large), Err(AuditError::TooLarge { .. })));
    assert_eq!(audit.head(), head);
}

fn numbers(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir.join("log"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("audit-"))
        .collect();
    names.sort();
    names
}

#[test]
fn files_rotate_chain_and_the_oldest_go() {
    let dir = tempfile::tempdir().unwrap();
    let small = AuditConfig {
        max_file_bytes: 4000,
        max_total_bytes: 20_000,
        checkpoint_records: 7,
        ..config(dir.path())
    };
    let audit = Audit::open(small.clone()).unwrap();
    let why = json!({ "why": "x".repeat(300) });
    for _ in 0..20 {
        audit.append(Class::Grant, 1, "allow", &why).unwrap();
    }
    assert_eq!(numbers(dir.path())[0], "audit-00000001.jsonl");
    let report = verify(&dir.path().join("log"), None).unwrap();
    assert!(report.files > 2 && report.first_seq == 1, "{report:?}");
    let early = audit.head();

    for _ in 0..100 {
        audit.append(Class::Grant, 1, "allow", &why).unwrap();
    }
    let head = audit.close().unwrap().to_string();
    assert!(log_bytes(dir.path()) < 22_000);
    let report = verify(&dir.path().join("log"), Some(&head)).unwrap();
    assert!(report.first_seq > 1 && report.unsigned == 0, "{report:?}");
    let old = verify(&dir.path().join("log"), Some(&early.to_string())).unwrap();
    assert!(old.notes.iter().any(|note| note.text.contains("older")), "{old:?}");
    // It goes on in the last file, and by number.
    let again = Audit::open(small).unwrap();
    let last = numbers(dir.path()).len();
    again.append(Class::Grant, 1, "allow", &why).unwrap();
    again.close().unwrap();
    assert!(numbers(dir.path()).len() >= last);
    verify(&dir.path().join("log"), Some(&head)).unwrap();
}

#[test]
fn files_are_bounded_by_number_too() {
    let dir = tempfile::tempdir().unwrap();
    let audit =
        Audit::open(AuditConfig { max_file_bytes: 1000, max_files: 3, ..config(dir.path()) })
            .unwrap();
    for _ in 0..50 {
        audit.append(Class::Grant, 1, "allow", &json!({ "why": "x".repeat(300) })).unwrap();
    }
    audit.close().unwrap();
    assert_eq!(numbers(dir.path()).len(), 3);
    verify(&dir.path().join("log"), None).unwrap();
}

/// What a killed daemon or a power cut leaves behind, and what is said of it.
#[test]
fn half_a_record_is_cut_off_and_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("log/audit-00000001.jsonl");
    let audit = Audit::open(config(dir.path())).unwrap();
    audit.append(Class::Grant, 1, "allow", &json!({ "n": 1 })).unwrap();
    audit.close().unwrap();
    for rubbish in [&b"{\"seq\":4,\"prev\":\"12"[..], &[0; 4096], b"x"] {
        let mut bytes = fs::read(&file).unwrap();
        bytes.extend(rubbish);
        fs::write(&file, bytes).unwrap();
        let report = verify(&dir.path().join("log"), None).unwrap();
        assert!(report.notes.iter().any(|note| note.text.contains("half")), "{report:?}");
        let audit = Audit::open(config(dir.path())).unwrap();
        assert_eq!(audit.health().state, AuditState::Writing);
        audit.append(Class::Grant, 1, "allow", &json!({ "n": 2 })).unwrap();
        audit.close().unwrap();
        let told = stored(dir.path(), &[Kind::System]);
        let told = told.last().unwrap();
        assert_eq!(
            (told.cause.as_str(), &told.body["bytes"]),
            ("torn_record", &json!(rubbish.len()))
        );
        verify(&dir.path().join("log"), None).unwrap();
    }
}

#[test]
fn a_file_without_a_record_is_begun_again() {
    let dir = tempfile::tempdir().unwrap();
    let audit = Audit::open(config(dir.path())).unwrap();
    audit.close().unwrap();
    fs::write(dir.path().join("log/audit-00000002.jsonl"), b"{\"seq").unwrap();
    let audit = Audit::open(config(dir.path())).unwrap();
    let position = audit.append(Class::Grant, 1, "allow", &json!({})).unwrap();
    assert_eq!(position, Position::Written { seq: 4, file: 1 }, "3 tells of the half record");
    audit.close().unwrap();
    verify(&dir.path().join("log"), None).unwrap();
}

/// A cut log is gone on with, but says so itself, and an old head does not verify any more.
#[test]
fn a_cut_log_says_that_records_are_lost() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("log/audit-00000001.jsonl");
    let audit = Audit::open(config(dir.path())).unwrap();
    for n in 0..5 {
        audit.append(Class::Grant, 1, "allow", &json!({ "n": n })).unwrap();
    }
    let head = audit.close().unwrap();
    let bytes = fs::read(&file).unwrap();
    let lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    fs::write(&file, lines[..3].concat()).unwrap();
    let audit = Audit::open(config(dir.path())).unwrap();
    audit.close().unwrap();
    let told = stored(dir.path(), &[Kind::System]);
    assert_eq!(
        (told[0].cause.as_str(), &told[0].body),
        ("records_lost", &json!({"after": 3, "until": 7}))
    );
    assert!(verify(&dir.path().join("log"), Some(&head.to_string())).is_err());
}

/// A damaged record stays for the verifier to name; the log goes on behind it.
#[test]
fn a_damaged_end_is_not_tidied_away() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("log/audit-00000001.jsonl");
    Audit::open(config(dir.path())).unwrap().close().unwrap();
    let mut bytes = fs::read(&file).unwrap();
    bytes.extend(b"not a record\n");
    fs::write(&file, &bytes).unwrap();
    let audit = Audit::open(config(dir.path())).unwrap();
    let position = audit.append(Class::Grant, 1, "allow", &json!({})).unwrap();
    assert!(matches!(position, Position::Written { file: 2, .. }), "{position:?}");
    audit.close().unwrap();
    assert_eq!(fs::read(&file).unwrap(), bytes);
    let error = verify(&dir.path().join("log"), None).unwrap_err().to_string();
    assert!(error.starts_with("audit-00000001.jsonl:3: record 3 is not a record"), "{error}");
}

#[test]
fn many_threads_write_one_chain() {
    let dir = tempfile::tempdir().unwrap();
    let audit = Audit::open(AuditConfig { max_file_bytes: 100_000, ..config(dir.path()) }).unwrap();
    std::thread::scope(|scope| {
        for uid in 0..4 {
            let audit = audit.clone();
            scope.spawn(move || {
                for n in 0..500 {
                    audit.append(Class::Grant, uid, "allow", &json!({ "n": n })).unwrap();
                }
            });
        }
    });
    audit.close().unwrap();
    let grants = stored(dir.path(), &[Kind::Grant]);
    assert_eq!(grants.len(), 2000);
    assert!(grants.is_sorted_by_key(|record| record.seq));
    verify(&dir.path().join("log"), None).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Any sequence of records, with a restart anywhere, verifies and reads back.
    #[test]
    fn any_story_verifies(
        story in proptest::collection::vec((0..4u8, 0..3u32, "\\PC{0,12}|[a-c]", any::<String>()), 0..40),
        restart in 0..40usize,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let small = AuditConfig { max_file_bytes: 3000, checkpoint_records: 5, ..config(dir.path()) };
        let mut audit = Audit::open(small.clone()).unwrap();
        let mut written = 0;
        for (at, (class, uid, cause, body)) in story.iter().enumerate() {
            if at == restart {
                drop(audit);
                audit = Audit::open(small.clone()).unwrap();
            }
            let class = [Class::Grant, Class::Denial, Class::Withheld, Class::System][usize::from(*class)];
            let position = audit.append(class, *uid, cause, body).unwrap();
            written += usize::from(matches!(position, Position::Written { .. }));
        }
        let head = audit.close().unwrap().to_string();
        verify(&dir.path().join("log"), Some(&head)).unwrap();
        let kinds = [Kind::Grant, Kind::Denial, Kind::Withheld, Kind::System];
        prop_assert_eq!(stored(dir.path(), &kinds).len(), written);
    }
}
