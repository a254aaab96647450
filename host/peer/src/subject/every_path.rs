//! #22: the whole procedure, from accept to confirm, over a kernel on paper in which the process may
//! exit, be reaped, lose its number to another, begin another program, change its ids, cgroup,
//! namespaces or privileges, and in which calls fail, before each and every call.
//!
//! Exhaustive: any one event or error at any moment, on four kinds of kernel, of a process that
//! connected, with a challenge and without, and of one that a broker asks about, by a pidfd and by a
//! connection. On the newest kernel, of one that connected: any two events at any two moments, with one
//! error for all, and every life (exec, exit, reaped, recycled, in any combination of up to four, each
//! at any moment). Beyond that at random: up to twelve events. `WITGATE_PATHS` says how many of those.
//! That a broker is confirmed first is in the types and not here.
//!
//! What holds on every path, see [`Rig::walk`]:
//!
//! - A stage that succeeds has seen the process alive after everything that it was told about it.
//! - What is confirmed was so of the process that connected when confirming began, and where its
//!   program is watched it is one program throughout; where it is challenged, the one that connected.
//! - An error says what was so, or which call failed; a fact that was not read is an error.
//!
//! Each of these, made alone, fails here: in `confirm` the last look at the pidfd left out; ids, main
//! thread, a namespace, privileges, cgroup, executable or exec watch not compared; a cgroup
//! that cannot be read taken for the same. In `accept` the second look left out, the ids not compared
//! with the socket's, the process opened by number where the socket gives no pidfd. The watch not
//! followed by a look, missing before the image, or a weaker one where descriptors are out. An answer
//! after which watch or pidfd are not asked; a challenge where nothing watches. `collect` without its
//! last look, or a namespace fact that is not kept for comparison. A poll that fails taken for alive;
//! an image level without a challenge. The first looks of `accept` and `confirm` can be left out
//! without harm, for the second ones say all that they do.

use std::{
    io::Write as _,
    os::{fd::AsFd as _, unix::net::UnixStream},
    time::Duration,
};

use proptest::{
    collection::vec,
    sample::select,
    strategy::{Strategy as _, ValueTree as _},
    test_runner::TestRunner,
};
use rustix::io::Errno;
use witgate_facts::{FactName, FactSet, FactSource as _};
use witgate_identity::Assurance;

use super::{Connected, Delegated, Subject};
use crate::{
    Change, ExecWatchKind, FactReader, Kernel, PeerError, ProcessFacts, ReadSettings, Stranger,
    sys::scripted::{Event, Flavor, Life, Process, Scripted, path_of},
};

const LINUX: Flavor =
    Flavor { info: true, counters: true, auxv: true, reaped_peers: true, gone: Errno::SRCH };

/// As the kernel is now; before it told ids of pidfds; where the daemon may not watch; where it may
/// not even read what belongs to others.
const FLAVORS: [Flavor; 4] = [
    LINUX,
    Flavor { info: false, reaped_peers: false, gone: Errno::NOENT, ..LINUX },
    Flavor { counters: false, ..LINUX },
    Flavor { counters: false, auxv: false, gone: Errno::NOENT, ..LINUX },
];

/// What may happen to a process.
const HAPPENS: [Event; 12] = [
    Event::Exit,
    Event::Reap,
    Event::Recycle,
    Event::Exec,
    Event::ExecSameFile,
    Event::ChangeIds,
    Event::Move,
    Event::LeaveMounts,
    Event::LeaveUsers,
    Event::LeaveNetwork,
    Event::GainPrivileges,
    Event::EndMainThread,
];

/// What may happen in a life, in this order.
const LIFE: [Event; 5] = [Event::Exec, Event::Exec, Event::Exit, Event::Reap, Event::Recycle];

/// What a call may fail with: all that `peer` tells apart, and some that no call of its documents.
const ERRORS: [Errno; 20] = [
    Errno::MFILE,
    Errno::NFILE,
    Errno::NOMEM,
    Errno::NOBUFS,
    Errno::SRCH,
    Errno::NOENT,
    Errno::ACCESS,
    Errno::PERM,
    Errno::INVAL,
    Errno::AGAIN,
    Errno::INTR,
    Errno::IO,
    Errno::NODATA,
    Errno::NOSYS,
    Errno::NOTTY,
    Errno::REMOTE,
    Errno::RANGE,
    Errno::TOOBIG,
    Errno::NOPROTOOPT,
    Errno::OPNOTSUPP,
];

/// Those of them that lead elsewhere than to an end.
const LEADING: [Errno; 5] = [Errno::MFILE, Errno::SRCH, Errno::NOENT, Errno::ACCESS, Errno::INVAL];

