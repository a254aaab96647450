//! The first half of the procedure: from a socket to a process that is pinned.
//!
//! 1. `SO_PEERCRED`: a pid above 0, a uid that means something here.
//! 2. `SO_PEERPIDFD`: any error refuses.
//! 3. The pidfd says alive. (A dead peer yields a pidfd too.)
//! 4. The process has the ids that the socket has: else it, or one of its threads, changed them.
//! 5. `/proc/<pid>` is opened, and the pidfd says alive *again*: so that directory is this process.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

use rustix::io::Errno;
use witgate_facts::{Credentials, FactError, FactResult};

use super::directory::Held;
use crate::{
    error::{Id, PeerError, Step, Stranger},
    limits, parse,
    pid::Pid,
    probe::{Kernel, Tier},
    process_directory::ProcessDirectory,
    sys::Ids,
};

/// A pinned process.
#[derive(Debug)]
pub(super) struct Identified {
    pub(super) pid: Pid,
    pub(super) pidfd: Arc<OwnedFd>,
    pub(super) directory: Held,
    pub(super) credentials: Credentials,
    pub(super) label: FactResult<String>,
    /// As they were when it was pinned.
    pub(super) ids: Ids,
}

pub(super) fn connected(socket: BorrowedFd<'_>, kernel: &Kernel) -> Result<Identified, PeerError> {
    if !kernel.may_serve() {
        return Err(PeerError::UnsupportedKernel { missing: "SO_PEERPIDFD" });
    }
    let (pid, mut credentials) = socket_credentials(socket, kernel)?;
    let pidfd = peer_pidfd(socket, pid, kernel)?;
    ensure_alive(kernel, &pidfd)?;
    let (directory, ids) = pin(pid, &pidfd, kernel)?;
    agree(pid, &credentials, &ids)?;
    credentials.groups = kernel
        .sys
        .peer_groups(socket)
        .map_err(|errno| PeerError::of_errno(Step::PeerGroups, errno))?;
    credentials.groups.sort_unstable();
    let label = label(socket, kernel);
    let (pidfd, directory) = (Arc::new(pidfd), Held::new(directory));
    Ok(Identified { pid, pidfd, directory, credentials, label, ids })
}

pub(super) fn observed(pid: Pid, kernel: &Kernel) -> Result<Identified, PeerError> {
    by_number(pid, open_by_number(pid, kernel)?, kernel)
}

/// Whoever this pidfd names. The number is read off it, never taken from whoever passed it.
pub(super) fn delegated(pidfd: OwnedFd, kernel: &Kernel) -> Result<Identified, PeerError> {
    if !kernel.may_serve() {
        return Err(PeerError::UnsupportedKernel { missing: "SO_PEERPIDFD" });
    }
    let number = kernel
        .sys
        .number_of(pidfd.as_fd())
        .map_err(|errno| PeerError::of_errno(Step::PidfdInfo, errno))?;
    match number {
        // How the kernel writes one that has been reaped.
        -1 => Err(PeerError::PeerExited),
        number => {
            let unknown = PeerError::PeerUnknown { why: Stranger::ForeignPidNamespace };
            let who = by_number(Pid::new(number).ok_or(unknown)?, pidfd, kernel)?;
            if kernel.overflow_uid() == Some(who.credentials.uid) {
                return Err(PeerError::PeerUnknown { why: Stranger::UnmappedUid });
            }
            Ok(who)
        }
    }
}

