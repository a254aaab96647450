//! #87: edit, drop, reorder, truncate, replay. The verifier names the first bad record.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say where")]

use std::{fmt::Write as _, fs, path::Path, sync::OnceLock, time::Duration};

use proptest::prelude::*;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use witgate_decision::audit::{
    Audit, AuditConfig, Class, Flaw, VerifyError, VerifyReport, verify, verify_with_key,
};

const FIRST: &str = "audit-00000001.jsonl";
const SECOND: &str = "audit-00000002.jsonl";

/// The files of a log, in memory, so that an attacker can work on them.
#[derive(Clone)]
struct Log(Vec<(String, Vec<u8>)>);

impl Log {
    /// Twenty grants in some files.
    fn new() -> Self {
        Self::of(20)
    }

    /// Some grants, a checkpoint every five records and one at the end.
    fn of(grants: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let audit = Audit::open(config(dir.path())).unwrap();
        for n in 0..grants {
            audit.append(Class::Grant, 33, "allow", &json!({ "n": n })).unwrap();
        }
        audit.close().unwrap();
        Self::read(dir.path())
    }

    fn read(dir: &Path) -> Self {
        let mut files: Vec<_> = fs::read_dir(dir.join("log"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "lock" && name != "checkpoint.key")
            .map(|name| (name.clone(), fs::read(dir.join("log").join(name)).unwrap()))
            .collect();
        files.sort();
        Self(files)
    }

    /// Built once; every test works on a copy.
    fn fresh() -> Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        LOG.get_or_init(Self::new).clone()
    }

    fn bytes(&mut self, name: &str) -> &mut Vec<u8> {
        &mut self.0.iter_mut().find(|(found, _)| found == name).unwrap().1
    }

    /// Changes a file as lines without their line feeds.
    fn edit(&mut self, name: &str, change: impl FnOnce(&mut Vec<String>)) {
        let text = String::from_utf8(std::mem::take(self.bytes(name))).unwrap();
        let mut lines = text.lines().map(str::to_owned).collect();
        change(&mut lines);
        *self.bytes(name) =
            lines.iter().flat_map(|line| format!("{line}\n").into_bytes()).collect();
    }

    fn remove(&mut self, name: &str) {
        self.0.retain(|(found, _)| found != name);
    }

    fn last_name(&self) -> String {
        self.0.iter().rev().find(|(name, _)| name.starts_with("audit-")).unwrap().0.clone()
    }

    fn check(&self, head: Option<&str>) -> Result<VerifyReport, VerifyError> {
        let dir = tempfile::tempdir().unwrap();
        self.write(dir.path());
        verify(dir.path(), head)
    }

    fn write(&self, dir: &Path) {
        for (name, bytes) in &self.0 {
            fs::write(dir.join(name), bytes).unwrap();
        }
    }

    /// The file, line, number and flaw that the verifier names.
    fn flaw(&self) -> (String, u64, Option<u64>, Flaw) {
        match self.check(None) {
            Err(VerifyError::Bad { file, line, seq, flaw }) => (file, line, seq, flaw),
            other => panic!("{other:?}"),
        }
    }
}

fn config(dir: &Path) -> AuditConfig {
    let never = Duration::from_secs(3600);
    AuditConfig {
        tick: never,
        window: never,
        checkpoint_every: never,
        checkpoint_records: 5,
        max_file_bytes: 2000,
        ..AuditConfig::new(dir.join("log"))
    }
}

fn at(file: &str, line: u64, seq: u64, flaw: Flaw) -> (String, u64, Option<u64>, Flaw) {
    (file.to_owned(), line, Some(seq), flaw)
}

/// What a thorough attacker does after a change: brings every later hash of the file in order.
fn rechain(lines: &mut [String]) {
    let mut prev: Option<String> = None;
    for line in lines {
        if let Some(prev) = prev {
            let start = line.find("\"prev\":\"").unwrap() + 8;
            line.replace_range(start..start + 64, &prev);
        }
        prev = Some(sha256(line));
    }
}