type Script = [(usize, Event)];

/// How one comes to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It connected.
    Connected,
    /// It connected, and is asked for a nonce.
    Challenged,
    /// A broker passed a pidfd of it, opened before everything.
    PassedPidfd,
    /// A broker passed a connection of it.
    PassedConnection,
}

const WAYS: [Way; 4] = [Way::Challenged, Way::Connected, Way::PassedPidfd, Way::PassedConnection];

struct Rig {
    sys: std::sync::Arc<Scripted>,
    kernel: Kernel,
    reader: FactReader,
    socket: UnixStream,
    way: Way,
    runtime: tokio::runtime::Runtime,
    runs: u64,
    confirmed: u64,
}

impl Rig {
    fn new(flavor: Flavor, way: Way) -> Self {
        let sys = Scripted::new(flavor);
        let kernel = Kernel::probe_with(sys.clone()).unwrap();
        // On a busy machine a thread may be late, and what it does belongs to this path.
        let settings = ReadSettings { deadline: Duration::from_secs(600), ..Default::default() };
        let reader = FactReader::new(&kernel, settings);
        let socket = UnixStream::pair().unwrap().0;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { sys, kernel, reader, socket, way, runtime, runs: 0, confirmed: 0 }
    }

    /// One run of the procedure; how many moments it had.
    fn run(&mut self, script: &Script) -> usize {
        self.sys.begin(script);
        let before = self.sys.peer();
        let outcome = self.runtime.block_on(self.walk(script));
        self.runs += 1;
        match outcome {
            Ok(()) => self.confirmed += 1,
            Err(error) => {
                let after = self.sys.peer();
                assert!(is_so(&error, &before, &after, script), "{script:?}: {error:?}, {after:?}");
            }
        }
        self.sys.moments()
    }

    async fn walk(&self, script: &Script) -> Result<(), PeerError> {
        match self.way {
            Way::Connected | Way::Challenged => {
                let subject = Subject::accept(&self.socket, &self.kernel)?;
                let found = self.found(&subject, script)?;
                let watched = self.challenge(&subject, script)?;
                self.answer(&subject, &found, watched.as_ref(), script).await
            }
            Way::PassedPidfd => {
                let subject = Subject::of_own_pidfd(self.sys.passed(), &self.kernel)?;
                self.delegated(&subject, script).await
            }
            Way::PassedConnection => {
                let subject = Subject::of_connection(self.socket.as_fd(), &self.kernel)?;
                self.delegated(&subject, script).await
            }
        }
    }

    async fn delegated(
        &self,
        subject: &Subject<Delegated>,
        script: &Script,
    ) -> Result<(), PeerError> {
        let found = self.found(subject, script)?;
        self.answer(subject, &found, None, script).await
    }

    /// The process as it was when it was found.
    fn found<S>(&self, subject: &Subject<S>, script: &Script) -> Result<Process, PeerError> {
        self.proved("the first half", script);
        let found = self.sys.peer();
        subject.bucket()?;
        Ok(found)
    }

    fn proved(&self, stage: &str, script: &Script) {
        assert!(self.sys.proved(), "{stage} proves nothing: {script:?}");
    }

    /// The process as it was when it was challenged, if it was.
    fn challenge(
        &self,
        subject: &Subject<Connected>,
        script: &Script,
    ) -> Result<Option<Process>, PeerError> {
        if self.way != Way::Challenged {
            return Ok(None);
        }
        let Some(challenge) = subject.challenge()? else { return Ok(None) };
        self.proved("challenge", script);
        let watched = self.sys.peer();
        self.sys.pass();
        // Only the program that connected knows what to say.
        if self.sys.peer().life == Life::Alive && self.sys.peer().program == 0 {
            self.sys.pass();
            let program = self.sys.peer().program;
            subject.answered(challenge)?;
            self.proved("answer", script);
            assert_eq!(program, 0, "{script:?}: answered by another program");
        }
        Ok(Some(watched))
    }

    async fn answer<S>(
        &self,
        subject: &Subject<S>,
        found: &Process,
        watched: Option<&Process>,
        script: &Script,
    ) -> Result<(), PeerError> {
        let facts = subject.collect(wanted(), &self.reader).await?;
        self.proved("collect", script);
        let now = self.sys.peer();
        let bound = subject.bind(facts);
        let facts = subject.open(bound)?.into_inner();
        self.proved("confirm", script);
        describes(&facts, &now, script);
        assert_eq!(found.ids, now.ids, "{script:?}");
        if facts.assurance(FactName::ExecutableInfo) == Assurance::Image {
            assert_eq!(now.program, 0, "{script:?}: another program than the one that answered");
        }
        if subject.exec_watch() != Some(ExecWatchKind::None) {
            let same = watched.is_none_or(|watched| watched.program == now.program);
            assert!(same, "{script:?}: begun another since it was watched");
        }
        let watch = subject.exec_watch();
        assert!(facts.executable().is_err() || watch.is_some(), "{script:?}: not watched");
        let weaker = watch.is_some_and(|kind| kind != ExecWatchKind::Event);
        assert!(!weaker || self.may_be_weaker(script), "{script:?}: {watch:?}");
        Ok(())
    }

