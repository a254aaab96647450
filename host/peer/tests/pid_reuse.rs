//! A peer exits, and its number goes to another process of the same uid: the oldest trick.
//!
//! The same runs are judged by the schemes that other daemons use, and those must be wrong, or the
//! runs would prove nothing. `WITGATE_REUSE_TRIES` says how many (the long run: 100000).

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot set its scene has failed"
)]

use std::{
    fs,
    io::Write as _,
    os::{
        fd::AsRawFd as _,
        unix::{
            fs::PermissionsExt as _,
            net::{UnixListener, UnixStream},
        },
    },
    path::PathBuf,
    process::Command,
    sync::Arc,
};

use futures_util::FutureExt as _;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use witgate_facts::{FactName, FactSet, FactSource as _};
use witgate_peer::{Connected, FactReader, Kernel, PeerError, ProcessFacts, ReadSettings, Subject};
use witgate_testkit::{
    child::{Actor, Spawn},
    figures::{self, Facts, Method},
};

/// Of attacker and victim both. In a user namespace of our own there is but one.
fn uid() -> u32 {
    std::env::var(ONLY_UID).map_or(1000, |uid| uid.parse().unwrap())
}

const ONLY_UID: &str = "WITGATE_REUSE_UID";
const VICTIM: &[u8] = b"victim";

/// Before which step the number is recycled.
#[derive(Debug, Clone, Copy)]
enum Before {
    /// #1
    Accept,
    /// #2, with the socket accepted and nothing asked about it.
    Identifying,
    /// #2
    Facts,
    /// #3
    Confirm,
}

const ALL: [Before; 4] = [Before::Accept, Before::Identifying, Before::Facts, Before::Confirm];

#[derive(Debug, Default)]
struct Counts {
    tries: u32,
    wrong: u32,
    refused: u32,
    /// Answered by a scheme that trusts the number of `SO_PEERCRED`.
    wrong_by_number: u32,
    /// Answered by one that compares owner and start time too.
    wrong_by_number_owner_and_start: u32,
    /// Answered by one that opens `/proc/<pid>` as soon as it has accepted, holds it, and compares its
    /// owner and start time at the end.
    wrong_by_held_directory: u32,
    /// #4: the victim started in the same 10 ms tick as the attacker.
    same_tick: u32,
}

/// How the victim comes to the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    /// It is chosen, which takes a right that attackers do not have.
    Chosen,
    /// #5: the kernel gives out all others first, and begins again from below.
    ComesRound,
}

impl Number {
    /// Before the attacker starts: the numbers below 300 are given out once only.
    fn prepare(self) {
        if self == Self::ComesRound {
            fs::write(LAST_NUMBER, "300").unwrap();
        }
    }

    fn victim(self, number: i32) -> Option<Actor> {
        if self == Self::Chosen {
            return Spawn::default().pid(number).start_if_free();
        }
        let all: i32 =
            fs::read_to_string("/proc/sys/kernel/pid_max").unwrap().trim().parse().unwrap();
        // Most of the way is as good as done: the end of it, and the beginning, are gone through.
        fs::write(LAST_NUMBER, (all - 8).to_string()).unwrap();
        (0..1_000).map(|_| Actor::spawn()).find(|actor| actor.pid() == number)
    }
}

/// The last one given out in our pid namespace (proc(5)).
const LAST_NUMBER: &str = "/proc/sys/kernel/ns_last_pid";

struct Rig {
    number: Number,
    _dir: tempfile::TempDir,
    socket: PathBuf,
    listener: UnixListener,
    kernel: Kernel,
    reader: FactReader,
}

impl Counts {
    fn add(&mut self, more: &Self) {
        self.tries += more.tries;
        self.wrong += more.wrong;
        self.refused += more.refused;
        self.wrong_by_number += more.wrong_by_number;
        self.wrong_by_number_owner_and_start += more.wrong_by_number_owner_and_start;
        self.wrong_by_held_directory += more.wrong_by_held_directory;
        self.same_tick += more.same_tick;
    }

    fn tell(&self) {
        let tell = |method, wrong| figures::tell(method, Facts::Who, wrong, self.tries);
        tell(Method::Witgate, self.wrong);
        tell(Method::Number, self.wrong_by_number);
        tell(Method::HeldDirectory, self.wrong_by_held_directory);
    }
}

