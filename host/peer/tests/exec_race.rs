//! A process connects, and becomes a trusted program: everything by which it is told from others
//! stays what it was.
//!
//! The same runs are judged by the schemes that other daemons use, and those must be wrong, or the
//! runs would prove nothing. `WITGATE_EXEC_TRIES` says how many of each kind (the long run: 10000).

#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene has failed")]

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use futures_util::FutureExt as _;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixListener,
};
use witgate_facts::{FactName, FactSource as _};
use witgate_identity::Assurance;
use witgate_peer::{Connected, FactReader, Kernel, PeerError, PeerStream, ReadSettings, Subject};
use witgate_testkit::{
    child::Actor,
    figures::{self, Facts, Method},
};

/// When it becomes the trusted program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// #10
    BeforeAccept,
    /// #10, and another process knows the answer.
    WhileChallenged,
    /// #11, after it has answered.
    BeforeFacts,
    /// #11
    BeforeConfirm,
    /// #11: at any moment after it has answered.
    Sometime(Duration),
}

/// What came of it.
#[derive(Debug, Default)]
struct Counts {
    tries: u32,
    /// Those in which it could not be challenged any more.
    unchallenged: u32,
    refused: u32,
    /// Answered as what it was when it answered the challenge.
    as_it_was: u32,
    /// Answered as the trusted program, at the level of facts that it had proved.
    wrong_challenged: u32,
    /// The same at the level of what it claims: no entry rests on that unless it says `weak`.
    wrong_claimed: u32,
    /// Answered by a scheme that trusts the number of `SO_PEERCRED`.
    wrong_by_number: u32,
    /// Answered by one that holds `/proc/<pid>` and compares owner and start time too.
    wrong_by_held_directory: u32,
}

impl Counts {
    fn tell(&self) {
        let unchallenged = self.unchallenged;
        let tell = figures::tell;
        tell(
            Method::Witgate,
            Facts::ProgramChallenged,
            self.wrong_challenged,
            self.tries - unchallenged,
        );
        tell(Method::Witgate, Facts::ProgramUnchallenged, self.wrong_claimed, unchallenged);
        // Those have no challenge to ask.
        let facts = Facts::ProgramUnchallenged;
        tell(Method::Number, facts, self.wrong_by_number, self.tries);
        tell(Method::HeldDirectory, facts, self.wrong_by_held_directory, self.tries);
    }

    fn add(&mut self, more: &Self) {
        self.tries += more.tries;
        self.unchallenged += more.unchallenged;
        self.refused += more.refused;
        self.as_it_was += more.as_it_was;
        self.wrong_challenged += more.wrong_challenged;
        self.wrong_claimed += more.wrong_claimed;
        self.wrong_by_number += more.wrong_by_number;
        self.wrong_by_held_directory += more.wrong_by_held_directory;
    }

    /// Takes note of a decision; whether it was a refusal.
    fn note(&mut self, decided: Result<(PathBuf, Assurance), PeerError>, trusted: &Path) -> bool {
        match decided {
            Ok((exe, level)) if exe == trusted => match level {
                Assurance::Claimed => self.wrong_claimed += 1,
                _ => self.wrong_challenged += 1,
            },
            Ok(_) => self.as_it_was += 1,
            Err(_) => {
                self.refused += 1;
                return true;
            }
        }
        false
    }
}

struct Rig {
    dir: tempfile::TempDir,
    listener: UnixListener,
    kernel: Kernel,
    reader: FactReader,
    trusted: PathBuf,
}

