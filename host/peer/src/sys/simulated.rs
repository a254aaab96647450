//! This kernel, answering like an older one, an exhausted one, or one seen from elsewhere.

use std::{
    collections::HashMap,
    ffi::CStr,
    fmt,
    os::fd::{BorrowedFd, OwnedFd},
    sync::{Arc, Mutex},
};

use rustix::io::Errno;
use witgate_facts::FileKind;

use super::{ExecEvent, FileStat, Ids, Kind, Linux, Open, SocketCredentials, Sys};
use crate::pid::Pid;

/// A method of [`Sys`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Call {
    ExecEvent,
    FileSystem,
    HasAccessList,
    PeerCredentials,
    PeerGroups,
    PeerPidfd,
    PidfdOpen,
    PidfdExited,
    PidfdIds,
    OpenProcess,
    OpenAt,
    OpenBelow,
    ReadLinkAt,
    Reopen,
}

/// The real kernel but for what a test says.
#[derive(Debug, Default)]
pub(crate) struct Simulated {
    failing: Mutex<HashMap<Call, Errno>>,
    credentials: Mutex<Option<SocketCredentials>>,
    own_status: Mutex<Option<Vec<u8>>>,
    before: Mutex<Option<(Call, Event)>>,
}

/// What a test has happen in the middle of a call.
struct Event(Box<dyn FnOnce() + Send>);

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Event")
    }
}

impl Simulated {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn fail(&self, call: Call, errno: Errno) {
        self.failing.lock().unwrap().insert(call, errno);
    }

    pub(crate) fn heal(&self) {
        self.failing.lock().unwrap().clear();
    }

    pub(crate) fn peer(&self, credentials: SocketCredentials) {
        *self.credentials.lock().unwrap() = Some(credentials);
    }

    pub(crate) fn own_status(&self, text: &[u8]) {
        *self.own_status.lock().unwrap() = Some(text.to_vec());
    }

    /// What somebody else does just before the next call of this kind.
    pub(crate) fn before(&self, call: Call, happens: impl FnOnce() + Send + 'static) {
        *self.before.lock().unwrap() = Some((call, Event(Box::new(happens))));
    }

    fn check(&self, call: Call) -> Result<(), Errno> {
        if let Some((_, event)) = self.before.lock().unwrap().take_if(|(kind, _)| *kind == call) {
            (event.0)();
        }
        self.failing.lock().unwrap().get(&call).map_or(Ok(()), |errno| Err(*errno))
    }
}

impl Sys for Simulated {
    fn peer_credentials(&self, socket: BorrowedFd<'_>) -> Result<SocketCredentials, Errno> {
        self.check(Call::PeerCredentials)?;
        let simulated = *self.credentials.lock().unwrap();
        simulated.map_or_else(|| Linux.peer_credentials(socket), Ok)
    }
    fn peer_groups(&self, socket: BorrowedFd<'_>) -> Result<Vec<u32>, Errno> {
        self.check(Call::PeerGroups)?;
        Linux.peer_groups(socket)
    }
    fn peer_label(&self, socket: BorrowedFd<'_>) -> Result<Vec<u8>, Errno> {
        Linux.peer_label(socket)
    }
    fn peer_pidfd(&self, socket: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
        self.check(Call::PeerPidfd)?;
        Linux.peer_pidfd(socket)
    }
    fn pidfd_open(&self, pid: Pid) -> Result<OwnedFd, Errno> {
        self.check(Call::PidfdOpen)?;
        Linux.pidfd_open(pid)
    }
    fn kind(&self, fd: BorrowedFd<'_>) -> Result<Kind, Errno> {
        Linux.kind(fd)
    }
    fn number_of(&self, pidfd: BorrowedFd<'_>) -> Result<i32, Errno> {
        Linux.number_of(pidfd)
    }
    fn exec_event(&self, pid: Pid) -> Result<Arc<ExecEvent>, Errno> {
        self.check(Call::ExecEvent)?;
        Linux.exec_event(pid)
    }
    fn exec_happened(&self, event: &ExecEvent) -> Result<bool, Errno> {
        Linux.exec_happened(event)
    }
    fn pidfd_exited(&self, pidfd: BorrowedFd<'_>) -> Result<bool, Errno> {
        self.check(Call::PidfdExited)?;
        Linux.pidfd_exited(pidfd)
    }
    fn pidfd_ids(&self, pidfd: BorrowedFd<'_>) -> Result<Ids, Errno> {
        self.check(Call::PidfdIds)?;
        Linux.pidfd_ids(pidfd)
    }
    fn open_process(&self, pid: Pid) -> Result<OwnedFd, Errno> {
        self.check(Call::OpenProcess)?;
        Linux.open_process(pid)
    }
    fn open_at(&self, dir: BorrowedFd<'_>, path: &CStr, how: Open) -> Result<OwnedFd, Errno> {
        self.check(Call::OpenAt)?;
        Linux.open_at(dir, path, how)
    }
    fn open_cached(&self, path: &CStr) -> Result<OwnedFd, Errno> {
        Linux.open_cached(path)
    }
    fn open_named(&self, path: &CStr) -> Result<OwnedFd, Errno> {
        Linux.open_named(path)
    }
    fn open_below(&self, dir: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
        self.check(Call::OpenBelow)?;
        Linux.open_below(dir, name)
    }
    fn has_access_list(&self, named: BorrowedFd<'_>) -> Result<bool, Errno> {
        self.check(Call::HasAccessList)?;
        Linux.has_access_list(named)
    }
    fn reopen(&self, named: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
        self.check(Call::Reopen)?;
        Linux.reopen(named)
    }
    fn list(&self, dir: BorrowedFd<'_>, limit: usize) -> Result<Vec<(Vec<u8>, FileKind)>, Errno> {
        Linux.list(dir, limit)
    }
    fn own_uid(&self) -> u32 {
        Linux.own_uid()
    }
    fn host_file(&self, path: &CStr) -> Result<Vec<u8>, Errno> {
        match &*self.own_status.lock().unwrap() {
            Some(text) if path == c"/proc/self/status" => Ok(text.clone()),
            _ => Linux.host_file(path),
        }
    }
    fn read(&self, file: BorrowedFd<'_>, into: &mut [u8]) -> Result<usize, Errno> {
        Linux.read(file, into)
    }
    fn read_again(&self, file: BorrowedFd<'_>, into: &mut [u8]) -> Result<usize, Errno> {
        Linux.read_again(file, into)
    }
    fn read_link_at(
        &self,
        dir: BorrowedFd<'_>,
        path: &CStr,
        into: &mut [u8],
    ) -> Result<usize, Errno> {
        self.check(Call::ReadLinkAt)?;
        Linux.read_link_at(dir, path, into)
    }
    fn stat_at(&self, dir: BorrowedFd<'_>, path: &CStr) -> Result<FileStat, Errno> {
        Linux.stat_at(dir, path)
    }
    fn mount_id(&self, file: BorrowedFd<'_>) -> Result<u64, Errno> {
        Linux.mount_id(file)
    }
    fn file_system(&self, file: BorrowedFd<'_>) -> Result<u64, Errno> {
        self.check(Call::FileSystem)?;
        Linux.file_system(file)
    }
}
