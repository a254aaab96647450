//! Starting an actor.

use std::{
    os::fd::OwnedFd,
    sync::{Mutex, OnceLock, PoisonError, mpsc},
    thread,
};

use rustix::{
    net::{AddressFamily, SocketFlags, SocketType, socketpair},
    process::{getpid, set_child_subreaper},
};

use super::{Actor, body, ok};

/// How to start an actor.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spawn {
    pid: Option<i32>,
    flags: u64,
}

impl Spawn {
    /// With this very number.
    #[must_use]
    pub const fn pid(mut self, pid: i32) -> Self {
        self.pid = Some(pid);
        self
    }

    /// As the first process of a pid namespace of its own.
    #[must_use]
    pub fn new_pid_namespace(mut self) -> Self {
        self.flags |= u64::from(libc::CLONE_NEWPID.unsigned_abs());
        self
    }

    /// In a user namespace of its own, in which it may do everything once somebody has written its maps.
    #[must_use]
    pub fn new_user_namespace(mut self) -> Self {
        self.flags |= u64::from(libc::CLONE_NEWUSER.unsigned_abs());
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// If the kernel refuses, for example because the number is in use.
    #[must_use]
    #[track_caller]
    pub fn start(self) -> Actor {
        Actor::of(ok("clone3", self.try_start()))
    }

    /// Starts it, unless its number is in use.
    ///
    /// # Panics
    /// If the kernel refuses for another reason.
    #[must_use]
    #[track_caller]
    pub fn start_if_free(self) -> Option<Actor> {
        match self.try_start() {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => None,
            started => Some(Actor::of(ok("clone3", started))),
        }
    }

    fn try_start(self) -> std::io::Result<Spawned> {
        let (ours, theirs) = command_sockets();
        let (answer, answered) = mpsc::sync_channel(1);
        let request = Request { how: self, commands: theirs, answer };
        let sent = spawner().lock().unwrap_or_else(PoisonError::into_inner).send(request);
        let pid = match sent.ok().and_then(|()| answered.recv().ok()) {
            Some(result) => result?,
            None => return Err(std::io::Error::other("the thread that forks is gone")),
        };
        Ok(Spawned { pid, commands: ours })
    }
}

/// A child that was started.
pub(super) struct Spawned {
    pub(super) pid: i32,
    pub(super) commands: OwnedFd,
}

struct Request {
    how: Spawn,
    commands: OwnedFd,
    answer: mpsc::SyncSender<std::io::Result<i32>>,
}

/// One thread forks all actors and never ends: the kernel's "kill me with my parent" means the
/// parent *thread*, and those of tests come and go.
fn spawner() -> &'static Mutex<mpsc::Sender<Request>> {
    static SPAWNER: OnceLock<Mutex<mpsc::Sender<Request>>> = OnceLock::new();
    SPAWNER.get_or_init(|| {
        let (requests, received) = mpsc::channel::<Request>();
        // Children of actors that have exited become ours, to be waited for like any other.
        ok("prctl", set_child_subreaper(Some(getpid())));
        let serve = move || {
            for Request { how, commands, answer } in received {
                let started = body::start(how.flags, how.pid, &commands);
                let _ = answer.send(started);
            }
        };
        ok("thread", thread::Builder::new().name("witgate-forks".to_owned()).spawn(serve));
        Mutex::new(requests)
    })
}

#[track_caller]
pub(super) fn command_sockets() -> (OwnedFd, OwnedFd) {
    let flags = SocketFlags::CLOEXEC;
    ok("socketpair", socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None))
}
