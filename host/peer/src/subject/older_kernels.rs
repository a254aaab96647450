//! #22: what older, exhausted and nested kernels answer leads to a typed refusal, and never to a
//! weaker way of finding out.

use std::{
    os::unix::net::{UnixListener, UnixStream},
    sync::Arc,
};

use rustix::io::Errno;
use witgate_facts::{FactName, FactSet, FactSource as _, Lifetimes};
use witgate_testkit::child::Actor;

use super::{Connected, Subject};
use crate::{
    Change, ExecWatchKind, FactReader, Id, Kernel, PeerError, ProbeError, ReadSettings, Stranger,
    Tier,
    sys::{
        SocketCredentials,
        simulated::{Call, Simulated},
    },
};

struct Rig {
    sys: Arc<Simulated>,
    kernel: Kernel,
    stream: UnixStream,
    actor: Actor,
    _dir: tempfile::TempDir,
}

impl Rig {
    /// A kernel without these, and somebody who has connected.
    fn without(missing: &[(Call, Errno)]) -> Self {
        let sys = Simulated::new();
        for (call, errno) in missing {
            sys.fail(*call, *errno);
        }
        let kernel = Kernel::probe_with(sys.clone()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        let actor = Actor::spawn().connect(&socket);
        let stream = listener.accept().unwrap().0;
        Self { sys, kernel, stream, actor, _dir: dir }
    }

    fn accept(&self) -> Result<Subject<Connected>, PeerError> {
        Subject::accept(&self.stream, &self.kernel)
    }
}

const NO_PIDFD: (Call, Errno) = (Call::PeerPidfd, Errno::NOPROTOOPT);
const NO_INFO: (Call, Errno) = (Call::PidfdIds, Errno::NOTTY);

#[test]
fn the_tier_is_what_the_calls_say() {
    assert_eq!(Rig::without(&[]).kernel.tier(), Tier::A);
    assert_eq!(Rig::without(&[NO_INFO]).kernel.tier(), Tier::B);
    assert_eq!(Rig::without(&[NO_PIDFD]).kernel.tier(), Tier::C);
    assert_eq!(Rig::without(&[(Call::PeerPidfd, Errno::INVAL)]).kernel.tier(), Tier::C);
}

#[test]
fn a_probe_that_is_not_answered_stops_the_daemon() {
    for (call, errno) in [(Call::PeerPidfd, Errno::MFILE), (Call::PidfdIds, Errno::PERM)] {
        let sys = Simulated::new();
        sys.fail(call, errno);
        let error = Kernel::probe_with(sys).unwrap_err();
        assert!(matches!(error, ProbeError::Undecided { source, .. } if source == errno));
    }
}

// #23
#[test]
fn the_proc_of_another_pid_namespace_stops_the_daemon() {
    let sys = Simulated::new();
    sys.own_status(b"Name:\tx\nNSpid:\t4242\t7\n");
    let error = Kernel::probe_with(sys).unwrap_err();
    assert!(matches!(error, ProbeError::ForeignProc { .. }), "{error}");
}

#[test]
fn tier_c_serves_only_where_it_is_allowed_to() {
    let rig = Rig::without(&[NO_PIDFD]);
    let refused = rig.accept().unwrap_err();
    assert_eq!(refused, PeerError::UnsupportedKernel { missing: "SO_PEERPIDFD" });
    let kernel = rig.kernel.clone().allow_legacy(true);
    let subject = Subject::accept(&rig.stream, &kernel).unwrap();
    assert_eq!((subject.tier(), subject.pid().as_raw()), (Tier::C, rig.actor.pid()));
    rig.actor.exit(0);
    rig.actor.reap();
    assert_eq!(Subject::accept(&rig.stream, &kernel).unwrap_err(), PeerError::PeerExited);
}

#[tokio::test]
async fn tier_b_reads_the_ids_from_proc() {
    let rig = Rig::without(&[NO_INFO]);
    let reader = FactReader::new(&rig.kernel, ReadSettings::default());
    let subject = rig.accept().unwrap();
    assert_eq!((subject.tier(), subject.pid().as_raw()), (Tier::B, rig.actor.pid()));
    let facts = subject.collect(FactSet::all(), &reader).await.unwrap();
    let bound = subject.bind(facts);
    rig.actor.set_uids(0, 1000, 0);
    let changed = PeerError::CredentialsChanged { id: Id::EffectiveUser, expected: 0, found: 1000 };
    assert_eq!(subject.confirm(bound).unwrap_err(), changed);
    assert_eq!(rig.accept().unwrap_err(), changed);
}

#[tokio::test]
async fn where_names_are_used_again_nothing_outlives_a_request() {
    let all = async |rig: &Rig| {
        let kernel = rig.kernel.clone().allow_legacy(true);
        let reader = FactReader::new(&kernel, ReadSettings::default());
        let subject = Subject::accept(&rig.stream, &kernel).unwrap();
        subject.collect(FactSet::all(), &reader).await.unwrap()
    };
    let names = all(&Rig::without(&[])).await.lifetimes();
    assert!(names.process.is_some());
    // Before 6.9 all pidfds have one inode.
    let rig = Rig::without(&[]);
    let facts = all(&rig).await;
    rig.sys.fail(Call::FileSystem, Errno::NOSYS);
    assert_eq!(facts.lifetimes(), Lifetimes { process: None, ..names });
    assert_eq!(all(&Rig::without(&[NO_PIDFD])).await.lifetimes(), Lifetimes::default());
}

#[test]
fn every_call_that_fails_refuses_in_its_own_words() {
    use Errno as E;
    let calls = [
        Call::PeerCredentials,
        Call::PeerPidfd,
        Call::PidfdExited,
        Call::PidfdIds,
        Call::OpenProcess,
        Call::PeerGroups,
    ];
    let rig = Rig::without(&[]);
    for call in calls {
        for (errno, reason) in [
            (E::MFILE, "host_exhausted"),
            (E::NFILE, "host_exhausted"),
            (E::NOMEM, "host_exhausted"),
            (E::SRCH, "peer_exited"),
            (E::PERM, "internal"),
        ] {
            rig.sys.fail(call, errno);
            assert_eq!(rig.accept().unwrap_err().reason(), reason, "{call:?} {errno:?}");
        }
        rig.sys.heal();
        rig.accept().unwrap();
    }
    for (call, errno, reason) in [
        (Call::PeerPidfd, E::INVAL, "peer_exited"),
        (Call::PeerPidfd, E::NOPROTOOPT, "unsupported_kernel"),
        (Call::PeerPidfd, E::NODATA, "peer_unknown"),
        (Call::PidfdIds, E::REMOTE, "peer_unknown"),
        (Call::OpenProcess, E::NOENT, "unattestable"),
    ] {
        rig.sys.fail(call, errno);
        assert_eq!(rig.accept().unwrap_err().reason(), reason, "{call:?} {errno:?}");
        rig.sys.heal();
    }
}

#[tokio::test]
async fn running_out_of_descriptors_later_refuses_too() {
    let rig = Rig::without(&[]);
    let reader = FactReader::new(&rig.kernel, ReadSettings::default());
    let subject = rig.accept().unwrap();
    let facts = subject.collect(FactSet::EMPTY, &reader).await.unwrap();
    rig.sys.fail(Call::OpenAt, Errno::MFILE);
    assert_eq!(subject.bucket().unwrap_err().reason(), "host_exhausted");
    let again = subject.collect(FactSet::EMPTY, &reader).await;
    assert_eq!(again.unwrap_err().reason(), "host_exhausted");
    // A request that has its facts needs no descriptor more.
    subject.confirm(subject.bind(facts)).unwrap();
}

#[tokio::test]
async fn without_the_right_to_look_only_those_facts_are_denied() {
    let rig = Rig::without(&[]);
    let reader = FactReader::new(&rig.kernel, ReadSettings::default());
    rig.sys.fail(Call::ReadLinkAt, Errno::ACCESS);
    let subject = rig.accept().unwrap();
    let facts = subject.collect(FactSet::all(), &reader).await.unwrap();
    for error in [facts.executable().unwrap_err(), facts.namespaces().unwrap_err()] {
        assert_eq!(error, witgate_facts::FactError::Denied);
    }
    assert!(facts.credentials().is_ok() && facts.cgroups_trusted().is_ok());
    assert!(facts.wanted().contains(FactName::ExecutableInfo));
    subject.confirm(subject.bind(facts)).unwrap();
    // Nor is a process whose main thread has ended taken for one that we may not look at.
    rig.actor.end_main_thread();
    let refused = loop {
        match subject.collect(FactSet::EMPTY, &reader).await {
            // It has said that it goes on, and is about to end.
            Ok(_) => std::thread::yield_now(),
            Err(error) => break error,
        }
    };
    assert_eq!(refused, PeerError::Unattestable);
}

// #19, #18
#[test]
fn whom_the_kernel_cannot_name_is_refused() {
    let rig = Rig::without(&[]);
    let pid = rig.actor.pid();
    for (pid, uid, why) in [
        (0, 0, Stranger::ForeignPidNamespace),
        (-1, 0, Stranger::ForeignPidNamespace),
        (pid, u32::MAX, Stranger::NoPeer),
    ] {
        rig.sys.peer(SocketCredentials { pid, uid, gid: 0 });
        assert_eq!(rig.accept().unwrap_err(), PeerError::PeerUnknown { why });
    }
    // A pid that is somebody else's: the pidfd says who it really is.
    rig.sys.peer(SocketCredentials { pid: 1, uid: 0, gid: 0 });
    let error = rig.accept().unwrap_err();
    assert!(matches!(error, PeerError::CredentialsChanged { id: Id::Process, .. }), "{error}");
}

// #23
#[test]
fn in_a_user_namespace_the_uid_that_stands_for_all_others_is_nobodys() {
    // The daemon's own namespace cannot be seen to be the initial one.
    let rig = Rig::without(&[(Call::ReadLinkAt, Errno::ACCESS)]);
    rig.sys.peer(SocketCredentials { pid: rig.actor.pid(), uid: 65_534, gid: 0 });
    let unmapped = PeerError::PeerUnknown { why: Stranger::UnmappedUid };
    assert_eq!(rig.accept().unwrap_err(), unmapped);
}

// #22, #12: without the counter the auxiliary vector is compared; without that, an answer to a
// challenge would prove nothing, and none is asked for.
#[tokio::test]
async fn without_the_counter_an_exec_is_seen_by_what_it_leaves() {
    for errno in [Errno::ACCESS, Errno::PERM, Errno::NOSYS, Errno::INVAL] {
        let rig = Rig::without(&[]);
        rig.sys.fail(Call::ExecEvent, errno);
        let subject = rig.accept().unwrap();
        assert_eq!(subject.watch_exec().unwrap(), ExecWatchKind::Auxv);
        let challenge = subject.challenge().unwrap().unwrap();
        subject.answered(challenge).unwrap();
        let reader = FactReader::new(&rig.kernel, ReadSettings::default());
        let facts = subject.collect(FactSet::EMPTY, &reader).await.unwrap();
        rig.actor.exec("/bin/sleep", &["1000"]);
        let seen = async || subject.changed_program().await;
        tokio::time::timeout(std::time::Duration::from_secs(20), seen()).await.unwrap();
        let changed = PeerError::SubjectChanged { change: Change::Program };
        assert_eq!(subject.confirm(subject.bind(facts)).unwrap_err(), changed);
    }
    let rig = Rig::without(&[]);
    rig.sys.fail(Call::ExecEvent, Errno::PERM);
    rig.sys.fail(Call::OpenAt, Errno::ACCESS);
    let subject = rig.accept().unwrap();
    assert_eq!(subject.watch_exec().unwrap(), ExecWatchKind::None);
    assert!(subject.challenge().unwrap().is_none());
}

// #22: running out of descriptors is no reason to look less closely.
#[test]
fn an_exhausted_host_watches_nobody_by_weaker_means() {
    let rig = Rig::without(&[]);
    for errno in [Errno::MFILE, Errno::NFILE, Errno::NOMEM] {
        rig.sys.fail(Call::ExecEvent, errno);
        assert_eq!(rig.accept().unwrap().watch_exec().unwrap_err().reason(), "host_exhausted");
    }
}
