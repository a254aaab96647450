//! What this kernel can do, found once at start by trying it, never by a version number.

mod capabilities;
mod privileges;

use std::{
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
    sync::Arc,
};

use rustix::io::Errno;

pub use self::privileges::{Need, Privilege};
use crate::{
    error::{ProbeError, Step},
    namespaces, parse,
    sys::{self, Linux, Sys},
};

/// How a peer is told from its successor, strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tier {
    /// The socket gives a pidfd, and the pidfd gives the ids (Linux 6.13).
    A,
    /// The socket gives a pidfd; ids come from `/proc` between two looks at it (Linux 6.5).
    B,
    /// The pidfd is opened by number. A peer that exits before that can be taken for its successor:
    /// only with `allow_legacy_kernel`.
    C,
}

impl Tier {
    /// The letter.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
        }
    }
}

impl std::fmt::Display for Tier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that this host lets the daemon do, or not. For `witgate doctor`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Capability {
    /// A short name that stays the same.
    pub name: &'static str,
    /// Whether it is there.
    pub present: bool,
    /// What a host pays that does not have it.
    pub cost: &'static str,
    /// What was found here, for people.
    pub found: String,
}

/// The kernel below this daemon. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Kernel {
    pub(crate) sys: Arc<dyn Sys>,
    tier: Tier,
    allow_legacy: bool,
    overflow_uid: Option<u32>,
    labels: bool,
    capabilities: Arc<[Capability]>,
}

impl Kernel {
    /// Tries everything on a socket of our own.
    ///
    /// # Errors
    /// Where a call says neither yes nor no (out of descriptors, a filter on system calls), or
    /// `/proc` is not that of our own pid namespace. A kernel that lacks something is no error.
    pub fn probe() -> Result<Self, ProbeError> {
        Self::probe_with(Arc::new(Linux))
    }

    /// The same kernel, where tier C may serve or not. It may not by default.
    #[must_use]
    pub const fn allow_legacy(mut self, allow: bool) -> Self {
        self.allow_legacy = allow;
        self
    }

    /// How a peer is told from its successor here.
    #[must_use]
    pub const fn tier(&self) -> Tier {
        self.tier
    }

    /// What this host lets us do, and what it costs where it does not.
    #[must_use]
    pub fn capabilities(&self) -> &[Capability] {
        &self.capabilities
    }

    /// The capabilities of capabilities(7) that this process holds, of those that it makes use of.
    #[must_use]
    pub fn privileges(&self) -> Vec<Privilege> {
        privileges::held(capabilities::effective(&*self.sys))
    }

    /// Whether a subject may be made from a socket at all.
    #[must_use]
    pub const fn may_serve(&self) -> bool {
        !matches!(self.tier, Tier::C) || self.allow_legacy
    }

    /// Sockets carry an LSM label.
    pub(crate) const fn labels(&self) -> bool {
        self.labels
    }

    /// The uid that stands for all those that our user namespace has no number for; none if ours
    /// has all.
    pub(crate) const fn overflow_uid(&self) -> Option<u32> {
        self.overflow_uid
    }

    pub(crate) fn probe_with(sys: Arc<dyn Sys>) -> Result<Self, ProbeError> {
        own_proc(&*sys)?;
        let (ours, _peer) = UnixStream::pair().map_err(|source| ProbeError::Socket { source })?;
        let tier = tier(&*sys, ours.as_fd())?;
        let labels = sys.peer_label(ours.as_fd()).is_ok_and(|label| !label.is_empty());
        let initial = namespaces::is_initial(&*sys, "user");
        let overflow_uid = (!initial).then(|| overflow_uid(&*sys));
        let refuses_rights = sys::take_rights(ours.as_fd(), false) == Ok(true);
        let capabilities = capabilities::list(&*sys, tier, labels, refuses_rights).into();
        Ok(Self { sys, tier, allow_legacy: false, overflow_uid, labels, capabilities })
    }
}

/// Is `/proc` there, and of our own pid namespace? Else the numbers of sockets and those of `/proc`
/// name different processes.
fn own_proc(sys: &dyn Sys) -> Result<(), ProbeError> {
    let foreign = |found: String| ProbeError::ForeignProc { found };
    let status = sys
        .host_file(c"/proc/self/status")
        .map_err(|errno| foreign(format!("/proc/self/status: {errno}")))?;
    match parse::status_field(&status, b"NSpid") {
        // One number for each namespace from that of this /proc down to our own.
        Some(pids) if pids.split_ascii_whitespace().count() == 1 => Ok(()),
        found => Err(foreign(format!("NSpid {found:?}"))),
    }
}

fn tier(sys: &dyn Sys, socket: BorrowedFd<'_>) -> Result<Tier, ProbeError> {
    let pidfd = match sys.peer_pidfd(socket) {
        Ok(pidfd) => pidfd,
        // The peer is ourselves and alive, so EINVAL cannot mean "reaped" here.
        Err(Errno::NOPROTOOPT | Errno::INVAL | Errno::OPNOTSUPP) => return Ok(Tier::C),
        Err(source) => return Err(ProbeError::Undecided { step: Step::PeerPidfd, source }),
    };
    match sys.pidfd_ids(pidfd.as_fd()) {
        Ok(_) => Ok(Tier::A),
        Err(Errno::NOTTY | Errno::INVAL | Errno::OPNOTSUPP | Errno::NODATA) => Ok(Tier::B),
        Err(source) => Err(ProbeError::Undecided { step: Step::PidfdInfo, source }),
    }
}

fn overflow_uid(sys: &dyn Sys) -> u32 {
    let text = sys.host_file(c"/proc/sys/kernel/overflowuid").unwrap_or_default();
    std::str::from_utf8(&text).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(65_534)
}
