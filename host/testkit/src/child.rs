//! Child processes that do what a test tells them to, when it tells them to.
//!
//! ```no_run
//! use witgate_testkit::child::Actor;
//! let workload = Actor::spawn().gid(33).uid(33).connect("/run/witgate/public/api.sock");
//! workload.send(b"attest\n");
//! let answer = workload.receive_to_end();
//! workload.exit(0); // a zombie now
//! workload.reap(); // and now its number is free
//! ```
//!
//! An actor is a fork of the test, waiting for commands on a socket of its own: real ids, real
//! namespaces, a real death. It never outlives the test: it ends when its command socket does, a
//! program that it became is killed with the test, and both are killed and reaped when the `Actor`
//! is dropped. Everything panics where the caller stands if a step fails: a test that cannot set
//! its scene has failed.

#![expect(
    clippy::panic,
    reason = "only tests use this: a step that fails ends the test at the caller's line"
)]

mod body;
mod cgroup;
mod memory;
mod messages;
mod ring;
mod spawn;
mod wire;

use std::{
    ffi::OsStr,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid,
};

pub use self::{cgroup::Cgroup, spawn::Spawn};
use self::{
    memory::Forgery,
    spawn::Spawned,
    wire::{Answer, Op},
};

/// A child process under the test's command.
#[derive(Debug)]
pub struct Actor {
    pid: Pid,
    pidfd: OwnedFd,
    commands: OwnedFd,
}

impl Actor {
    /// A child of the test with the test's own ids.
    #[must_use]
    #[track_caller]
    pub fn spawn() -> Self {
        Spawn::default().start()
    }

    /// A child with this very number, which must be free. Needs the right to choose
    /// (`CAP_CHECKPOINT_RESTORE`).
    #[must_use]
    #[track_caller]
    pub fn spawn_as(pid: i32) -> Self {
        Spawn::default().pid(pid).start()
    }

    #[track_caller]
    fn of(spawned: Spawned) -> Self {
        let pid = Pid::from_raw(spawned.pid).unwrap_or_else(|| panic!("no such child"));
        // Not reaped by anybody but us, so the number is still its own.
        let pidfd = ok("pidfd_open", pidfd_open(pid, PidfdFlags::empty()));
        Self { pid, pidfd, commands: spawned.commands }
    }

    /// Its number in the test's pid namespace.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Moves it into a cgroup.
    #[must_use]
    #[track_caller]
    pub fn enter(self, cgroup: &Cgroup) -> Self {
        cgroup.admit(self.pid());
        self
    }

    /// Sets the supplementary groups.
    #[must_use]
    #[track_caller]
    pub fn groups(self, groups: &[u32]) -> Self {
        let bytes: Vec<u8> = groups.iter().flat_map(|id| id.to_le_bytes()).collect();
        self.command(Op::Groups, &bytes);
        self
    }

    /// Sets that many supplementary groups, counting up from the first.
    #[must_use]
    #[track_caller]
    pub fn group_range(self, first: u32, count: u32) -> Self {
        self.command(Op::GroupRange, &words(&[first, count]));
        self
    }

    /// Sets real, effective and saved group id.
    #[must_use]
    #[track_caller]
    pub fn gid(self, id: u32) -> Self {
        self.set_gids(id, id, id);
        self
    }

    /// Sets real, effective and saved user id, for ever.
    #[must_use]
    #[track_caller]
    pub fn uid(self, id: u32) -> Self {
        self.set_uids(id, id, id);
        self
    }

    /// Sets the ids of user one by one.
    #[track_caller]
    pub fn set_uids(&self, real: u32, effective: u32, saved: u32) {
        self.command(Op::Uids, &words(&[real, effective, saved]));
    }

    /// Sets the ids of group one by one.
    #[track_caller]
    pub fn set_gids(&self, real: u32, effective: u32, saved: u32) {
        self.command(Op::Gids, &words(&[real, effective, saved]));
    }

    /// Sets its name (`comm`): any bytes but zero, cut at 15.
    #[must_use]
    #[track_caller]
    pub fn named(self, name: impl AsRef<[u8]>) -> Self {
        self.command(Op::Name, name.as_ref());
        self
    }

    /// Connects to a socket; a connection that it had is forgotten, not closed.
    #[must_use]
    #[track_caller]
    pub fn connect(self, socket: impl AsRef<Path>) -> Self {
        self.connect_again(socket);
        self
    }

    /// The same, for an actor that is kept elsewhere.
    #[track_caller]
    pub fn connect_again(&self, socket: impl AsRef<Path>) {
        self.command(Op::Connect, socket.as_ref().as_os_str().as_bytes());
    }

