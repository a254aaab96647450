//! What runs in the child.
//!
//! The test has many threads, the child only the one that forked; whatever another thread held at
//! that moment (the allocator's lock, say) is held for ever. So from the fork to the exec or exit
//! nothing here allocates, locks, panics or calls anything but system calls, and ids are changed by
//! the bare call: the C library's would first ask threads that are not there.

#![expect(
    unsafe_code,
    reason = "fork, and system calls after it, cannot be had safely; everything is in the files beside"
)]

use std::{
    io, mem,
    os::fd::{AsRawFd, OwnedFd},
    ptr,
    sync::atomic::{AtomicI32, Ordering},
};

use libc::{c_int, c_long, c_void};

use super::{
    memory,
    messages::{answer, connect, pass, receive, receive_data, send_as, send_data},
    ring,
    wire::{Op, PACKET},
};

/// Where the command socket is in every actor.
pub(super) const COMMANDS: c_int = 3;

/// Arguments of exec.
const ARGUMENTS: usize = 32;

/// Bytes of a thread's stack.
const STACK: usize = 256 * 1024;

/// Forks an actor, by clone3(2) so that its number can be chosen.
pub(super) fn start(flags: u64, pid: Option<i32>, commands: &OwnedFd) -> io::Result<i32> {
    let chosen = [pid.unwrap_or_default()];
    let chosen_by_us = u64::from(pid.is_some());
    // SAFETY: all fields are integers, for which zero is a value.
    let mut arguments: libc::clone_args = unsafe { mem::zeroed() };
    arguments.flags = flags;
    arguments.exit_signal = u64::from(libc::SIGCHLD.unsigned_abs());
    arguments.set_tid = chosen_by_us * chosen.as_ptr() as u64;
    arguments.set_tid_size = chosen_by_us;
    // SAFETY: the structure and the number it points to live across the call. Without `CLONE_VM`
    // the child has a copy of everything, and goes straight to `begin`, which never returns.
    let result =
        unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of_val(&arguments)) };
    match result {
        -1 => Err(io::Error::last_os_error()),
        0 => begin(commands.as_raw_fd()),
        pid => i32::try_from(pid).map_err(io::Error::other),
    }
}

/// An actor's first steps.
fn begin(commands: c_int) -> ! {
    // SAFETY: descriptors are numbers; nothing in the child uses those that are closed here.
    unsafe {
        libc::dup3(commands, COMMANDS, libc::O_CLOEXEC);
        if commands == COMMANDS {
            libc::fcntl(COMMANDS, libc::F_SETFD, libc::FD_CLOEXEC);
        }
        libc::syscall(libc::SYS_close_range, 4, u32::MAX, 0);
    }
    die_with_parent();
    serve(Actor { connection: -1 })
}

/// Again after every change of ids, which clears it.
fn die_with_parent() {
    // SAFETY: a number is set in the kernel.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
}

fn exit(code: c_int) -> ! {
    // SAFETY: ends the process, running nothing of the test's.
    unsafe { libc::_exit(code) }
}

pub(super) fn errno() -> c_int {
    // SAFETY: the C library's own cell for this thread.
    unsafe { *libc::__errno_location() }
}

/// 0, or the errno.
pub(super) fn status(result: c_long) -> c_int {
    if result == -1 { errno() } else { 0 }
}

/// A bare system call with numbers only.
fn call(number: c_long, a: c_long, b: c_long, c: c_long) -> c_int {
    // SAFETY: used for calls below whose arguments are numbers, not addresses.
    status(unsafe { libc::syscall(number, a, b, c) })
}

pub(super) fn close(descriptor: c_int) {
    call(libc::SYS_close, descriptor.into(), 0, 0);
}

#[derive(Clone, Copy)]
struct Actor {
    connection: c_int,
}

/// The life of an actor: command, deed, answer.
fn serve(mut actor: Actor) -> ! {
    let mut packet = [0; PACKET];
    loop {
        let (length, descriptor) = receive(&mut packet);
        let Some((op, payload)) = packet.get(..length).and_then(<[u8]>::split_first) else {
            // The test is over.
            exit(0);
        };
        let Some(op) = Op::ALL.into_iter().find(|known| *known as u8 == *op) else { exit(120) };
        actor.perform(op, payload, descriptor);
    }
}