    /// Where it may not watch, and not where it is out of descriptors.
    fn may_be_weaker(&self, script: &Script) -> bool {
        let refused = [Errno::ACCESS, Errno::PERM, Errno::NOSYS, Errno::INVAL, Errno::NOENT];
        let refused = refused.into_iter().chain([Errno::OPNOTSUPP, Errno::TOOBIG]);
        let failed = |errno| script.iter().any(|(_, event)| *event == Event::Fail(errno));
        !self.sys.counters() || refused.into_iter().any(failed)
    }

    /// All scripts of up to `depth` of these events that begin with `script`.
    fn explore(&mut self, events: &[Event], depth: usize, script: &mut Vec<(usize, Event)>) {
        let moments = self.run(script);
        if script.len() == depth {
            return;
        }
        let from = script.last().map_or(0, |(at, _)| *at);
        for at in from..moments {
            for event in events {
                script.push((at, *event));
                self.explore(events, depth, script);
                script.pop();
            }
        }
    }

    /// All scripts that go on with any of these events, in this order, at any moments.
    fn live(&mut self, events: &[Event], script: &mut Vec<(usize, Event)>) {
        let moments = self.run(script);
        let from = script.last().map_or(0, |(at, _)| *at);
        for (index, event) in events.iter().enumerate() {
            for at in from..moments {
                script.push((at, *event));
                self.live(&events[index + 1..], script);
                script.pop();
            }
        }
    }
}

/// All that is read at once.
fn wanted() -> FactSet {
    [
        FactName::ProcessCredentials,
        FactName::ProcessComm,
        FactName::ProcessStartTime,
        FactName::ProcessState,
        FactName::ProcessPrivileges,
        FactName::CgroupsTrusted,
        FactName::CgroupsClaimed,
        FactName::NamespacesAll,
        FactName::ExecutableDoubts,
        FactName::ExecutableInfo,
    ]
    .into_iter()
    .collect()
}

/// The facts that were read are those of this process, as it was.
fn describes(facts: &ProcessFacts, process: &Process, script: &Script) {
    let context = || format!("{script:?}: {facts:?} of {process:?}");
    let ids = facts.credentials().unwrap();
    assert_eq!((ids.uid, ids.gid), (process.ids.euid, process.ids.egid), "{}", context());
    let comm = facts.comm().map(|comm| comm.starts_with(process.name.as_bytes()));
    assert_ne!(comm, Ok(false), "{}", context());
    for claim in facts.cgroups_claimed().unwrap() {
        assert_eq!(claim.path, process.cgroup, "{}", context());
    }
    for trust in facts.cgroups_trusted().unwrap() {
        // Less where a directory could not be looked at.
        let part = process.cgroup.strip_prefix(&trust.prefix);
        assert!(trust.prefix == "/" || part.is_some(), "{}", context());
    }
    for namespace in facts.namespaces().into_iter().flatten() {
        let inode = match namespace.kind.as_str() {
            "mnt" => process.mounts,
            "net" => process.network,
            "user" => process.users,
            _ => continue,
        };
        assert_eq!(namespace.inode, inode, "{}", context());
    }
    let permitted = facts.privileges().map(|privileges| privileges.permitted);
    assert!(permitted.is_err() || permitted == Ok(process.permitted), "{}", context());
    if let Ok(executable) = facts.executable() {
        let found = (executable.inode, executable.path.as_str());
        assert_eq!(found, (process.file, path_of(process.file).as_str()), "{}", context());
        assert!(process.in_own_users(), "{}", context());
    }
    if script.is_empty() {
        assert!(facts.comm().is_ok() && facts.privileges().is_ok() && facts.start_time().is_ok());
        assert!(facts.executable().unwrap().same_on_host && facts.namespaces().is_ok());
        assert_eq!(facts.doubts(), Ok(&[][..]));
        assert_eq!(facts.cgroups_trusted().unwrap()[0].prefix, process.cgroup);
    }
}