    /// Starts a thread that takes another effective uid for itself alone and connects.
    #[track_caller]
    pub fn connect_in_thread_as(&self, uid: u32, socket: impl AsRef<Path>) {
        let mut payload = words(&[uid]);
        payload.extend(socket.as_ref().as_os_str().as_bytes());
        self.command(Op::ConnectAs, &payload);
    }

    /// Keeps its ids in an io_uring, takes another uid for good, and connects with the ids that it had.
    #[track_caller]
    pub fn connect_with_saved_ids(&self, uid: u32, socket: impl AsRef<Path>) {
        let mut payload = words(&[uid]);
        payload.extend(socket.as_ref().as_os_str().as_bytes());
        self.command(Op::ConnectWithSavedIds, &payload);
    }

    /// Has the kernel send back the next that many bytes from its connection, by an io_uring, whatever it
    /// does itself by then.
    ///
    /// # Errors
    /// Of io_uring_setup(2), which not everybody may call everywhere.
    #[track_caller]
    pub fn arm_echo(&self, bytes: u32) -> std::io::Result<()> {
        self.try_command(Op::ArmEcho, &words(&[bytes]), None).map(drop)
    }

    /// Writes on its connection.
    #[track_caller]
    pub fn send(&self, bytes: &[u8]) {
        self.command(Op::Send, bytes);
    }

    /// Writes on its connection, and says that this process of its own pid namespace does. Whoever may
    /// not say so is told by the error.
    ///
    /// # Errors
    /// Of sendmsg(2).
    pub fn send_as(&self, pid: i32, bytes: &[u8]) -> std::io::Result<()> {
        let mut payload = pid.to_le_bytes().to_vec();
        payload.extend(bytes);
        self.try_command(Op::SendAs, &payload, None).map(drop)
    }

    /// The same as [`Actor::pass`], which may be refused.
    ///
    /// # Errors
    /// Of sendmsg(2).
    pub fn try_pass(&self, bytes: &[u8], descriptor: BorrowedFd<'_>) -> std::io::Result<()> {
        self.try_command(Op::Pass, bytes, Some(descriptor)).map(drop)
    }

    /// Writes on its connection, and passes a descriptor along with it.
    #[track_caller]
    pub fn pass(&self, bytes: &[u8], descriptor: BorrowedFd<'_>) {
        self.command_with(Op::Pass, bytes, Some(descriptor));
    }

    /// One read from its connection, of at most 4 KiB; empty at the end.
    #[must_use]
    #[track_caller]
    pub fn receive(&self) -> Vec<u8> {
        self.command(Op::Receive, &[]).payload
    }

