//! The processes, what happens to them, and what calls were told about them.

use std::{
    collections::HashMap,
    os::fd::{AsRawFd as _, BorrowedFd, OwnedFd, RawFd},
    sync::Arc,
};

use rustix::io::Errno;

use crate::sys::Ids;

/// The number that matters.
pub(super) const NUMBER: i32 = 4242;
/// Of both processes.
pub(super) const USER: u32 = 1000;
const OWN_MOUNTS: u64 = 4_026_531_841;
/// Of both processes, and ours.
const OWN_USERS: u64 = 0xEFFF_FFFD;

/// What may happen to the process that connected, just before a call; or to the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    Exit,
    /// Exits, if it has not, and is taken notice of.
    Reap,
    /// All that, and its number is another process's.
    Recycle,
    Exec,
    /// Another program from the same file.
    ExecSameFile,
    ChangeIds,
    Move,
    LeaveMounts,
    LeaveUsers,
    LeaveNetwork,
    GainPrivileges,
    EndMainThread,
    Fail(Errno),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Life {
    Alive,
    Zombie,
    Reaped,
}

/// What is so of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) life: Life,
    pub(crate) name: &'static str,
    /// How many times it has begun another program.
    pub(crate) program: u8,
    /// The inode of what it runs.
    pub(crate) file: u64,
    pub(crate) ids: Ids,
    pub(crate) cgroup: &'static str,
    pub(crate) mounts: u64,
    pub(crate) users: u64,
    pub(crate) network: u64,
    pub(crate) permitted: u64,
    pub(crate) main_thread: bool,
}

impl Process {
    fn new(name: &'static str, file: u64, cgroup: &'static str, mounts: u64) -> Self {
        let number = NUMBER.unsigned_abs();
        let (ruid, euid, suid, rgid, egid, sgid) = (USER, USER, USER, USER, USER, USER);
        let ids = Ids { tgid: number, ruid, euid, suid, rgid, egid, sgid };
        let (life, program, users, main_thread) = (Life::Alive, 0, OWN_USERS, true);
        let (network, permitted) = (mounts + 1, 0);
        Self {
            life,
            name,
            program,
            file,
            ids,
            cgroup,
            mounts,
            users,
            network,
            permitted,
            main_thread,
        }
    }

    /// It lives where we do, so that its link `exe` cannot be a forgery.
    pub(crate) const fn in_own_users(&self) -> bool {
        self.users == OWN_USERS
    }

    pub(super) fn has_image(&self) -> bool {
        self.life == Life::Alive && self.main_thread
    }

    pub(super) fn text(&self, file: &[u8], opened_by: u8) -> Vec<u8> {
        let state = if self.has_image() { 'S' } else { 'Z' };
        let Self { name, program, ids, permitted, .. } = self;
        match file {
            b"cgroup" => format!("0::{}\n", self.cgroup).into(),
            b"stat" => {
                let zeros = "0 ".repeat(17);
                format!("{NUMBER} ({name}{program}) {state} 1 {zeros}98765 0 0\n").into()
            }
            b"status" => format!(
                "Name:\t{name}\nTgid:\t{}\nUid:\t{} {} {} {}\nGid:\t{} {} {} {}\nGroups:\t\n\
                 CapInh:\t0\nCapPrm:\t{permitted:x}\nCapEff:\t0\nCapBnd:\t0\nCapAmb:\t0\nTracerPid:\t0\nNoNewPrivs:\t0\n\
                 Seccomp:\t0\n",
                ids.tgid,
                ids.ruid,
                ids.euid,
                ids.suid,
                ids.euid,
                ids.rgid,
                ids.egid,
                ids.sgid,
                ids.egid
            )
            .into(),
            // These are of the memory as it was when the file was opened.
            b"maps" if self.has_image() && opened_by == *program => {
                let (file, path) = (self.file, path_of(self.file));
                format!("00400000-00401000 r-xp 00000000 00:1e {file} {path}\n").into()
            }
            b"auxv" if self.has_image() && opened_by == *program => vec![*program; 64],
            _ => Vec::new(),
        }
    }

    pub(super) fn link(&self, link: &[u8]) -> Result<String, Errno> {
        match (link, self.has_image()) {
            (b"exe", true) => Ok(path_of(self.file)),
            (b"ns/mnt", true) => Ok(format!("mnt:[{}]", self.mounts)),
            (b"ns/net", true) => Ok(format!("net:[{}]", self.network)),
            (b"ns/user", true) => Ok(format!("user:[{}]", self.users)),
            (other, true) => own_namespace(other),
            (_, false) => Err(Errno::NOENT),
        }
    }
}

