use std::fmt;

use rustix::io::Errno;
use witgate_facts::FactError;
use witgate_identity::Fault;

use crate::stream::Sender;

/// What the daemon was doing when the kernel said no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// `SO_PEERCRED`.
    PeerCredentials,
    /// `SO_PEERGROUPS`.
    PeerGroups,
    /// `SO_PEERSEC`.
    PeerLabel,
    /// `SO_PEERPIDFD`.
    PeerPidfd,
    /// `pidfd_open`.
    PidfdOpen,
    /// `poll` of the pidfd.
    PidfdPoll,
    /// `PIDFD_GET_INFO`.
    PidfdInfo,
    /// Opening `/proc/<pid>`.
    ProcessDirectory,
    /// Reading a file below `/proc/<pid>`.
    ProcessFile,
    /// `perf_event_open` of the exec watch.
    ExecEvent,
    /// `getrandom`, for a challenge.
    RandomNumbers,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PeerCredentials => "SO_PEERCRED",
            Self::PeerGroups => "SO_PEERGROUPS",
            Self::PeerLabel => "SO_PEERSEC",
            Self::PeerPidfd => "SO_PEERPIDFD",
            Self::PidfdOpen => "pidfd_open",
            Self::PidfdPoll => "poll of the pidfd",
            Self::PidfdInfo => "PIDFD_GET_INFO",
            Self::ProcessDirectory => "opening /proc/<pid>",
            Self::ProcessFile => "reading below /proc/<pid>",
            Self::ExecEvent => "perf_event_open",
            Self::RandomNumbers => "getrandom",
        })
    }
}

/// An id that must not change while a process is being attested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Id {
    /// Thread group, what the rest of the world calls pid.
    Process,
    /// Effective user.
    EffectiveUser,
    /// Effective group.
    EffectiveGroup,
    /// Real user.
    RealUser,
    /// Real group.
    RealGroup,
    /// Saved user.
    SavedUser,
    /// Saved group.
    SavedGroup,
}

/// What about the subject is not as it was when its facts were collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Change {
    /// It was moved to another cgroup.
    Cgroup,
    /// It entered another mount namespace.
    MountNamespace,
    /// It entered another user namespace.
    UserNamespace,
    /// It entered another namespace of another kind.
    OtherNamespace,
    /// What it may do, or could come to do, is not what it was.
    Privileges,
    /// It runs another file.
    Executable,
    /// It has begun another program, be it the same file.
    Program,
}

/// Why the kernel does not say who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stranger {
    /// Its pid reads as 0: it lives in a pid namespace that the daemon cannot see into.
    ForeignPidNamespace,
    /// Its uid has no meaning in the daemon's user namespace.
    UnmappedUid,
    /// The socket has no peer process.
    NoPeer,
}