/// What an error says is so, or a call that failed made it look so.
fn is_so(error: &PeerError, before: &Process, after: &Process, script: &Script) -> bool {
    let failed = |errno| script.iter().any(|(_, event)| *event == Event::Fail(errno));
    let any_failed = script.iter().any(|(_, event)| matches!(event, Event::Fail(_)));
    match error {
        PeerError::PeerExited => {
            after.life != Life::Alive || failed(Errno::SRCH) || failed(Errno::INVAL)
        }
        PeerError::CredentialsChanged { .. } => before.ids != after.ids,
        PeerError::SubjectChanged { change } => {
            // Where a main thread ends, it has no namespaces and no program any more.
            any_failed
                || !after.main_thread
                || match change {
                    Change::Cgroup => before.cgroup != after.cgroup,
                    Change::MountNamespace => before.mounts != after.mounts,
                    Change::UserNamespace => before.users != after.users,
                    Change::OtherNamespace => before.network != after.network,
                    Change::Privileges => before.permitted != after.permitted,
                    Change::Executable => before.file != after.file,
                    Change::Program => before.program != after.program,
                }
        }
        PeerError::Unattestable => !after.main_thread || any_failed,
        PeerError::Hidden => [Errno::NOENT, Errno::PERM, Errno::ACCESS].into_iter().any(failed),
        PeerError::HostExhausted { source, .. } | PeerError::Kernel { source, .. } => {
            failed(*source)
        }
        PeerError::PeerUnknown { why: Stranger::NoPeer } => failed(Errno::NODATA),
        PeerError::PeerUnknown { why: Stranger::ForeignPidNamespace } => failed(Errno::REMOTE),
        PeerError::UnsupportedKernel { .. } => failed(Errno::NOPROTOOPT),
        _ => false,
    }
}

fn all(errors: &[Errno]) -> Vec<Event> {
    HAPPENS.into_iter().chain(errors.iter().map(|errno| Event::Fail(*errno))).collect()
}

/// How many paths at random, where the long run is wanted: then the others go further, too.
fn long() -> Option<u32> {
    std::env::var("WITGATE_PATHS").ok().map(|paths| paths.parse().unwrap())
}

/// On every kind of kernel and in every way; or on the first with a challenge, which is what a request
/// for an entry of worth takes. Says how many paths that was.
fn walk(what: &str, everywhere: bool, test: impl Fn(&mut Rig) + Sync) {
    let kinds = FLAVORS.into_iter().flat_map(|flavor| WAYS.map(|way| (flavor, way)));
    let kinds = kinds.take(if everywhere { usize::MAX } else { 1 });
    let (runs, confirmed) = std::thread::scope(|scope| {
        let threads: Vec<_> = kinds
            .map(|(flavor, way)| {
                let test = &test;
                scope.spawn(move || {
                    let mut rig = Rig::new(flavor, way);
                    test(&mut rig);
                    (rig.runs, rig.confirmed)
                })
            })
            .collect();
        let counts = threads.into_iter().map(|thread| thread.join().unwrap());
        counts.fold((0, 0), |sum, (runs, confirmed)| (sum.0 + runs, sum.1 + confirmed))
    });
    assert!(confirmed > 0 && confirmed < runs, "{what}: {confirmed} of {runs}");
    // Not through the macro, whose output a passing test keeps to itself.
    writeln!(std::io::stdout(), "{what}: {runs} paths, {confirmed} confirmed").unwrap();
}

#[test]
fn anything_once_at_any_moment() {
    let events = all(&ERRORS);
    walk("anything once", true, |rig| {
        rig.run(&[]);
        assert_eq!(rig.confirmed, 1, "who lives through it undisturbed is confirmed");
        rig.explore(&events, 1, &mut Vec::new());
    });
}

#[test]
fn any_two_things_at_any_two_moments() {
    let errors = if long().is_some() { &LEADING[..] } else { &[Errno::ACCESS] };
    let events = all(errors);
    walk("any two things", long().is_some(), |rig| rig.explore(&events, 2, &mut Vec::new()));
}

#[test]
fn every_life() {
    // The second exec makes it ten times as many.
    let events = if long().is_some() { &LIFE[..] } else { &LIFE[1..] };
    walk("every life", long().is_some(), |rig| rig.live(events, &mut Vec::new()));
}

#[test]
fn many_things_at_random() {
    let paths = long().unwrap_or(2_000);
    let events = all(&ERRORS);
    walk("at random", true, |rig| {
        let script = vec((0..60_usize, select(events.clone())), 0..=12);
        // What lands does not depend on luck.
        let mut random = TestRunner::deterministic();
        for _ in 0..paths {
            let mut script = script.new_tree(&mut random).unwrap().current();
            script.sort_by_key(|(at, _)| *at);
            rig.run(&script);
        }
    });
}