pub(crate) fn path_of(file: u64) -> String {
    format!("/usr/bin/program-{file}")
}

pub(super) fn own_namespace(link: &[u8]) -> Result<String, Errno> {
    let kind = link.strip_prefix(b"ns/").ok_or(Errno::NOENT)?;
    let inode = match kind {
        b"cgroup" => 0xEFFF_FFFB_u64,
        b"pid" => 0xEFFF_FFFC,
        b"user" => OWN_USERS,
        b"mnt" => OWN_MOUNTS,
        _ => 4_026_531_000,
    };
    Ok(format!("{}:[{inode}]", String::from_utf8_lossy(kind)))
}

/// What a descriptor leads to; processes by their place in the list.
#[derive(Debug, Clone)]
pub(super) enum Handle {
    Pidfd(usize),
    Directory(usize),
    File { of: usize, name: Vec<u8>, opened_by: u8, at: usize },
    OwnDirectory,
    Cgroups,
    Program(u64),
}

#[derive(Debug)]
pub(super) struct Machine {
    /// The one that connected, and the one that gets its number.
    pub(super) processes: [Process; 2],
    /// Who has the number.
    pub(super) owner: Option<usize>,
    pub(super) script: Vec<(usize, Event)>,
    pub(super) calls: usize,
    pub(super) handles: HashMap<RawFd, Handle>,
    /// Copies of it stand for what is opened here: only their numbers matter.
    pub(super) anything: Arc<OwnedFd>,
    /// The process and program that the counter was opened on.
    pub(super) watched: Option<(usize, u8)>,
    /// The last call that told something about a process, and the last that said that the one which
    /// connected is alive.
    pub(super) told: usize,
    pub(super) alive: usize,
}

impl Machine {
    pub(super) fn new(anything: Arc<OwnedFd>) -> Self {
        Self {
            processes: [
                Process::new("own", 10, "/own.slice/a", 100),
                Process::new("victim", 20, "/victim.slice/a", 200),
            ],
            owner: Some(0),
            script: Vec::new(),
            calls: 0,
            handles: HashMap::new(),
            anything,
            watched: None,
            told: 0,
            alive: 0,
        }
    }

    fn happen(&mut self, event: Event) {
        let [peer, _victim] = &mut self.processes;
        let dies = |peer: &mut Process, life| peer.life = peer.life.max(life);
        match event {
            Event::Exit => dies(peer, Life::Zombie),
            Event::Reap | Event::Recycle => {
                dies(peer, Life::Reaped);
                let victim = event == Event::Recycle || self.owner == Some(1);
                self.owner = victim.then_some(1);
            }
            Event::Fail(_) => (),
            _ if peer.life != Life::Alive => (),
            Event::Exec => (peer.program, peer.file) = (peer.program + 1, 11),
            Event::ExecSameFile => peer.program += 1,
            Event::ChangeIds => (peer.ids.euid, peer.ids.suid) = (0, 0),
            Event::Move => peer.cgroup = "/other.slice/a",
            Event::LeaveMounts => peer.mounts = 150,
            Event::LeaveUsers => peer.users = 151,
            Event::LeaveNetwork => peer.network = 152,
            Event::GainPrivileges => peer.permitted = 1 << 21,
            Event::EndMainThread => peer.main_thread = false,
        }
    }

    /// One call: what the script has happen before it, and whether it fails.
    pub(super) fn step(&mut self) -> Result<(), Errno> {
        let now = self.calls;
        self.calls += 1;
        let due: Vec<_> =
            self.script.iter().filter(|(at, _)| *at == now).map(|(_, event)| *event).collect();
        let mut result = Ok(());
        for event in due {
            self.happen(event);
            if let Event::Fail(errno) = event {
                result = Err(errno);
            }
        }
        result
    }

    /// A call that tells something of a process.
    pub(super) fn tell(&mut self, of: usize) -> &Process {
        self.told = self.calls;
        &self.processes[of]
    }

    pub(super) fn open(&mut self, handle: Handle) -> OwnedFd {
        let fd = self.anything.try_clone().unwrap();
        self.handles.insert(fd.as_raw_fd(), handle);
        fd
    }

    pub(super) fn at(&self, fd: BorrowedFd<'_>) -> Handle {
        self.handles[&fd.as_raw_fd()].clone()
    }
}