fn sha256(line: &str) -> String {
    Sha256::digest(line.as_bytes()).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

#[test]
fn an_untouched_log_is_in_order() {
    let log = Log::fresh();
    let report = log.check(None).unwrap();
    assert!(report.files > 2 && report.checkpoints > 3 && report.unsigned == 0, "{report:?}");
    assert_eq!(log.check(Some(&report.head)).unwrap(), report);
}

#[test]
fn edited() {
    let mut log = Log::fresh();
    log.edit(FIRST, |lines| lines[2] = lines[2].replace("\"uid\":33", "\"uid\":34"));
    assert_eq!(log.flaw(), at(FIRST, 3, 3, Flaw::Changed));
    // The last record before a checkpoint, and the first of a file.
    let mut log = Log::fresh();
    log.edit(SECOND, |lines| lines[0] = lines[0].replace("\"oldest\":1", "\"oldest\":2"));
    assert_eq!(log.flaw().3, Flaw::Changed);
}

#[test]
fn edited_in_the_chain_itself() {
    let mut log = Log::fresh();
    log.edit(FIRST, |lines| {
        let start = lines[2].find("\"prev\":\"").unwrap() + 8;
        lines[2].replace_range(start..start + 4, "0000");
    });
    assert_eq!(log.flaw(), at(FIRST, 3, 3, Flaw::Unchained));
}

#[test]
fn edited_and_chained_anew() {
    let mut log = Log::fresh();
    log.edit(FIRST, |lines| {
        lines[1] = lines[1].replace("\"uid\":33", "\"uid\":34");
        rechain(lines);
    });
    let (file, _, _, flaw) = log.flaw();
    assert_eq!((file.as_str(), flaw), (FIRST, Flaw::Signature { since: 0 }));
}

#[test]
fn dropped() {
    let mut log = Log::fresh();
    log.edit(FIRST, |lines| drop(lines.remove(2)));
    assert_eq!(log.flaw(), at(FIRST, 3, 3, Flaw::Missing { found: 4 }));
}

#[test]
fn reordered() {
    let mut log = Log::fresh();
    log.edit(FIRST, |lines| lines.swap(2, 3));
    assert_eq!(log.flaw(), at(FIRST, 3, 3, Flaw::Missing { found: 4 }));
}

#[test]
fn replayed() {
    let mut log = Log::fresh();
    log.edit(FIRST, |lines| lines.insert(3, lines[2].clone()));
    assert_eq!(log.flaw(), at(FIRST, 4, 3, Flaw::Repeated { expected: 4 }));
}

#[test]
fn inserted() {
    let mut log = Log::fresh();
    log.edit(FIRST, |lines| lines.insert(3, lines[2].replace("\"seq\":3", "\"seq\":4")));
    assert_eq!(log.flaw(), at(FIRST, 4, 4, Flaw::Unchained));
}

#[test]
fn spliced_from_another_log() {
    let (mut log, mut other) = (Log::fresh(), Log::new());
    let theirs = other.bytes(SECOND).clone();
    *log.bytes(SECOND) = theirs;
    let (file, line, _, flaw) = log.flaw();
    assert_eq!((file.as_str(), line, flaw), (SECOND, 1, Flaw::Opening), "another key");
    // A record of the same number.
    let (mut log, mut other) = (Log::fresh(), Log::new());
    let mut theirs = String::new();
    other.edit(FIRST, |lines| theirs.clone_from(&lines[2]));
    log.edit(FIRST, |lines| lines[2] = theirs);
    assert_eq!(log.flaw(), at(FIRST, 3, 3, Flaw::Unchained));
}

#[test]
fn truncated() {
    // Cut within a file: the next one knows how long it was.
    let mut log = Log::fresh();
    log.edit(FIRST, |lines| drop(lines.pop()));
    let (file, line, seq, flaw) = log.flaw();
    assert_eq!((file.as_str(), line), (SECOND, 1));
    assert_eq!(flaw, Flaw::Missing { found: seq.unwrap() + 1 });
    // Cut at the very end: only the checkpoint that was put aside knows.
    let mut log = Log::fresh();
    let last = log.last_name();
    let end: u64 = log.check(None).unwrap().head.split_once(':').unwrap().0.parse().unwrap();
    log.edit(&last, |lines| drop(lines.pop()));
    let (file, _, seq, flaw) = log.flaw();
    assert_eq!((file, seq, flaw), (last, Some(end), Flaw::CutOff));
}

/// A whole older copy, with its own checkpoint aside, is in order by itself. Only a head that was
/// written down elsewhere tells.
#[test]
fn rolled_back() {
    let dir = tempfile::tempdir().unwrap();
    let audit = Audit::open(config(dir.path())).unwrap();
    audit.append(Class::Grant, 1, "allow", &json!({})).unwrap();
    audit.checkpoint().unwrap();
    let old = Log::read(dir.path());
    audit.append(Class::Grant, 1, "allow", &json!({})).unwrap();
    let head = audit.close().unwrap();
    old.check(None).unwrap();
    let error = old.check(Some(&head.to_string())).unwrap_err();
    assert!(
        matches!(error, VerifyError::Bad { flaw: Flaw::CutOff, seq, .. } if seq == Some(head.seq))
    );
}

/// The same length, but another history behind the checkpoint that the attacker kept.
#[test]
fn forked() {
    let dir = tempfile::tempdir().unwrap();
    let audit = Audit::open(config(dir.path())).unwrap();
    audit.append(Class::Grant, 1, "allow", &json!({ "to": "alice" })).unwrap();
    let head = audit.close().unwrap().to_string();
    let mut log = Log::read(dir.path());
    log.edit(FIRST, |lines| {
        lines[1] = lines[1].replace("alice", "mallory");
        lines.truncate(2);
    });
    // Cutting the checkpoint off and removing the one aside hides it from the folder's own means,
    log.remove("head");
    let report = log.check(None).unwrap();
    assert_eq!(report.unsigned, 2);
    assert!(report.notes.iter().any(|note| note.file == "head"), "{report:?}");
    // but not from a head elsewhere.
    assert!(log.check(Some(&head)).is_err());
}

#[test]
fn a_file_taken_away() {
    let mut log = Log::fresh();
    log.remove(SECOND);
    assert_eq!(log.flaw(), (SECOND.to_owned(), 0, None, Flaw::MissingFile));
    let mut log = Log::fresh();
    log.remove(FIRST);
    assert_eq!(log.flaw(), (FIRST.to_owned(), 0, None, Flaw::MissingFile));
    let mut log = Log::fresh();
    let last = log.last_name();
    log.remove(&last);
    assert_eq!(log.flaw().3, Flaw::CutOff);
    log.0.clear();
    let public = Log::fresh().bytes("checkpoint.pub").clone();
    log.0.push(("checkpoint.pub".to_owned(), public));
    assert!(matches!(log.check(None), Err(VerifyError::Empty { .. })));
}

/// Somebody with a key of their own writes everything anew: it verifies by the key beside it, and
/// not by the one that was written down.
#[test]
fn another_key() {
    let dir = tempfile::tempdir().unwrap();
    Audit::open(config(dir.path())).unwrap().close().unwrap();
    let log = dir.path().join("log");
    let own = fs::read_to_string(log.join("checkpoint.pub")).unwrap();
    verify_with_key(&log, None, Some(own.trim())).unwrap();
    let other = String::from_utf8(Log::fresh().bytes("checkpoint.pub").clone()).unwrap();
    assert!(matches!(
        verify_with_key(&log, None, Some(other.trim())),
        Err(VerifyError::Bad { .. })
    ));
    assert!(matches!(verify_with_key(&log, None, Some("zz")), Err(VerifyError::Key)));
}

#[test]
fn a_wrong_head_is_not_taken_for_a_bad_log() {
    let log = Log::fresh();
    for text in ["", "7", "7:", "x:00", "7:zz"] {
        assert!(matches!(log.check(Some(text)), Err(VerifyError::Head { .. })), "{text:?}");
    }
    let other = format!("3:{}", "0".repeat(64));
    let error = log.check(Some(&other)).unwrap_err();
    assert!(
        matches!(error, VerifyError::Bad { seq: Some(3), flaw: Flaw::Replaced, .. }),
        "{error}"
    );
}

#[test]
fn lines_and_files_without_end_are_bounded() {
    let mut log = Log::fresh();
    log.bytes(FIRST).splice(10..10, vec![b' '; 400_000]);
    assert!(matches!(log.check(None), Err(VerifyError::Bad { line: 1, .. })));
    let mut log = Log::fresh();
    log.bytes(FIRST).extend(vec![b'x'; 1000]);
    assert!(matches!(log.check(None), Err(VerifyError::Bad { flaw: Flaw::Opening, .. })));
}

/// Not one bit of a closed log can change unnoticed.
#[test]
fn every_byte_counts() {
    let log = Log::of(3);
    let dir = tempfile::tempdir().unwrap();
    log.write(dir.path());
    for (name, bytes) in &log.0 {
        let path = dir.path().join(name);
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            fs::write(&path, changed).unwrap();
            assert!(verify(dir.path(), None).is_err(), "{name}, byte {at}");
        }
        fs::write(&path, bytes).unwrap();
    }
    verify(dir.path(), None).unwrap();
}

proptest! {
    #[test]
    fn any_changed_byte_is_found(file: prop::sample::Index, byte: prop::sample::Index, mask in 1..=u8::MAX) {
        let mut log = Log::fresh();
        let count = log.0.len();
        let (name, bytes) = &mut log.0[file.index(count)];
        let name = name.clone();
        let at = byte.index(bytes.len());
        bytes[at] ^= mask;
        prop_assert!(log.check(None).is_err(), "{} byte {} ^ {:#04x}", name, at, mask);
    }

    #[test]
    fn any_cut_is_found(file: prop::sample::Index, byte: prop::sample::Index) {
        let mut log = Log::fresh();
        let count = log.0.len();
        let bytes = &mut log.0[file.index(count)].1;
        let at = byte.index(bytes.len());
        bytes.truncate(at);
        prop_assert!(log.check(None).is_err());
    }

    #[test]
    fn any_bytes_are_an_error_and_not_a_panic(bytes: Vec<u8>) {
        let mut log = Log::fresh();
        log.bytes(SECOND).clone_from(&bytes);
        prop_assert!(log.check(None).is_err());
    }
}
