//! The log on a disk that is full, on a file that cannot grow, and under a daemon that is
//! killed. Each test runs itself again in a process that it can limit, mount for, or kill.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say where")]

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::json;
use witgate_decision::audit::{
    Audit, AuditConfig, AuditError, AuditState, Class, Filter, Kind, Position, Stored, read_back,
    verify,
};

/// Where the process that a test started is to work.
const PLACE: &str = "WITGATE_TEST_PLACE";

fn place() -> Option<PathBuf> {
    env::var_os(PLACE).map(PathBuf::from)
}

/// A shell that prepares something and then becomes this test again, in `place`.
fn again(test: &str, prepare: &str, place: &Path) -> Command {
    let mut shell = Command::new("sh");
    let script = format!("{prepare}\nexec \"$0\" --exact {test} --nocapture --test-threads=1");
    shell.arg("-ec").arg(script).arg(env::current_exe().unwrap()).env(PLACE, place);
    shell
}

fn config(dir: &Path) -> AuditConfig {
    let never = Duration::from_secs(3600);
    AuditConfig {
        tick: never,
        window: never,
        checkpoint_every: never,
        ..AuditConfig::new(dir.join("log"))
    }
}

fn stored(dir: &Path, kind: Kind) -> Vec<Stored> {
    let filter = Filter { kinds: vec![kind], ..Filter::default() };
    read_back(&dir.join("log"), filter).unwrap().map(Result::unwrap).collect()
}

// #54
#[test]
fn a_full_disk_refuses_grants_and_heals_alone() {
    if let Some(place) = place() {
        return on_a_small_disk(&place);
    }
    let dir = tempfile::tempdir().unwrap();
    let test = "a_full_disk_refuses_grants_and_heals_alone";
    let mount = format!("mount -t tmpfs -o size=512k,mode=0700 tmpfs '{}'", dir.path().display());
    let inner = again(test, &mount, dir.path());
    // A mount namespace of its own, so that nothing stays mounted; a user namespace if we are not
    // root, so that we may mount at all.
    let root = rustix::process::geteuid().is_root();
    let mut outer = Command::new("unshare");
    outer.arg(if root { "--mount" } else { "--user" });
    if !root {
        outer.args(["--map-root-user", "--mount"]);
    }
    outer.arg(inner.get_program()).args(inner.get_args()).env(PLACE, dir.path());
    assert!(outer.status().unwrap().success());
}

fn on_a_small_disk(dir: &Path) {
    let short = Duration::from_millis(20);
    let reserve_bytes = 256 * 1024;
    let audit = Audit::open(AuditConfig { reserve_bytes, tick: short, ..config(dir) }).unwrap();
    let why = json!({ "why": "x".repeat(1000) });
    audit.append(Class::Grant, 1, "allow", &why).unwrap();
    let fill = |until: u64| {
        let mut ballast =
            fs::File::options().append(true).create(true).open(dir.join("ballast")).unwrap();
        while audit.health().free_bytes > until {
            ballast.write_all(&[0; 4096]).unwrap();
        }
    };

    // Into the reserve: a denial is only counted, a grant is still written.
    fill(200 * 1024);
    let denial = audit.append(Class::Denial, 2, "no_matching_entry", &why).unwrap();
    assert_eq!(denial, Position::Counted { with: None });
    audit.append(Class::Grant, 1, "allow", &why).unwrap();
    assert_eq!(audit.health().state, AuditState::Writing);

    // Through the reserve: no room for a grant's record means no grant.
    let refused =
        (0..1000).find_map(|_| audit.append(Class::Grant, 1, "allow", &why).err()).unwrap();
    assert!(matches!(refused, AuditError::NoRoom { .. }), "{refused}");
    fill(0);
    for _ in 0..3 {
        assert!(audit.append(Class::Grant, 1, "allow", &why).is_err());
        assert!(audit.append(Class::Withheld, 1, "peer_exited", &why).is_err());
    }
    let health = audit.health();
    assert_eq!((health.state, health.refused), (AuditState::NoRoom, 7));
    verify(&dir.join("log"), Some(&audit.head().to_string())).unwrap();

    // Room returns; nobody asks, and it is writing again.
    fs::remove_file(dir.join("ballast")).unwrap();
    while audit.health().state != AuditState::Writing {
        std::thread::sleep(short);
    }
    audit.append(Class::Grant, 1, "allow", &why).unwrap();
    audit.close().unwrap();
    let report = verify(&dir.join("log"), None).unwrap();
    assert!(report.notes.iter().any(|note| note.text.contains("writing_again")), "{report:?}");
    let told = stored(dir, Kind::System);
    assert_eq!(told[0].body, json!({ "after": "no_room", "refused": 7 }));
    let counted = stored(dir, Kind::Coalesced);
    assert_eq!((counted.len(), &counted[0].body["count"]), (1, &json!(1)));
}

