//! A kernel on paper: two processes, and the calls of [`Sys`] upon them. A script says what happens
//! between which two calls, and which call fails.
//!
//! It is as unkind as a kernel may be: the number of a process that was reaped goes to another of the
//! same uid and start time; a zombie still has ids and text; what was opened of a process stays open
//! when it is gone. Host files, cgroup directories and program files do not change: what happens here
//! happens to processes.

mod machine;

use std::{
    ffi::CStr,
    os::fd::{AsRawFd as _, BorrowedFd, OwnedFd},
    sync::{Arc, Mutex, MutexGuard},
};

use rustix::{
    event::{EventfdFlags, eventfd},
    io::Errno,
};
use witgate_facts::FileKind;

pub(crate) use self::machine::{Event, Life, Process, path_of};
use self::machine::{Handle, Machine, NUMBER, USER, own_namespace};
use super::{ExecEvent, FileStat, Ids, Kind, Open, SocketCredentials, Sys};
use crate::pid::Pid;

const CGROUP2: u64 = 0x6367_7270;
const PIDFS: u64 = 0x5049_4446;

/// What kind of kernel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flavor {
    /// Pidfds tell ids (Linux 6.13).
    pub(crate) info: bool,
    /// Exec can be watched by a counter, or by the auxiliary vector.
    pub(crate) counters: bool,
    pub(crate) auxv: bool,
    /// A socket gives a pidfd of a peer that was reaped (Linux 6.16).
    pub(crate) reaped_peers: bool,
    /// What opening something of a reaped process fails with.
    pub(crate) gone: Errno,
}

/// The kernel on paper.
#[derive(Debug)]
pub(crate) struct Scripted {
    flavor: Flavor,
    /// A real one, for there is no other; what it says is made up here.
    counter: Arc<ExecEvent>,
    machine: Mutex<Machine>,
}

impl Scripted {
    pub(crate) fn new(flavor: Flavor) -> Arc<Self> {
        let own = Pid::new(std::process::id().cast_signed()).unwrap();
        let counter = Arc::new(ExecEvent::open(own).unwrap());
        let anything = Arc::new(eventfd(0, EventfdFlags::CLOEXEC).unwrap());
        Arc::new(Self { flavor, counter, machine: Mutex::new(Machine::new(anything)) })
    }

    /// Begins anew, with this script. What was opened of the host stays open.
    pub(crate) fn begin(&self, script: &[(usize, Event)]) {
        let mut machine = self.machine();
        let mut handles = std::mem::take(&mut machine.handles);
        handles.retain(|_, handle| matches!(handle, Handle::OwnDirectory | Handle::Cgroups));
        let anything = Arc::clone(&machine.anything);
        *machine = Machine { script: script.to_vec(), handles, ..Machine::new(anything) };
    }

    /// A moment in which no call is made, but something may happen.
    pub(crate) fn pass(&self) {
        let _ = self.machine().step();
    }

    /// A pidfd of the process that connected, as a broker may have opened it long ago.
    pub(crate) fn passed(&self) -> OwnedFd {
        self.machine().open(Handle::Pidfd(0))
    }

    /// Whether exec can be watched by a counter.
    pub(crate) fn counters(&self) -> bool {
        self.flavor.counters
    }

    /// How many moments there were.
    pub(crate) fn moments(&self) -> usize {
        self.machine().calls
    }

    /// What is so of the process that connected.
    pub(crate) fn peer(&self) -> Process {
        self.machine().processes[0].clone()
    }

    /// It was seen to be alive after the last time that anything was told about it.
    pub(crate) fn proved(&self) -> bool {
        let machine = self.machine();
        machine.alive > machine.told
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap()
    }

    /// The machine, if the next call does not fail.
    fn call(&self) -> Result<MutexGuard<'_, Machine>, Errno> {
        let mut machine = self.machine();
        machine.step()?;
        Ok(machine)
    }
}

fn put(text: &[u8], into: &mut [u8]) -> usize {
    let length = text.len().min(into.len());
    into[..length].copy_from_slice(&text[..length]);
    length
}

fn stat(inode: u64) -> FileStat {
    FileStat {
        device: rustix::fs::makedev(0, 30),
        inode,
        mode: 0o40755,
        uid: 0,
        gid: 0,
        links: 1,
        size: 1,
        blocks: 1,
        changed: (0, 0),
        modified: 0,
        mount: Some(1),
    }
}

