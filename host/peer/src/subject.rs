//! The process at the other end, held so that it can be recognised.

mod challenge;
mod delegated;
mod directory;
#[cfg(test)]
mod every_path;
mod exec_watch;
mod identify;
#[cfg(test)]
mod older_kernels;
mod snapshot;

use std::{
    fmt,
    marker::PhantomData,
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::io::unix::AsyncFd;
use witgate_facts::{Credentials, FactResult, FactSet};

pub(crate) use self::snapshot::{Image, Snapshot};
pub use self::{challenge::Challenge, exec_watch::ExecWatchKind};
use self::{
    exec_watch::ExecWatch,
    identify::Identified,
    snapshot::{FRESH, FreshCgroup},
};
use crate::{
    cgroups::Bucket,
    error::{PeerError, Step},
    facts::ProcessFacts,
    pid::Pid,
    probe::{Kernel, Tier},
    reader::FactReader,
    stream::{OtherSenders, Senders},
    sys,
};

/// It connected to our socket.
#[derive(Debug)]
pub struct Connected(());

/// A broker asked about it, with a descriptor that leads to it.
#[derive(Debug)]
pub struct Delegated(());

/// An operator looks at it; it did not ask, and is never answered.
#[derive(Debug)]
pub struct Observed(());

/// Tells subjects of this daemon apart, two connections of one process included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SubjectId(u64);

impl SubjectId {
    fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// The process at the other end of a socket.
///
/// It holds two descriptors, the pidfd and `/proc/<pid>`, between [`Subject::bucket`] and
/// [`Subject::collect`] a third, and the pidfd alone after a [`Subject::rest`]. It is not `Clone`: whoever may be answered has one.
pub struct Subject<S> {
    id: SubjectId,
    kernel: Kernel,
    who: Identified,
    /// The `cgroup` text that the limits were taken by, for the facts that follow.
    cgroup: FreshCgroup,
    /// Who wrote on the connection, as far as it was read.
    senders: Arc<Senders>,
    /// Opened before the first fact that says what it runs, and from then on part of every look.
    exec: OnceLock<ExecWatch>,
    challenged: AtomicBool,
    exit: OnceLock<AsyncFd<Arc<OwnedFd>>>,
    kind: PhantomData<S>,
}

impl Subject<Connected> {
    /// Who connected this socket: security is in the order of the steps, see `identify.rs`.
    ///
    /// # Errors
    /// Whenever the kernel does not say beyond doubt who it is, and that it is alive and has the
    /// credentials that it connected with.
    pub fn accept(socket: impl AsFd, kernel: &Kernel) -> Result<Self, PeerError> {
        Self::accept_with(socket, kernel, OtherSenders::Refused)
    }

    /// The same, with what is to become of bytes that another process wrote.
    ///
    /// # Errors
    /// As [`Subject::accept`].
    pub fn accept_with(
        socket: impl AsFd,
        kernel: &Kernel,
        others: OtherSenders,
    ) -> Result<Self, PeerError> {
        Ok(Self::new(kernel, identify::connected(socket.as_fd(), kernel)?, others))
    }
}

impl Subject<Observed> {
    /// The process that has this number now, for a dry run.
    ///
    /// # Errors
    /// As [`Subject::accept`]; [`PeerError::PeerExited`] if there is no such process.
    pub fn observe(pid: Pid, kernel: &Kernel) -> Result<Self, PeerError> {
        Ok(Self::new(kernel, identify::observed(pid, kernel)?, OtherSenders::Refused))
    }
}

impl<S> Subject<S> {
    fn new(kernel: &Kernel, who: Identified, others: OtherSenders) -> Self {
        Self {
            senders: Arc::new(Senders::new(who.pid, others)),
            exec: OnceLock::new(),
            challenged: AtomicBool::new(false),
            id: SubjectId::next(),
            kernel: kernel.clone(),
            who,
            cgroup: FreshCgroup::default(),
            exit: OnceLock::new(),
            kind: PhantomData,
        }
    }

    /// Its number, for people and logs.
    pub const fn pid(&self) -> Pid {
        self.who.pid
    }

    /// Effective user id, as of the connect.
    pub const fn uid(&self) -> u32 {
        self.who.credentials.uid
    }

    /// Effective group id, as of the connect.
    pub const fn gid(&self) -> u32 {
        self.who.credentials.gid
    }

    /// All its credentials, as of the connect.
    pub const fn credentials(&self) -> &Credentials {
        &self.who.credentials
    }

    /// How it was told from a successor; part of every decision.
    pub const fn tier(&self) -> Tier {
        self.kernel.tier()
    }

    /// Whether it answered a challenge and has run the same program since, and nobody else has written
    /// on its connection: then what it runs is what is asking, and not something that it became between
    /// connect and accept, nor somebody it gave the connection to.
    pub fn challenged(&self) -> bool {
        self.challenged.load(Ordering::Acquire) && self.senders.other().is_none()
    }

    /// Whose limits its requests count against, from one bounded read.
    ///
    /// # Errors
    /// [`PeerError::PeerExited`], or the file cannot be read.
    pub fn bucket(&self) -> Result<Bucket, PeerError> {
        let cgroup = self.cgroup.keep(self.read_cgroup()?);
        Ok(Bucket::new(self.uid(), &cgroup.text))
    }

    /// Whether it has not exited. Says nothing about which program it runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        matches!(self.kernel.sys.pidfd_exited(self.who.pidfd.as_fd()), Ok(false))
    }

    /// Kills it: for a process that has taken something of ours and does not go on.
    ///
    /// # Errors
    /// As pidfd_send_signal(2): it has exited, or is not ours to kill.
    pub fn kill(&self) -> std::io::Result<()> {
        use rustix::process::{Signal, pidfd_send_signal};
        Ok(pidfd_send_signal(&*self.who.pidfd, Signal::KILL)?)
    }

    /// Waits until it has exited, reaped or not. Needs a runtime with I/O and time.
    pub async fn exited(&self) {
        while self.is_alive() {
            let Some(watch) = self.exit_watch() else {
                // The event loop takes no more descriptors: look now and then instead.
                tokio::time::sleep(EXIT_POLL).await;
                continue;
            };
            match watch.readable().await {
                Ok(mut ready) if self.is_alive() => ready.clear_ready(),
                Ok(_) => return,
                Err(_) => tokio::time::sleep(EXIT_POLL).await,
            }
        }
    }

    fn exit_watch(&self) -> Option<&AsyncFd<Arc<OwnedFd>>> {
        if self.exit.get().is_none() {
            // Lost only to another task that stored the same.
            let _ = self.exit.set(sys::watch(Arc::clone(&self.who.pidfd))?);
        }
        self.exit.get()
    }

    /// Reads the wanted facts, each once; those that may hang are read when somebody asks.
    ///
    /// Ready at once unless a name must be looked up or the executable's path is not in memory.
    ///
    /// # Errors
    /// [`PeerError::PeerExited`], [`PeerError::Unattestable`], or `/proc` cannot be read at all. A
    /// single fact that cannot be read is an error of that fact only.
    pub async fn collect(
        &self,
        wanted: FactSet,
        reader: &FactReader,
    ) -> Result<Arc<ProcessFacts>, PeerError> {
        ProcessFacts::collect(self, wanted, reader).await.map(Arc::new)
    }

    /// Whether the process is still as it was when these facts were collected, for a stream between
    /// two answers. It lets nothing be answered: that takes [`Subject::confirm`].
    ///
    /// # Errors
    /// As [`Subject::confirm`].
    pub fn still_as(&self, facts: &ProcessFacts) -> Result<(), PeerError> {
        if facts.subject() != self.id {
            return Err(PeerError::OtherSubject);
        }
        self.look_again(facts.snapshot())
    }

    pub(crate) const fn id(&self) -> SubjectId {
        self.id
    }

    pub(crate) const fn pidfd(&self) -> &Arc<OwnedFd> {
        &self.who.pidfd
    }

    pub(crate) const fn senders(&self) -> &Arc<Senders> {
        &self.senders
    }

    pub(crate) const fn label(&self) -> &FactResult<String> {
        &self.who.label
    }

    pub(crate) fn ensure_alive(&self) -> Result<(), PeerError> {
        identify::ensure_alive(&self.kernel, &self.who.pidfd)
    }

    /// What reading `/proc` failing with this errno says about the whole process.
    pub(crate) fn unreadable(&self, errno: rustix::io::Errno) -> PeerError {
        match self.ensure_alive() {
            Err(error) => error,
            Ok(()) if errno == rustix::io::Errno::NOENT => PeerError::Unattestable,
            Ok(()) => PeerError::of_errno(Step::ProcessFile, errno),
        }
    }
}

/// How often a process is looked at whose exit the event loop cannot watch.
const EXIT_POLL: Duration = Duration::from_millis(50);

impl<S> fmt::Debug for Subject<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject")
            .field("pid", &self.pid())
            .field("uid", &self.uid())
            .field("gid", &self.gid())
            .field("tier", &self.tier())
            .finish_non_exhaustive()
    }
}