/// Why there is no [`crate::Subject`], or why it can no longer be answered.
///
/// An errno is translated here once, where the call was made. None of these is ever answered with a
/// weaker way of finding out who the peer is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// The process that connected has exited, reaped or not.
    #[error("the process that connected has exited")]
    PeerExited,
    /// The process changed its user or groups since it connected.
    #[error("{id:?} was {expected} and is {found}")]
    CredentialsChanged {
        /// Which id.
        id: Id,
        /// As the socket has it.
        expected: u32,
        /// As the process has it now.
        found: u32,
    },
    /// The kernel does not say who connected.
    #[error("the kernel does not say who connected: {why:?}")]
    PeerUnknown {
        /// What it says instead.
        why: Stranger,
    },
    /// Its main thread has ended while others live on, so there is no image to look at.
    #[error("the main thread of the process has ended")]
    Unattestable,
    /// It is alive, but `/proc` does not show it to the daemon (`hidepid`).
    #[error(
        "/proc does not show the process to the daemon: mount it without hidepid, or with gid= and the \
         daemon in that group"
    )]
    Hidden,
    /// This kernel cannot identify a peer, and `allow_legacy_kernel` is off.
    #[error("this kernel has no {missing}, so a peer could not be told from its successor")]
    UnsupportedKernel {
        /// The capability it lacks.
        missing: &'static str,
    },
    /// The daemon or the host is out of descriptors or memory.
    #[error("{step} failed: the daemon is out of descriptors or memory")]
    HostExhausted {
        /// Where.
        step: Step,
        /// What the kernel said.
        #[source]
        source: Errno,
    },
    /// The subject is not as it was when its facts were collected.
    #[error("{change:?} changed since the facts were collected")]
    SubjectChanged {
        /// What changed.
        change: Change,
    },
    /// Another process than the one that connected wrote on the connection.
    #[error(
        "process {} of uid {} wrote on the connection, which it did not open",
        sender.pid, sender.uid
    )]
    SenderDiffers {
        /// Who.
        sender: Sender,
    },
    /// A value bound to one subject was offered to another: a fault of the daemon.
    #[error("the value belongs to another subject")]
    OtherSubject,
    /// Something that the kernel does not document for this step.
    #[error("{step} failed")]
    Kernel {
        /// Where.
        step: Step,
        /// What the kernel said.
        #[source]
        source: Errno,
    },
}

impl PeerError {
    /// One word for logs, metrics and answers.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::PeerExited => "peer_exited",
            Self::CredentialsChanged { .. } => "credentials_changed",
            Self::PeerUnknown { .. } => "peer_unknown",
            Self::Unattestable | Self::Hidden => "unattestable",
            Self::UnsupportedKernel { .. } => "unsupported_kernel",
            Self::HostExhausted { .. } => "host_exhausted",
            Self::SubjectChanged { .. } => "subject_changed",
            Self::SenderDiffers { .. } => "sender_differs",
            Self::OtherSubject | Self::Kernel { .. } => "internal",
        }
    }

    /// Whom it blames.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::PeerExited
            | Self::CredentialsChanged { .. }
            | Self::PeerUnknown { .. }
            | Self::Unattestable
            | Self::SenderDiffers { .. }
            | Self::SubjectChanged { .. } => Fault::Workload,
            Self::Hidden | Self::UnsupportedKernel { .. } => Fault::Operator,
            Self::HostExhausted { .. } | Self::OtherSubject | Self::Kernel { .. } => Fault::Host,
        }
    }

    /// What is left of an errno once those with a meaning of their own at `step` are dealt with.
    pub(crate) const fn of_errno(step: Step, source: Errno) -> Self {
        match source {
            Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::NOBUFS => {
                Self::HostExhausted { step, source }
            }
            Errno::SRCH => Self::PeerExited,
            _ => Self::Kernel { step, source },
        }
    }
}

/// What an errno from reading below `/proc/<pid>` means for one fact.
pub(crate) fn fact_error(errno: Errno) -> FactError {
    match errno {
        Errno::SRCH => FactError::Gone,
        Errno::ACCESS | Errno::PERM => FactError::Denied,
        Errno::NOENT | Errno::OPNOTSUPP => FactError::Unsupported,
        other => FactError::Io(other.to_string()),
    }
}

/// Why the start-up probe could not finish. The daemon does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// A socket or descriptor of our own could not be made.
    #[error("cannot make a socket to probe the kernel with")]
    Socket {
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
    /// A system call failed in a way that says neither yes nor no.
    #[error("{step} on a socket of our own failed")]
    Undecided {
        /// Which one.
        step: Step,
        /// What the kernel said.
        #[source]
        source: Errno,
    },
    /// `/proc` is not mounted, or shows another pid namespace than ours.
    #[error("/proc does not show the daemon's own pid namespace: {found}")]
    ForeignProc {
        /// What was there.
        found: String,
    },
}

impl ProbeError {
    /// Whom it blames.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Socket { .. } | Self::Undecided { .. } => Fault::Host,
            Self::ForeignProc { .. } => Fault::Operator,
        }
    }
}