impl Actor {
    fn perform(&mut self, op: Op, payload: &[u8], descriptor: c_int) {
        let status = match op {
            Op::ArmEcho => ring::arm_echo(self.connection, payload),
            Op::Connect => connect(payload).map_or_else(|errno| errno, |fd| self.keep(fd)),
            Op::ConnectAs => {
                connect_in_thread(payload).map_or_else(|errno| errno, |fd| self.keep(fd))
            }
            Op::ConnectWithSavedIds => {
                ring::connect_with_saved_ids(payload).map_or_else(|errno| errno, |fd| self.keep(fd))
            }
            Op::Disconnect => call(libc::SYS_close, self.connection.into(), 0, 0),
            Op::EndMainThread => return self.end_main_thread(),
            Op::Exec => exec(payload),
            Op::Exit => exit(payload.first().copied().unwrap_or_default().into()),
            Op::FixAddresses => fix_addresses(),
            Op::ForgeExecutable => memory::forge_executable(payload),
            Op::Fork => return fork(*self, descriptor),
            Op::Give => return answer(0, &[], self.connection),
            Op::Gids => set_ids(libc::SYS_setresgid, payload),
            Op::GroupRange => set_group_range(word(payload, 0), word(payload, 1)),
            Op::Groups => set_groups(payload.as_ptr().cast(), payload.len() / 4),
            Op::Name => set_name(payload),
            Op::Pass => pass(self.connection, payload, descriptor),
            Op::Receive => return receive_data(self.connection),
            Op::Send => send_data(self.connection, payload),
            Op::SendAs => send_as(self.connection, payload),
            Op::ShareMemory => share_memory(),
            Op::ShowArguments => memory::show_arguments(payload),
            Op::Take => self.keep(descriptor),
            Op::Uids => set_ids(libc::SYS_setresuid, payload),
            Op::Unshare => call(libc::SYS_unshare, word(payload, 0).into(), 0, 0),
        };
        answer(status, &[], -1);
    }

    fn keep(&mut self, connection: c_int) -> c_int {
        self.connection = connection;
        // Stays open across exec: that is what the tests are about.
        // SAFETY: a number is set in the kernel.
        status(unsafe { libc::fcntl(connection, libc::F_SETFD, 0) }.into())
    }

    fn end_main_thread(self) {
        extern "C" fn go_on(actor: *mut c_void) -> c_int {
            // SAFETY: points to the copy made below, which is never freed.
            let actor = unsafe { *actor.cast::<Actor>() };
            answer(0, &[], -1);
            serve(actor)
        }
        let started = thread(go_on, self);
        if started != 0 {
            return answer(started, &[], -1);
        }
        // SAFETY: ends this thread only.
        unsafe { libc::syscall(libc::SYS_exit, 0) };
    }
}

pub(super) fn word(payload: &[u8], index: usize) -> u32 {
    let bytes = payload.get(index * 4..).and_then(<[u8]>::first_chunk);
    u32::from_le_bytes(bytes.copied().unwrap_or_default())
}

pub(super) fn set_ids(number: c_long, payload: &[u8]) -> c_int {
    let [real, effective, saved] = [0, 1, 2].map(|index| word(payload, index).into());
    let status = call(number, real, effective, saved);
    die_with_parent();
    status
}

fn set_groups(first: *const u32, count: usize) -> c_int {
    // SAFETY: the callers' numbers lie there, any alignment, for the kernel copies bytes.
    status(unsafe { libc::syscall(libc::SYS_setgroups, count, first) })
}

fn set_group_range(first: u32, count: u32) -> c_int {
    let bytes = count as usize * size_of::<u32>();
    let room = map(bytes.max(1)).cast::<u32>();
    if room.is_null() {
        return libc::ENOMEM;
    }
    for (index, id) in (first..).take(count as usize).enumerate() {
        // SAFETY: below `count`, for which there is room.
        unsafe { room.add(index).write(id) };
    }
    set_groups(room, count as usize)
}

/// Memory that is never given back; null if there is none.
pub(super) fn map(bytes: usize) -> *mut c_void {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping touches no other.
    let room = unsafe { libc::mmap(ptr::null_mut(), bytes, protection, flags, -1, 0) };
    if room == libc::MAP_FAILED { ptr::null_mut() } else { room }
}

fn set_name(name: &[u8]) -> c_int {
    let mut comm = [0_u8; 16];
    for (to, from) in comm.iter_mut().take(15).zip(name) {
        *to = *from;
    }
    // SAFETY: 16 bytes that end with zero.
    status(unsafe { libc::prctl(libc::PR_SET_NAME, comm.as_ptr()) }.into())
}

/// What a thread is given.
struct ConnectAs {
    uid: u32,
    path: *const u8,
    length: usize,
    result: AtomicI32,
    error: AtomicI32,
}