impl Rig {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let trusted = dir.path().join("trusted");
        fs::copy("/bin/sleep", &trusted).unwrap();
        let kernel = Kernel::probe().unwrap();
        let reader = FactReader::new(&kernel, ReadSettings::default());
        let listener = listen(&dir.path().join("s"));
        Self { dir, listener, kernel, reader, trusted }
    }

    fn become_trusted(&self, actor: &Actor) {
        actor.exec(&self.trusted, &["1000"]);
        // The descriptor that tells of it closes a little before the new image is in place.
        while !self.runs_trusted(actor.pid()) {
            std::thread::yield_now();
        }
    }

    fn runs_trusted(&self, pid: i32) -> bool {
        fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == self.trusted)
    }

    async fn attack(&self, when: When, counts: &mut Counts) {
        let mut one = Counts::default();
        self.try_once(when, &mut one).await;
        one.tell();
        counts.add(&one);
    }

    async fn try_once(&self, when: When, counts: &mut Counts) {
        let attacker = Actor::spawn().connect(self.dir.path().join("s"));
        counts.tries += 1;
        counts.unchallenged += u32::from(when == When::BeforeAccept);
        let before = start_time(attacker.pid());
        if when == When::BeforeAccept {
            self.become_trusted(&attacker);
        }
        let socket = self.listener.accept().await.unwrap().0;
        let number = getsockopt(&socket, PeerCredentials).unwrap().pid();
        let subject = Subject::accept(&socket, &self.kernel).unwrap();
        let mut stream = subject.stream(socket);
        let challenged = self.challenge(&attacker, &subject, &mut stream, when).await;
        std::thread::scope(|scope| {
            if let When::Sometime(delay) = when {
                let attacker = &attacker;
                scope.spawn(move || {
                    std::thread::sleep(delay);
                    self.become_trusted(attacker);
                });
            }
            loop {
                let decided = wait_for(self.decide(&attacker, &subject, when));
                // Again and again, until it happens in the middle of one or between two.
                if counts.note(decided, &self.trusted) || !matches!(when, When::Sometime(_)) {
                    return;
                }
            }
        });
        assert_eq!(subject.challenged(), challenged);
        // What others conclude from the same socket when all is over.
        counts.wrong_by_number += u32::from(self.runs_trusted(number));
        counts.wrong_by_held_directory +=
            u32::from(self.runs_trusted(number) && start_time(number) == before);
    }

    /// Whether it answered. The nonce goes over the connection as it is, in both directions.
    async fn challenge(
        &self,
        attacker: &Actor,
        subject: &Subject<Connected>,
        stream: &mut PeerStream,
        when: When,
    ) -> bool {
        let challenge = subject.challenge().unwrap().unwrap();
        stream.write_all(&challenge.nonce()).await.unwrap();
        match when {
            When::BeforeAccept => {}
            When::WhileChallenged => {
                let helper = attacker.fork();
                let nonce = helper.receive();
                self.become_trusted(attacker);
                helper.send(&nonce);
            }
            _ => attacker.send(&attacker.receive()),
        }
        let mut answer = [0; 8];
        let within = if when == When::BeforeAccept { 1 } else { 10_000 };
        let read = stream.read_exact(&mut answer);
        match tokio::time::timeout(Duration::from_millis(within), read).await {
            Ok(Ok(_)) if answer == challenge.nonce() => subject.answered(challenge).is_ok(),
            _ => false,
        }
    }

    async fn decide(
        &self,
        attacker: &Actor,
        subject: &Subject<Connected>,
        when: When,
    ) -> Result<(PathBuf, Assurance), PeerError> {
        if when == When::BeforeFacts {
            self.become_trusted(attacker);
        }
        let wanted = [FactName::ExecutableInfo].into_iter().collect();
        let facts = subject.collect(wanted, &self.reader).await?;
        let found = facts
            .executable()
            .map_or_else(|_| PathBuf::new(), |executable| PathBuf::from(&executable.path));
        let level = facts.assurance(FactName::ExecutableInfo);
        let bound = subject.bind(facts);
        if when == When::BeforeConfirm {
            self.become_trusted(attacker);
        }
        subject.confirm(bound).map(|_| (found, level))
    }
}

fn listen(path: &Path) -> UnixListener {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
    let socket = rustix::net::socket_with(family, kind, flags, None).unwrap();
    witgate_peer::mark_senders(&socket).unwrap();
    rustix::net::bind(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
    rustix::net::listen(&socket, 64).unwrap();
    UnixListener::from_std(socket.into()).unwrap()
}

fn start_time(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(')').next()?.split_whitespace().nth(19)?.parse().ok()
}

fn tries() -> u32 {
    std::env::var("WITGATE_EXEC_TRIES").map_or(100, |tries| tries.parse().unwrap())
}

// #10 #11
#[tokio::test]
async fn nobody_is_answered_as_a_program_that_did_not_ask() {
    let rig = Rig::new();
    for when in [When::BeforeAccept, When::WhileChallenged, When::BeforeFacts, When::BeforeConfirm]
    {
        let mut counts = Counts::default();
        for _ in 0..tries() {
            rig.attack(when, &mut counts).await;
        }
        // Not through the macro, whose output a passing test keeps to itself.
        writeln!(std::io::stdout(), "exec {when:?}: {counts:?}").unwrap();
        assert_eq!(counts.wrong_challenged, 0, "{when:?}");
        // The others must have been fooled, or this was no attack.
        assert_eq!(counts.wrong_by_number, counts.tries, "{when:?}");
        assert_eq!(counts.wrong_by_held_directory, counts.tries, "{when:?}");
        // What nothing can tell without an answer is worth what it is.
        let claimed = if when == When::BeforeAccept { counts.tries } else { 0 };
        assert_eq!((counts.wrong_claimed, counts.as_it_was), (claimed, 0), "{when:?}");
    }
}

// #11
#[tokio::test]
async fn whenever_it_happens_the_answer_is_about_the_program_that_answered() {
    let rig = Rig::new();
    let mut counts = Counts::default();
    for number in 0..tries() * 4 {
        let delay = Duration::from_micros(u64::from(number) * 7 % 300);
        rig.attack(When::Sometime(delay), &mut counts).await;
    }
    writeln!(std::io::stdout(), "exec at any moment: {counts:?}").unwrap();
    assert_eq!((counts.wrong_challenged, counts.wrong_claimed), (0, 0));
    assert_eq!(counts.wrong_by_held_directory, counts.tries);
    assert_eq!(counts.refused, counts.tries);
    assert!(counts.as_it_was > counts.tries, "it was decided before, too: {counts:?}");
}

/// Where nothing can be awaited: a thread of the attack is joined on the way out.
fn wait_for<T>(decided: impl Future<Output = T>) -> T {
    // Polled without a break, which a runtime takes for a task that must be made to wait.
    let mut decided = std::pin::pin!(tokio::task::unconstrained(decided));
    loop {
        if let Some(decided) = decided.as_mut().now_or_never() {
            return decided;
        }
        std::thread::yield_now();
    }
}