impl Sys for Scripted {
    fn peer_credentials(&self, _: BorrowedFd<'_>) -> Result<SocketCredentials, Errno> {
        self.call().map(drop)?;
        Ok(SocketCredentials { pid: NUMBER, uid: USER, gid: USER })
    }
    fn peer_groups(&self, _: BorrowedFd<'_>) -> Result<Vec<u32>, Errno> {
        self.call().map(|_| vec![7])
    }
    fn peer_label(&self, _: BorrowedFd<'_>) -> Result<Vec<u8>, Errno> {
        self.call().and(Err(Errno::NOPROTOOPT))
    }
    fn peer_pidfd(&self, _: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
        let mut machine = self.call()?;
        match machine.processes[0].life {
            Life::Reaped if !self.flavor.reaped_peers => Err(Errno::INVAL),
            _ => Ok(machine.open(Handle::Pidfd(0))),
        }
    }
    fn pidfd_open(&self, _: Pid) -> Result<OwnedFd, Errno> {
        let mut machine = self.call()?;
        let owner = machine.owner.ok_or(Errno::SRCH)?;
        Ok(machine.open(Handle::Pidfd(owner)))
    }
    fn kind(&self, _: BorrowedFd<'_>) -> Result<Kind, Errno> {
        self.call().map(|_| Kind::Other(Vec::new()))
    }
    fn number_of(&self, pidfd: BorrowedFd<'_>) -> Result<i32, Errno> {
        let mut machine = self.call()?;
        let Handle::Pidfd(of) = machine.at(pidfd) else { return Err(Errno::BADF) };
        Ok(if machine.tell(of).life == Life::Reaped { -1 } else { NUMBER })
    }
    fn exec_event(&self, pid: Pid) -> Result<Arc<ExecEvent>, Errno> {
        let mut machine = self.call()?;
        if !self.flavor.counters {
            return Err(Errno::ACCESS);
        }
        if pid.as_raw() == NUMBER {
            let owner = machine.owner.ok_or(Errno::SRCH)?;
            let program = machine.tell(owner).program;
            machine.watched = Some((owner, program));
        }
        Ok(Arc::clone(&self.counter))
    }
    fn exec_happened(&self, _: &ExecEvent) -> Result<bool, Errno> {
        let mut machine = self.call()?;
        let (of, program) = machine.watched.unwrap();
        let process = machine.tell(of);
        Ok(process.life != Life::Alive || process.program != program)
    }
    fn pidfd_exited(&self, pidfd: BorrowedFd<'_>) -> Result<bool, Errno> {
        let mut machine = self.call()?;
        let Handle::Pidfd(of) = machine.at(pidfd) else { return Err(Errno::BADF) };
        let exited = machine.processes[of].life != Life::Alive;
        if !exited && of == 0 {
            machine.alive = machine.calls;
        }
        Ok(exited)
    }
    fn pidfd_ids(&self, pidfd: BorrowedFd<'_>) -> Result<Ids, Errno> {
        let mut machine = self.call()?;
        let Handle::Pidfd(of) = machine.at(pidfd) else { return Err(Errno::BADF) };
        let process = machine.tell(of);
        match (self.flavor.info, process.life) {
            (false, _) => Err(Errno::NOTTY),
            (true, Life::Reaped) => Err(Errno::SRCH),
            (true, _) => Ok(process.ids),
        }
    }
    fn open_process(&self, _: Pid) -> Result<OwnedFd, Errno> {
        let mut machine = self.call()?;
        let owner = machine.owner.ok_or(Errno::NOENT)?;
        machine.tell(owner);
        Ok(machine.open(Handle::Directory(owner)))
    }
    fn open_at(&self, dir: BorrowedFd<'_>, path: &CStr, _: Open) -> Result<OwnedFd, Errno> {
        let mut machine = self.call()?;
        let Handle::Directory(of) = machine.at(dir) else { return Err(Errno::NOTDIR) };
        let process = machine.tell(of);
        if process.life == Life::Reaped {
            return Err(self.flavor.gone);
        }
        let (opened_by, name) = (process.program, path.to_bytes().to_vec());
        match name.as_slice() {
            b"cgroup" | b"maps" | b"stat" | b"status" => (),
            b"auxv" if self.flavor.auxv => (),
            b"auxv" => return Err(Errno::ACCESS),
            _ => return Err(Errno::NOENT),
        }
        Ok(machine.open(Handle::File { of, name, opened_by, at: 0 }))
    }
    fn open_cached(&self, path: &CStr) -> Result<OwnedFd, Errno> {
        self.open_named(path)
    }
    fn open_named(&self, path: &CStr) -> Result<OwnedFd, Errno> {
        let mut machine = self.call()?;
        let path = path.to_str().map_err(|_| Errno::NOENT)?;
        let program = [10, 11, 20].into_iter().find(|file| path == path_of(*file));
        match (path, program) {
            ("/proc/thread-self/." | "/proc/1/.", _) => Ok(machine.open(Handle::OwnDirectory)),
            ("/sys/fs/cgroup", _) => Ok(machine.open(Handle::Cgroups)),
            (_, Some(file)) => Ok(machine.open(Handle::Program(file))),
            _ => Err(Errno::NOENT),
        }
    }
    fn open_below(&self, _: BorrowedFd<'_>, _: &[u8]) -> Result<OwnedFd, Errno> {
        self.call().and(Err(Errno::NOENT))
    }
    fn reopen(&self, _: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
        self.call().and(Err(Errno::NOENT))
    }
    fn has_access_list(&self, _: BorrowedFd<'_>) -> Result<bool, Errno> {
        self.call().map(|_| false)
    }
    fn list(&self, _: BorrowedFd<'_>, _: usize) -> Result<Vec<(Vec<u8>, FileKind)>, Errno> {
        self.call().map(|_| Vec::new())
    }
    fn own_uid(&self) -> u32 {
        0
    }
    fn host_file(&self, path: &CStr) -> Result<Vec<u8>, Errno> {
        self.call().map(drop)?;
        match path.to_bytes() {
            b"/proc/self/status" => Ok(b"NSpid:\t1\n".to_vec()),
            b"/proc/thread-self/mountinfo" => {
                Ok(b"1 0 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n".to_vec())
            }
            _ => Err(Errno::NOENT),
        }
    }
    fn read(&self, file: BorrowedFd<'_>, into: &mut [u8]) -> Result<usize, Errno> {
        let mut machine = self.call()?;
        let Handle::File { of, name, opened_by, at } = machine.at(file) else {
            return Err(Errno::ISDIR);
        };
        let process = machine.tell(of);
        if process.life == Life::Reaped {
            return Err(Errno::SRCH);
        }
        let text = process.text(&name, opened_by);
        let read = put(text.get(at..).unwrap_or_default(), into);
        let later = Handle::File { of, name, opened_by, at: at + read };
        machine.handles.insert(file.as_raw_fd(), later);
        Ok(read)
    }
    fn read_again(&self, file: BorrowedFd<'_>, into: &mut [u8]) -> Result<usize, Errno> {
        let mut machine = self.call()?;
        let Handle::File { of, name, opened_by, .. } = machine.at(file) else {
            return Err(Errno::ISDIR);
        };
        let process = machine.tell(of);
        match process.life {
            Life::Reaped => Err(Errno::SRCH),
            _ => Ok(put(&process.text(&name, opened_by), into)),
        }
    }
    fn read_link_at(
        &self,
        dir: BorrowedFd<'_>,
        path: &CStr,
        into: &mut [u8],
    ) -> Result<usize, Errno> {
        let mut machine = self.call()?;
        let text = match machine.at(dir) {
            Handle::OwnDirectory => own_namespace(path.to_bytes())?,
            Handle::Directory(of) => match machine.tell(of) {
                process if process.life == Life::Reaped => return Err(self.flavor.gone),
                process => process.link(path.to_bytes())?,
            },
            _ => return Err(Errno::NOTDIR),
        };
        Ok(put(text.as_bytes(), into))
    }
    fn stat_at(&self, dir: BorrowedFd<'_>, path: &CStr) -> Result<FileStat, Errno> {
        let mut machine = self.call()?;
        match (machine.at(dir), path.to_bytes()) {
            (Handle::Directory(of), b"exe") => match machine.tell(of) {
                process if process.life == Life::Reaped => Err(self.flavor.gone),
                process if !process.has_image() => Err(Errno::NOENT),
                process => Ok(stat(process.file)),
            },
            (Handle::Directory(of), b"cgroup") => match machine.tell(of).life {
                Life::Reaped => Err(self.flavor.gone),
                _ => Ok(stat(1)),
            },
            (Handle::Program(file), b"") => Ok(stat(file)),
            (Handle::Pidfd(of), b"") => Ok(stat(machine.tell(of).mounts)),
            (Handle::Cgroups, path) => Ok(stat(path.len() as u64)),
            _ => Err(Errno::NOENT),
        }
    }
    fn mount_id(&self, _: BorrowedFd<'_>) -> Result<u64, Errno> {
        self.call().map(|_| 1)
    }
    fn file_system(&self, file: BorrowedFd<'_>) -> Result<u64, Errno> {
        let machine = self.call()?;
        Ok(if matches!(machine.at(file), Handle::Pidfd(_)) { PIDFS } else { CGROUP2 })
    }
}