fn connect_in_thread(payload: &[u8]) -> Result<c_int, c_int> {
    extern "C" fn run(task: *mut c_void) -> c_int {
        // SAFETY: points to the copy made by `thread`, which is never freed; the path is in the
        // packet, which the main thread leaves alone until there is a result.
        let (task, path) = unsafe {
            let task = &*task.cast::<&ConnectAs>();
            (*task, std::slice::from_raw_parts(task.path, task.length))
        };
        let error = call(libc::SYS_setresuid, -1, task.uid.into(), -1);
        let connected = if error == 0 { connect(path) } else { Err(error) };
        task.error.store(connected.err().unwrap_or_default(), Ordering::Release);
        task.result.store(connected.unwrap_or(-2), Ordering::Release);
        loop {
            // SAFETY: waits.
            unsafe { libc::pause() };
        }
    }
    let path = payload.get(4..).unwrap_or_default();
    let task = ConnectAs {
        uid: word(payload, 0),
        path: path.as_ptr(),
        length: path.len(),
        result: AtomicI32::new(-1),
        error: AtomicI32::new(0),
    };
    let started = thread(run, &raw const task);
    if started != 0 {
        return Err(started);
    }
    loop {
        match task.result.load(Ordering::Acquire) {
            // SAFETY: gives up the processor.
            -1 => _ = unsafe { libc::sched_yield() },
            -2 => return Err(task.error.load(Ordering::Acquire)),
            connection => return Ok(connection),
        }
    }
}

/// A process beside this one, in the same memory.
fn share_memory() -> c_int {
    extern "C" fn run(_: *mut c_void) -> c_int {
        die_with_parent();
        // SAFETY: numbers; its descriptors are copies, and that of the commands tells of an exec.
        unsafe { libc::syscall(libc::SYS_close_range, COMMANDS, u32::MAX, 0) };
        loop {
            // SAFETY: waits.
            unsafe { libc::pause() };
        }
    }
    beside(run, libc::CLONE_VM | libc::SIGCHLD, ())
}

fn fix_addresses() -> c_int {
    // SAFETY: a number is set in the kernel.
    status(unsafe { libc::personality(libc::ADDR_NO_RANDOMIZE as libc::c_ulong) }.into())
}

/// Starts a thread with a copy of `argument`; 0 or an errno.
fn thread<T: Copy>(run: extern "C" fn(*mut c_void) -> c_int, argument: T) -> c_int {
    let flags = libc::CLONE_VM
        | libc::CLONE_FS
        | libc::CLONE_FILES
        | libc::CLONE_SIGHAND
        | libc::CLONE_THREAD
        | libc::CLONE_SYSVSEM;
    beside(run, flags, argument)
}

/// The same with these flags, of which `CLONE_VM` is one.
fn beside<T: Copy>(run: extern "C" fn(*mut c_void) -> c_int, flags: c_int, argument: T) -> c_int {
    let stack = map(STACK);
    if stack.is_null() {
        return libc::ENOMEM;
    }
    // SAFETY: the argument lies at the low end of a fresh mapping, which is aligned for anything;
    // the stack begins at its high end and grows down, and neither is ever freed. The thread shares
    // this one's thread-local storage, of which it uses errno only, while this one waits or ends.
    status(
        unsafe {
            stack.cast::<T>().write(argument);
            libc::clone(run, stack.byte_add(STACK), flags, stack)
        }
        .into(),
    )
}

/// Path, then zero-terminated arguments.
fn exec(payload: &[u8]) -> c_int {
    let mut arguments = [ptr::null::<libc::c_char>(); ARGUMENTS];
    let starts = payload
        .iter()
        .enumerate()
        .filter(|(index, byte)| **byte == 0 && index + 1 < payload.len())
        .filter_map(|(index, _)| payload.get(index + 1..));
    for (to, from) in arguments.iter_mut().take(ARGUMENTS - 1).zip(starts) {
        *to = from.as_ptr().cast();
    }
    let environment = [ptr::null::<libc::c_char>()];
    let pause = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
    // A program that the test has just written may be open for writing still, in a child that was
    // forked meanwhile and has not closed its copy yet.
    for _ in 0..5_000 {
        // SAFETY: path and arguments end with zero inside the packet, both arrays with null; the
        // time is a live local.
        unsafe {
            libc::execve(payload.as_ptr().cast(), arguments.as_ptr(), environment.as_ptr());
            if errno() != libc::ETXTBSY {
                break;
            }
            libc::nanosleep(&raw const pause, ptr::null_mut());
        }
    }
    errno()
}

fn fork(actor: Actor, commands: c_int) {
    // SAFETY: as in `start`: a copy of everything, and `serve` never returns.
    let pid = unsafe {
        libc::syscall(libc::SYS_clone, c_long::from(libc::SIGCHLD), 0_i64, 0_i64, 0_i64, 0_i64)
    };
    match pid {
        -1 => answer(errno(), &[], -1),
        // No death with the parent: outliving it is what this one is for. It ends when its command
        // socket does.
        0 => {
            // SAFETY: numbers; the old command socket is the parent's.
            unsafe {
                libc::dup3(commands, COMMANDS, libc::O_CLOEXEC);
                libc::close(commands);
            }
            serve(actor)
        }
        pid => {
            call(libc::SYS_close, commands.into(), 0, 0);
            let pid = i32::try_from(pid).unwrap_or_default();
            answer(0, &pid.to_le_bytes(), -1);
        }
    }
}