/// What is held by those who hold a directory of `/proc`.
struct Held {
    directory: fs::File,
    as_accepted: Option<(u32, u64)>,
}

impl Held {
    fn open(pid: i32) -> Option<Self> {
        let directory = fs::File::open(format!("/proc/{pid}")).ok()?;
        let as_accepted = owner_and_start(&below(&directory));
        Some(Self { directory, as_accepted })
    }

    /// The name that goes into the answer, if all is as it was.
    fn answer(&self) -> Option<Vec<u8>> {
        let name = name(&below(&self.directory));
        let now = owner_and_start(&below(&self.directory));
        (now.is_some() && now == self.as_accepted).then_some(name)
    }
}

fn below(directory: &fs::File) -> String {
    format!("/proc/self/fd/{}", directory.as_raw_fd())
}

/// Owner and start time by number, as those do who believe that this names a process.
fn owner_and_start(process: &str) -> Option<(u32, u64)> {
    let stat = fs::read_to_string(format!("{process}/stat")).ok()?;
    let start = stat.rsplit(')').next()?.split_whitespace().nth(19)?.parse().ok()?;
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(process).ok()?);
    Some((owner, start))
}

fn name(process: &str) -> Vec<u8> {
    fs::read(format!("{process}/comm")).unwrap_or_default().trim_ascii_end().to_vec()
}

impl Rig {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let socket = dir.path().join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).unwrap();
        let kernel = Kernel::probe().unwrap();
        let reader = FactReader::new(&kernel, ReadSettings::default());
        Self { number: Number::Chosen, _dir: dir, socket, listener, kernel, reader }
    }

    fn attack(&self, before: Before, counts: &mut Counts) {
        self.number.prepare();
        let attacker = Actor::spawn().uid(uid()).named("attacker").connect(&self.socket);
        let pid = attacker.pid();
        let as_attacker = owner_and_start(&format!("/proc/{pid}")).unwrap();
        let mut stages = Stages::new(self);
        stages.run_until(before);
        attacker.exit(0);
        attacker.reap();
        let Some(victim) = self.number.victim(pid) else { return };
        let victim = victim.uid(uid()).named(VICTIM);
        counts.tries += 1;
        match stages.finish() {
            Ok(name) if name == VICTIM || matches!(before, Before::Confirm) => counts.wrong += 1,
            Ok(name) => panic!("{before:?}: facts of a process that is neither: {name:?}"),
            Err(PeerError::PeerExited) => counts.refused += 1,
            Err(other) => panic!("{before:?}: refused for the wrong reason: {other}"),
        }
        // What others conclude from the same socket at the same moment.
        let number = getsockopt(&stages.socket(), PeerCredentials).unwrap().pid();
        assert_eq!(number, pid);
        let process = format!("/proc/{number}");
        let after = owner_and_start(&process);
        counts.wrong_by_number += u32::from(name(&process) == VICTIM);
        let held = stages.held.flatten().and_then(|held| held.answer());
        counts.wrong_by_held_directory += u32::from(held.as_deref() == Some(VICTIM));
        counts.wrong_by_number_owner_and_start += u32::from(after == Some(as_attacker));
        counts.same_tick += u32::from(after.map(|(_, start)| start) == Some(as_attacker.1));
        drop(victim);
    }
}

/// The daemon's side, stopped where the attack happens.
struct Stages<'a> {
    rig: &'a Rig,
    stream: Option<UnixStream>,
    held: Option<Option<Held>>,
    subject: Option<Result<Subject<Connected>, PeerError>>,
    facts: Option<Result<Arc<ProcessFacts>, PeerError>>,
}

impl<'a> Stages<'a> {
    const fn new(rig: &'a Rig) -> Self {
        Self { rig, stream: None, held: None, subject: None, facts: None }
    }

    fn run_until(&mut self, before: Before) {
        if !matches!(before, Before::Accept) {
            self.accept();
        }
        if matches!(before, Before::Facts | Before::Confirm) {
            self.identify();
        }
        if matches!(before, Before::Confirm) {
            self.collect();
            assert!(matches!(self.facts, Some(Ok(_))), "{:?}", self.facts);
        }
    }

    fn accept(&mut self) {
        let rig = self.rig;
        self.stream.get_or_insert_with(|| rig.listener.accept().unwrap().0);
    }