/// The ids are those of now: nobody connected.
fn by_number(pid: Pid, pidfd: OwnedFd, kernel: &Kernel) -> Result<Identified, PeerError> {
    ensure_alive(kernel, &pidfd)?;
    let (directory, ids) = pin(pid, &pidfd, kernel)?;
    // It is the number of a thread.
    if ids.tgid != pid.as_u32() {
        return Err(PeerError::PeerExited);
    }
    let status = directory.read(c"status", limits::STATUS_FILE);
    // Before the error of reading it, which is another one where the process is gone.
    ensure_alive(kernel, &pidfd)?;
    let status = status.map_err(|errno| PeerError::of_errno(Step::ProcessFile, errno))?;
    let malformed = PeerError::Kernel { step: Step::ProcessFile, source: Errno::BADMSG };
    let mut groups = parse::groups(&status).ok_or(malformed)?;
    groups.sort_unstable();
    let credentials = Credentials { uid: ids.euid, gid: ids.egid, groups };
    let label = Err(FactError::Unsupported);
    let (pidfd, directory) = (Arc::new(pidfd), Held::new(directory));
    Ok(Identified { pid, pidfd, directory, credentials, label, ids })
}

fn socket_credentials(
    socket: BorrowedFd<'_>,
    kernel: &Kernel,
) -> Result<(Pid, Credentials), PeerError> {
    let found = kernel
        .sys
        .peer_credentials(socket)
        .map_err(|errno| PeerError::of_errno(Step::PeerCredentials, errno))?;
    let unknown = |why| PeerError::PeerUnknown { why };
    if found.uid == u32::MAX {
        return Err(unknown(Stranger::NoPeer));
    }
    let pid = Pid::new(found.pid).ok_or_else(|| unknown(Stranger::ForeignPidNamespace))?;
    if kernel.overflow_uid() == Some(found.uid) {
        return Err(unknown(Stranger::UnmappedUid));
    }
    Ok((pid, Credentials { uid: found.uid, gid: found.gid, groups: Vec::new() }))
}

fn peer_pidfd(socket: BorrowedFd<'_>, pid: Pid, kernel: &Kernel) -> Result<OwnedFd, PeerError> {
    if kernel.tier() == Tier::C {
        return open_by_number(pid, kernel);
    }
    kernel.sys.peer_pidfd(socket).map_err(|errno| match errno {
        Errno::NODATA => PeerError::PeerUnknown { why: Stranger::NoPeer },
        // The probe has shown that the option is known; from 6.5 to 6.15 this means reaped.
        Errno::INVAL => PeerError::PeerExited,
        Errno::NOPROTOOPT => PeerError::UnsupportedKernel { missing: "SO_PEERPIDFD" },
        other => PeerError::of_errno(Step::PeerPidfd, other),
    })
}

fn open_by_number(pid: Pid, kernel: &Kernel) -> Result<OwnedFd, PeerError> {
    kernel.sys.pidfd_open(pid).map_err(|errno| match errno {
        // The number of a thread: no process has it.
        Errno::INVAL | Errno::NOENT => PeerError::PeerExited,
        other => PeerError::of_errno(Step::PidfdOpen, other),
    })
}

/// Opens the directory between two looks at the pidfd, the first of which the caller has had.
fn pin(
    pid: Pid,
    pidfd: &OwnedFd,
    kernel: &Kernel,
) -> Result<(Arc<ProcessDirectory>, Ids), PeerError> {
    let ids_of_pidfd = match kernel.tier() {
        Tier::A => Some(ids_of_pidfd(kernel, pidfd)?),
        Tier::B | Tier::C => None,
    };
    let directory = open_directory(pid, pidfd, kernel)?;
    let ids = ids_of_pidfd.map_or_else(|| ids_of_status(&directory), Ok);
    ensure_alive(kernel, pidfd)?;
    Ok((directory, ids?))
}

/// The directory of whoever has the number; that it is this process the caller finds by a look at the
/// pidfd afterwards.
pub(super) fn open_directory(
    pid: Pid,
    pidfd: &OwnedFd,
    kernel: &Kernel,
) -> Result<Arc<ProcessDirectory>, PeerError> {
    let directory = match kernel.sys.open_process(pid) {
        Ok(directory) => ProcessDirectory::new(directory, Arc::clone(&kernel.sys)),
        Err(Errno::NOENT) => return Err(hidden(kernel, pidfd)),
        Err(errno) => return Err(PeerError::of_errno(Step::ProcessDirectory, errno)),
    };
    // To open a directory by its name only takes no right to it; to look at what is in it does.
    if let Err(Errno::NOENT | Errno::PERM | Errno::ACCESS) = directory.stat(c"cgroup") {
        return Err(hidden(kernel, pidfd));
    }
    Ok(Arc::new(directory))
}

