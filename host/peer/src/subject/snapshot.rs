//! The second half of the procedure: what must be the same at the end.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rustix::io::Errno;

use super::{Subject, identify};
use crate::{
    error::{Change, PeerError},
    limits, namespaces, parse,
};

/// What the facts that were collected rest upon.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// The text of `cgroup`; none before the first collect.
    pub(crate) cgroup: Option<Arc<[u8]>>,
    /// Inode of its mount namespace, where we may read it.
    pub(crate) mount_namespace: Option<u64>,
    /// Inode of its user namespace, where it was read.
    pub(crate) user_namespace: Option<u64>,
    /// What it runs, where a fact of it was read.
    pub(crate) image: Option<Image>,
}

/// What `/proc/<pid>/exe` leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) link: Vec<u8>,
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

/// A `cgroup` text that [`Subject::bucket`] read is good for a collect that follows at once: that
/// it still holds is compared at the end either way.
const FRESH: Duration = Duration::from_millis(100);

/// The current snapshot of a subject.
#[derive(Debug, Default)]
pub(super) struct Snapshots(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    current: Arc<Snapshot>,
    cgroup: Option<(Instant, Arc<[u8]>)>,
}

impl Snapshots {
    // A panic between two assignments of plain values leaves both whole, so poison is no news.
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn keep_cgroup(&self, text: Arc<[u8]>) -> Arc<[u8]> {
        self.state().cgroup = Some((Instant::now(), Arc::clone(&text)));
        text
    }

    fn take_cgroup(&self) -> Option<Arc<[u8]>> {
        let (read, text) = self.state().cgroup.take()?;
        (read.elapsed() < FRESH).then_some(text)
    }

    pub(super) fn store(&self, snapshot: Arc<Snapshot>) {
        self.state().current = snapshot;
    }

    pub(super) fn current(&self) -> Arc<Snapshot> {
        Arc::clone(&self.state().current)
    }
}

impl<S> Subject<S> {
    pub(super) fn read_cgroup(&self) -> Result<Arc<[u8]>, PeerError> {
        match self.directory().read(c"cgroup", limits::CGROUP_FILE) {
            Ok(text) => Ok(text.into()),
            Err(errno) => Err(self.unreadable(errno)),
        }
    }

    /// The `cgroup` text that [`Subject::bucket`] has just read, or a new one.
    pub(crate) fn fresh_cgroup(&self) -> Result<Arc<[u8]>, PeerError> {
        self.snapshots.take_cgroup().map_or_else(|| self.read_cgroup(), Ok)
    }

    /// The inode of its mount namespace, none where we may not read it; refuses a process whose main
    /// thread has ended.
    ///
    /// A thread that has ended has left its namespaces, so a readable link says that it has not; the
    /// state letter is asked for only otherwise, for it is in a file that is slow to make.
    pub(crate) fn attestable(&self) -> Result<Option<u64>, PeerError> {
        match namespaces::inode(self.directory(), c"ns/mnt") {
            Ok(inode) => return Ok(Some(inode)),
            Err(Errno::SRCH) => return Err(self.unreadable(Errno::SRCH)),
            Err(_) => (),
        }
        let text = self
            .directory()
            .read(c"stat", limits::STAT_FILE)
            .map_err(|errno| self.unreadable(errno))?;
        match parse::stat(&text) {
            Some(stat) if !matches!(stat.state, 'Z' | 'X' | 'x') => Ok(None),
            _ => self.ensure_alive().and(Err(PeerError::Unattestable)),
        }
    }

    /// The process is as `before`. Everything between the two looks at the pidfd is about it.
    pub(crate) fn look_again(&self, before: &Snapshot) -> Result<(), PeerError> {
        self.ensure_alive()?;
        let result = self.compare(before);
        self.ensure_alive()?;
        result
    }

    fn compare(&self, before: &Snapshot) -> Result<(), PeerError> {
        identify::unchanged(&self.who.ids, &identify::ids_now(&self.kernel, &self.who)?)?;
        // Before the cgroup, which a main thread leaves when it ends.
        let mount_namespace = self.attestable()?;
        if before.mount_namespace.is_some() {
            same(Change::MountNamespace, mount_namespace == before.mount_namespace)?;
        }
        if let Some(text) = &before.cgroup {
            same(Change::Cgroup, *text == self.read_cgroup()?)?;
        }
        if let Some(inode) = before.user_namespace {
            let now = namespaces::inode(self.directory(), c"ns/user");
            same(Change::UserNamespace, now == Ok(inode))?;
        }
        if let Some(image) = &before.image {
            same(Change::Executable, self.directory().image().as_ref() == Ok(image))?;
        }
        Ok(())
    }
}

const fn same(change: Change, is: bool) -> Result<(), PeerError> {
    if is { Ok(()) } else { Err(PeerError::SubjectChanged { change }) }
}