    fn identify(&mut self) {
        self.accept();
        let (stream, rig) = (self.stream.as_ref().unwrap(), self.rig);
        let number = getsockopt(stream, PeerCredentials).unwrap().pid();
        self.held.get_or_insert_with(|| Held::open(number));
        self.subject.get_or_insert_with(|| Subject::accept(stream, &rig.kernel));
    }

    fn collect(&mut self) {
        self.identify();
        if let (None, Some(Ok(subject))) = (&self.facts, &self.subject) {
            let wanted: FactSet =
                [FactName::ProcessComm, FactName::ProcessCredentials].into_iter().collect();
            let facts = subject.collect(wanted, &self.rig.reader).now_or_never();
            self.facts = Some(facts.expect("nothing here waits"));
        }
    }

    /// The rest, up to an answer: the name of the process that it is about.
    fn finish(&mut self) -> Result<Vec<u8>, PeerError> {
        self.collect();
        let subject = self.subject.as_ref().unwrap().as_ref().map_err(Clone::clone)?;
        let facts = self.facts.as_ref().unwrap().clone()?;
        let bound = subject.bind(facts).map(|facts| facts.comm().unwrap().to_vec());
        Ok(subject.confirm(bound)?.into_inner())
    }

    fn socket(&mut self) -> &UnixStream {
        self.accept();
        self.stream.as_ref().unwrap()
    }
}

fn tries() -> usize {
    std::env::var("WITGATE_REUSE_TRIES").map_or(2_000, |tries| tries.parse().unwrap())
}

// #1 #2 #3 #4
#[test]
fn a_recycled_number_is_never_taken_for_its_former_owner() {
    let tries = tries();
    let rig = Rig::new();
    let mut counts = Counts::default();
    for before in ALL.into_iter().cycle().take(tries) {
        let mut one = Counts::default();
        rig.attack(before, &mut one);
        one.tell();
        counts.add(&one);
    }
    // Not through the macro, whose output a passing test keeps to itself.
    writeln!(std::io::stdout(), "pid reuse: {counts:?}").unwrap();
    assert_eq!(counts.wrong, 0, "{counts:?}");
    assert_eq!(counts.refused, counts.tries, "{counts:?}");
    // The attack works, against those who do not hold on to the process.
    assert!(u64::from(counts.tries) * 10 > tries as u64 * 9, "{counts:?}");
    assert_eq!(counts.wrong_by_number, counts.tries, "{counts:?}");
    assert!(counts.wrong_by_number_owner_and_start > 0, "{counts:?}");
    // Whoever holds on to the directory is wrong where the number was recycled before it could.
    assert!(
        u64::from(counts.wrong_by_held_directory) * 10 > u64::from(counts.tries) * 4,
        "{counts:?}"
    );
    assert!(counts.same_tick > 0, "{counts:?}");
}

// #1 #2 #3 #4, where nothing but a user and a pid namespace of our own gives us any right.
#[test]
fn nor_is_it_in_namespaces_of_our_own() {
    in_namespaces_of_our_own("a_recycled_number_is_never_taken_for_its_former_owner");
}

// #5
#[test]
fn nor_is_one_that_comes_round_by_itself() {
    if std::env::var_os(ONLY_UID).is_none() {
        // Where no other process wants a number.
        return in_namespaces_of_our_own("nor_is_one_that_comes_round_by_itself");
    }
    let rig = Rig { number: Number::ComesRound, ..Rig::new() };
    let mut counts = Counts::default();
    for before in ALL.into_iter().cycle().take(tries() / 20) {
        rig.attack(before, &mut counts);
    }
    writeln!(std::io::stdout(), "pid comes round: {counts:?}").unwrap();
    assert_eq!((counts.wrong, counts.refused), (0, counts.tries), "{counts:?}");
    assert!(counts.tries as usize * 10 > tries() / 20 * 9, "{counts:?}");
    assert_eq!(counts.wrong_by_number, counts.tries, "{counts:?}");
}

fn in_namespaces_of_our_own(test: &str) {
    let inner = Command::new("unshare")
        .args(["--user", "--map-root-user", "--pid", "--fork", "--mount-proc"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env(ONLY_UID, "0")
        .status()
        .unwrap();
    assert!(inner.success());
}
