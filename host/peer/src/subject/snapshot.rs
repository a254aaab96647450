//! The second half of the procedure: what must be the same at the end.

use std::{
    ffi::CStr,
    os::fd::{AsFd as _, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rustix::io::Errno;
use witgate_facts::Privileges;

use super::{Subject, identify};
use crate::{
    error::{Change, PeerError},
    facts, limits, namespaces, parse,
    sys::Sys,
};

/// What the facts that were collected rest upon.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// Where it stands.
    pub(crate) cgroup: Arc<CgroupFile>,
    /// Inode of its mount namespace, where we may read it.
    pub(crate) mount_namespace: Option<u64>,
    /// Inode of its user namespace, where it was read.
    pub(crate) user_namespace: Option<u64>,
    /// Links and inodes of its other namespaces, where they were read.
    pub(crate) other_namespaces: Vec<(&'static CStr, u64)>,
    /// What it may do, where that was read.
    pub(crate) privileges: Option<Privileges>,
    /// What it runs, where a fact of it was read.
    pub(crate) image: Option<Image>,
}

/// `/proc/<pid>/cgroup`, open, and what was in it.
///
/// Reading it again costs half of opening it again, and cannot fail for want of descriptors.
#[derive(Debug)]
pub(crate) struct CgroupFile {
    file: OwnedFd,
    pub(crate) text: Vec<u8>,
}

impl CgroupFile {
    /// Whether it reads the same now.
    pub(crate) fn is_same(&self, sys: &dyn Sys) -> Result<bool, Errno> {
        // Room for one byte more, or a longer text would look the same.
        let mut now = vec![0; self.text.len() + 1];
        let length = sys.read_again(self.file.as_fd(), &mut now)?;
        Ok(now.get(..length) == Some(&self.text))
    }
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
pub(super) const FRESH: Duration = Duration::from_millis(100);

/// The text, and when it was read.
#[derive(Debug, Default)]
pub(super) struct FreshCgroup(Mutex<Option<(Instant, Arc<CgroupFile>)>>);

impl FreshCgroup {
    pub(super) fn keep(&self, text: Arc<CgroupFile>) -> Arc<CgroupFile> {
        *self.slot() = Some((Instant::now(), Arc::clone(&text)));
        text
    }

    pub(super) fn forget(&self) {
        *self.slot() = None;
    }

    fn take(&self) -> Option<Arc<CgroupFile>> {
        let (read, text) = self.slot().take()?;
        (read.elapsed() < FRESH).then_some(text)
    }

    fn slot(&self) -> MutexGuard<'_, Option<(Instant, Arc<CgroupFile>)>> {
        // One assignment of a whole value: poison is no news.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Subject<S> {
    pub(super) fn read_cgroup(&self) -> Result<Arc<CgroupFile>, PeerError> {
        match self.directory()?.read_and_keep(c"cgroup", limits::CGROUP_FILE) {
            Ok((text, file)) => Ok(Arc::new(CgroupFile { file, text })),
            Err(errno) => Err(self.unreadable(errno)),
        }
    }

    fn same_cgroup(&self, before: &CgroupFile) -> Result<bool, PeerError> {
        before.is_same(&*self.kernel.sys).map_err(|errno| self.unreadable(errno))
    }

    /// The `cgroup` text that [`Subject::bucket`] has just read, or a new one.
    pub(crate) fn fresh_cgroup(&self) -> Result<Arc<CgroupFile>, PeerError> {
        self.cgroup.take().map_or_else(|| self.read_cgroup(), Ok)
    }

    /// The inode of its mount namespace, none where we may not read it; refuses a process whose main
    /// thread has ended.
    ///
    /// A thread that has ended has left its namespaces, so a readable link says that it has not; the
    /// state letter is asked for only otherwise, for it is in a file that is slow to make.
    pub(crate) fn attestable(&self) -> Result<Option<u64>, PeerError> {
        let directory = self.directory()?;
        match namespaces::inode(&directory, c"ns/mnt") {
            Ok(inode) => return Ok(Some(inode)),
            Err(Errno::SRCH) => return Err(self.unreadable(Errno::SRCH)),
            Err(_) => (),
        }
        let text =
            directory.read(c"stat", limits::STAT_FILE).map_err(|errno| self.unreadable(errno))?;
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
        let directory = &*self.directory()?;
        let ids = identify::ids_now(&self.kernel, &self.who.pidfd, directory)?;
        identify::unchanged(&self.who.ids, &ids)?;
        // Before the cgroup, which a main thread leaves when it ends.
        let mount_namespace = self.attestable()?;
        if before.mount_namespace.is_some() {
            same(Change::MountNamespace, mount_namespace == before.mount_namespace)?;
        }
        same(Change::Cgroup, self.same_cgroup(&before.cgroup)?)?;
        if let Some(inode) = before.user_namespace {
            let now = namespaces::inode(directory, c"ns/user");
            same(Change::UserNamespace, now == Ok(inode))?;
        }
        for (link, inode) in &before.other_namespaces {
            let now = namespaces::inode(directory, link);
            same(Change::OtherNamespace, now == Ok(*inode))?;
        }
        if let Some(before) = &before.privileges {
            let now = facts::privileges(directory);
            same(Change::Privileges, now.is_ok_and(|now| may_as_much(before, &now)))?;
        }
        if let Some(image) = &before.image {
            same(Change::Executable, directory.image().as_ref() == Ok(image))?;
        }
        self.same_program()?;
        // The last look at who asked: what it wrote before is about it, whatever comes later.
        match self.senders.refused() {
            Some(sender) => Err(PeerError::SenderDiffers { sender }),
            None => Ok(()),
        }
    }
}

/// The effective set is left out: it is raised and lowered within the permitted one at any time, by
/// whoever is careful with it.
fn may_as_much(before: &Privileges, now: &Privileges) -> bool {
    *before == Privileges { effective: before.effective, ..now.clone() }
}

const fn same(change: Change, is: bool) -> Result<(), PeerError> {
    if is { Ok(()) } else { Err(PeerError::SubjectChanged { change }) }
}