/// A disk that is full from the start: the daemon may start, gives nothing, and heals.
// #54
#[test]
fn a_log_can_begin_on_a_full_disk() {
    if let Some(place) = place() {
        let short = Duration::from_millis(20);
        // The lock and the key are there from an earlier life; the files are not.
        Audit::open(config(&place)).unwrap().close().unwrap();
        fs::remove_file(place.join("log/audit-00000001.jsonl")).unwrap();
        fs::remove_file(place.join("log/head")).unwrap();
        let mut ballast = fs::File::create(place.join("ballast")).unwrap();
        while ballast.write_all(&[0; 4096]).is_ok() {}
        drop(ballast);
        let audit = Audit::open(AuditConfig { tick: short, ..config(&place) }).unwrap();
        assert_eq!(audit.health().state, AuditState::NoRoom);
        assert!(audit.append(Class::Grant, 1, "allow", &json!({})).is_err());
        fs::remove_file(place.join("ballast")).unwrap();
        while audit.health().state != AuditState::Writing {
            std::thread::sleep(short);
        }
        audit.append(Class::Grant, 1, "allow", &json!({})).unwrap();
        audit.close().unwrap();
        verify(&place.join("log"), None).unwrap();
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mount = format!("mount -t tmpfs -o size=256k,mode=0700 tmpfs '{}'", dir.path().display());
    let inner = again("a_log_can_begin_on_a_full_disk", &mount, dir.path());
    let root = rustix::process::geteuid().is_root();
    let mut outer = Command::new("unshare");
    outer.args(if root { &["--mount"][..] } else { &["--user", "--map-root-user", "--mount"] });
    outer.arg(inner.get_program()).args(inner.get_args()).env(PLACE, dir.path());
    assert!(outer.status().unwrap().success());
}

/// A write that fails for another reason than room: the record is refused, the file given up, the
/// next record begins another that says why.
// #54
#[test]
fn a_failed_write_ends_the_file_and_is_not_repeated() {
    if let Some(place) = place() {
        return with_a_file_limit(&place);
    }
    let dir = tempfile::tempdir().unwrap();
    let test = "a_failed_write_ends_the_file_and_is_not_repeated";
    // Through a pipe: our own standard output may be a file that is over the limit already.
    let inner = again(test, "trap '' XFSZ\nulimit -f 16", dir.path()).output().unwrap();
    assert!(inner.status.success(), "{}", String::from_utf8_lossy(&inner.stderr));
}

fn with_a_file_limit(dir: &Path) {
    let audit = Audit::open(config(dir)).unwrap();
    let why = json!({ "why": "x".repeat(3000) });
    let mut broken = 0;
    let mut written = 0;
    for n in 0..40 {
        match audit.append(Class::Grant, 1, "allow", &json!({ "n": n, "why": why })) {
            Ok(_) => written += 1,
            Err(AuditError::Broken { .. }) => {
                broken += 1;
                assert_eq!(audit.health().state, AuditState::Broken);
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(broken > 2 && written > broken, "{broken} {written}");
    // Closing writes a checkpoint, which may meet the limit too; then the next start signs.
    let _ = audit.close();
    assert_eq!(stored(dir, Kind::Grant).len(), written);
    let report = verify(&dir.join("log"), None).unwrap();
    let given_up = report.notes.iter().filter(|note| note.text.contains("given up")).count();
    assert!(given_up >= broken - 1, "{report:?}");
}

/// Killed at any moment: whatever was answered is in the log, and the log verifies.
// #53
#[test]
fn a_killed_writer_loses_nothing_that_it_answered() {
    if let Some(place) = place() {
        return write_until_killed(&place);
    }
    let dir = tempfile::tempdir().unwrap();
    let mut answered = 0;
    for round in 0..20_u64 {
        let mut writer = again("a_killed_writer_loses_nothing_that_it_answered", ":", dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let answers = BufReader::new(writer.stdout.take().unwrap());
        let mut left = 1 + (round * 7919) % 331;
        for line in answers.lines() {
            let line = line.unwrap();
            if let Some(seq) = line.rsplit("answered ").next().and_then(|seq| seq.parse().ok()) {
                answered = seq;
                left -= 1;
            }
            if left == 0 {
                writer.kill().unwrap();
                break;
            }
        }
        assert!(!writer.wait().unwrap().success());
        let report = verify(&dir.path().join("log"), None).unwrap();
        let end: u64 = report.head.split_once(':').unwrap().0.parse().unwrap();
        assert!(end >= answered, "round {round}: {answered} was answered, the log ends at {end}");
    }
    Audit::open(config(dir.path())).unwrap().close().unwrap();
    assert_eq!(verify(&dir.path().join("log"), None).unwrap().unsigned, 0);
}

fn write_until_killed(dir: &Path) {
    let small = AuditConfig {
        max_file_bytes: 40_000,
        checkpoint_records: 17,
        tick: Duration::from_millis(1),
        checkpoint_every: Duration::from_millis(3),
        window: Duration::from_millis(5),
        ..config(dir)
    };
    let audit = Audit::open(small).unwrap();
    let mut out = std::io::stdout();
    for n in 0_usize.. {
        let why = "x".repeat(n * 37 % 3000);
        let class = if n % 3 == 0 { Class::Denial } else { Class::Grant };
        if let Position::Written { seq, .. } = audit.append(class, 1, "cause", &why).unwrap() {
            writeln!(out, "answered {seq}").unwrap();
        }
    }
}