/// It is not to be found in `/proc`, or it is gone.
fn hidden(kernel: &Kernel, pidfd: &OwnedFd) -> PeerError {
    ensure_alive(kernel, pidfd).err().unwrap_or(PeerError::Hidden)
}

/// Its ids now, by the best means of the tier. The caller looks at the pidfd afterwards.
pub(super) fn ids_now(
    kernel: &Kernel,
    pidfd: &OwnedFd,
    directory: &ProcessDirectory,
) -> Result<Ids, PeerError> {
    match kernel.tier() {
        Tier::A => ids_of_pidfd(kernel, pidfd),
        Tier::B | Tier::C => ids_of_status(directory),
    }
}

fn ids_of_pidfd(kernel: &Kernel, pidfd: &OwnedFd) -> Result<Ids, PeerError> {
    kernel.sys.pidfd_ids(pidfd.as_fd()).map_err(|errno| match errno {
        Errno::REMOTE => PeerError::PeerUnknown { why: Stranger::ForeignPidNamespace },
        other => PeerError::of_errno(Step::PidfdInfo, other),
    })
}

fn ids_of_status(directory: &ProcessDirectory) -> Result<Ids, PeerError> {
    let status = directory
        .read(c"status", limits::STATUS_FILE)
        .map_err(|errno| PeerError::of_errno(Step::ProcessFile, errno))?;
    parse::ids(&status).ok_or(PeerError::Kernel { step: Step::ProcessFile, source: Errno::BADMSG })
}

/// The process has the ids that the socket has.
fn agree(pid: Pid, socket: &Credentials, now: &Ids) -> Result<(), PeerError> {
    same(Id::Process, pid.as_u32(), now.tgid)?;
    same(Id::EffectiveUser, socket.uid, now.euid)?;
    same(Id::EffectiveGroup, socket.gid, now.egid)
}

/// The process has the ids that it had when it was pinned. File system ids may differ: they are
/// switched by servers that act for others, and name nobody.
pub(super) fn unchanged(before: &Ids, now: &Ids) -> Result<(), PeerError> {
    same(Id::Process, before.tgid, now.tgid)?;
    same(Id::EffectiveUser, before.euid, now.euid)?;
    same(Id::EffectiveGroup, before.egid, now.egid)?;
    same(Id::RealUser, before.ruid, now.ruid)?;
    same(Id::RealGroup, before.rgid, now.rgid)?;
    same(Id::SavedUser, before.suid, now.suid)?;
    same(Id::SavedGroup, before.sgid, now.sgid)
}

fn same(id: Id, expected: u32, found: u32) -> Result<(), PeerError> {
    if expected == found {
        return Ok(());
    }
    Err(PeerError::CredentialsChanged { id, expected, found })
}

pub(super) fn ensure_alive(kernel: &Kernel, pidfd: &OwnedFd) -> Result<(), PeerError> {
    match kernel.sys.pidfd_exited(pidfd.as_fd()) {
        Ok(false) => Ok(()),
        Ok(true) => Err(PeerError::PeerExited),
        Err(errno) => Err(PeerError::of_errno(Step::PidfdPoll, errno)),
    }
}

/// The label of the socket, where this host's sockets have one.
fn label(socket: BorrowedFd<'_>, kernel: &Kernel) -> FactResult<String> {
    if !kernel.labels() {
        return Err(FactError::Unsupported);
    }
    match kernel.sys.peer_label(socket) {
        Ok(label) => String::from_utf8(label).map_err(|_| FactError::Io("not UTF-8".to_owned())),
        Err(Errno::RANGE) => Err(FactError::TooLarge),
        Err(Errno::NOPROTOOPT) => Err(FactError::Unsupported),
        Err(errno) => Err(crate::error::fact_error(errno)),
    }
}