    /// Everything from its connection until the other side closes it.
    #[must_use]
    #[track_caller]
    pub fn receive_to_end(&self) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            match self.receive() {
                part if part.is_empty() => return all,
                part => all.extend(part),
            }
        }
    }

    /// Closes its connection.
    #[track_caller]
    pub fn disconnect(&self) {
        self.command(Op::Disconnect, &[]);
    }

    /// A copy of its connection, as with `SCM_RIGHTS`.
    #[must_use]
    #[track_caller]
    pub fn give_connection(&self) -> OwnedFd {
        let given = self.command(Op::Give, &[]).descriptor;
        given.unwrap_or_else(|| panic!("no connection came"))
    }

    /// Takes a descriptor as its connection, as with `SCM_RIGHTS`.
    #[track_caller]
    pub fn take_connection(&self, connection: BorrowedFd<'_>) {
        self.command_with(Op::Take, &[], Some(connection));
    }

    /// Forks. The child has copies of everything, its connection too, and is an actor of its own.
    #[must_use]
    #[track_caller]
    pub fn fork(&self) -> Self {
        let (ours, theirs) = spawn::command_sockets();
        let pid = self.command_with(Op::Fork, &[], Some(theirs.as_fd())).number();
        Self::of(Spawned { pid: self.child_here(pid), commands: ours })
    }

    /// The number that its child of this number has in the test's pid namespace.
    #[track_caller]
    fn child_here(&self, number: i32) -> i32 {
        if numbers(self.pid()).len() < 2 {
            return number;
        }
        let all = format!("/proc/{0}/task/{0}/children", self.pid());
        let all = ok("children", std::fs::read_to_string(all));
        let mut children = all.split_whitespace().filter_map(|pid| pid.parse().ok());
        let found = children.find(|pid| numbers(*pid).last() == Some(&number));
        found.unwrap_or_else(|| panic!("{number} is no child of {}", self.pid()))
    }

    /// Leaves for namespaces of its own (`CLONE_NEW…` of unshare(2)).
    #[track_caller]
    pub fn unshare(&self, flags: i32) {
        self.command(Op::Unshare, &flags.to_le_bytes());
    }

    /// Starts a process that shares its memory, and so keeps that as it is when this one becomes another
    /// program. It ends with this one.
    #[track_caller]
    pub fn share_memory(&self) {
        self.command(Op::ShareMemory, &[]);
    }

    /// Whatever it becomes is loaded at the same addresses every time (`ADDR_NO_RANDOMIZE`).
    #[track_caller]
    pub fn fix_addresses(&self) {
        self.command(Op::FixAddresses, &[]);
    }

    /// Becomes another program, with no environment. Its connection stays open. Commands are over.
    #[track_caller]
    pub fn exec(&self, program: impl AsRef<Path>, arguments: &[&str]) {
        let mut payload = program.as_ref().as_os_str().as_bytes().to_vec();
        for argument in
            std::iter::once(program.as_ref().as_os_str()).chain(arguments.iter().map(OsStr::new))
        {
            payload.push(0);
            payload.extend(argument.as_bytes());
        }
        payload.push(0);
        wire::send(self.commands.as_fd(), Op::Exec, &payload, None);
        // Its end closes on exec.
        if let Some(answer) = wire::receive(self.commands.as_fd()) {
            panic!("exec {}: {}", program.as_ref().display(), answer.error());
        }
    }

    /// Has its link to the executable lead to another file, from a user namespace of its own, in which
    /// it is from then on.
    #[track_caller]
    pub fn forge_executable(&self, file: impl AsRef<Path>) {
        self.forge(Forgery::Inside, file.as_ref());
    }

    /// The same, but by a helper that shares its memory: it stays in the namespaces it is in.
    /// `mapped`: and it maps the file, as if it ran it.
    #[track_caller]
    pub fn forge_executable_outside(&self, file: impl AsRef<Path>, mapped: bool) {
        let how = if mapped { Forgery::OutsideMapped } else { Forgery::Outside };
        self.forge(how, file.as_ref());
    }

    #[track_caller]
    fn forge(&self, how: Forgery, file: &Path) {
        let mut payload = words(&[how as u32]);
        payload.extend(file.as_os_str().as_bytes());
        payload.push(0);
        self.command(Op::ForgeExecutable, &payload);
    }

    /// Has its command line and environment be what is in this file, of which a page is mapped.
    #[track_caller]
    pub fn show_arguments(&self, file: impl AsRef<Path>) {
        let mut payload = file.as_ref().as_os_str().as_bytes().to_vec();
        payload.push(0);
        self.command(Op::ShowArguments, &payload);
    }

    /// The main thread ends; another one goes on and takes the commands.
    #[track_caller]
    pub fn end_main_thread(&self) {
        self.command(Op::EndMainThread, &[]);
    }

    /// Exits, and is a zombie when this returns.
    #[track_caller]
    pub fn exit(&self, code: u8) {
        wire::send(self.commands.as_fd(), Op::Exit, &[code], None);
        self.wait(WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
    }

    /// Is killed, and is a zombie when this returns.
    #[track_caller]
    pub fn kill(&self) {
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
        self.wait(WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
    }

    /// Is taken notice of, and its number is free when this returns. It must have exited.
    #[track_caller]
    pub fn reap(&self) {
        self.wait(WaitIdOptions::EXITED);
    }

    #[track_caller]
    fn wait(&self, options: WaitIdOptions) {
        match waitid(WaitId::PidFd(self.pidfd.as_fd()), options) {
            // Not our child but a child's: it has another to take notice of it.
            Ok(_) | Err(rustix::io::Errno::CHILD) => (),
            Err(errno) => panic!("waiting for {}: {errno}", self.pid()),
        }
    }

    #[track_caller]
    fn command(&self, op: Op, payload: &[u8]) -> Answer {
        self.command_with(op, payload, None)
    }

    #[track_caller]
    fn command_with(&self, op: Op, payload: &[u8], descriptor: Option<BorrowedFd<'_>>) -> Answer {
        let done = self.try_command(op, payload, descriptor);
        done.unwrap_or_else(|error| panic!("{op:?}: {error}"))
    }

    #[track_caller]
    fn try_command(
        &self,
        op: Op,
        payload: &[u8],
        descriptor: Option<BorrowedFd<'_>>,
    ) -> std::io::Result<Answer> {
        wire::send(self.commands.as_fd(), op, payload, descriptor);
        match wire::receive(self.commands.as_fd()) {
            None => panic!("{op:?}: the actor is gone"),
            Some(answer) if answer.status != 0 => Err(answer.error()),
            Some(answer) => Ok(answer),
        }
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        // By descriptor: its number may be somebody else's by now.
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
        let _ = waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED);
    }
}

/// Its numbers in all pid namespaces from the test's down to its own.
fn numbers(pid: i32) -> Vec<i32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    let words = line.into_iter().flat_map(str::split_whitespace);
    words.filter_map(|number| number.parse().ok()).collect()
}

fn words(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

#[track_caller]
fn ok<T, E: std::fmt::Display>(what: &str, result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{what}: {error}"))
}
