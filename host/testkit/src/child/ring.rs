//! What a process has an io_uring do for it. As in `body.rs`: system calls only, so no crate for it.

#![expect(unsafe_code, reason = "a ring is memory that is shared with the kernel")]
#![expect(
    clippy::cast_possible_truncation,
    reason = "sizes of structures, all of them small constants"
)]

use std::{
    mem,
    ptr::{self, null},
    sync::atomic::{AtomicU32, Ordering},
};

use libc::{c_int, c_long, c_void};

use super::{
    body::{close, errno, map, set_ids, status, word},
    messages::address,
};

/// Entries of a ring.
const ENTRIES: u32 = 4;

/// linux/io_uring.h
const OFF_SQ_RING: libc::off_t = 0;
const OFF_SQES: libc::off_t = 0x1000_0000;
const ENTER_GETEVENTS: u32 = 1;
const REGISTER_PERSONALITY: u32 = 9;
const OP_CONNECT: u8 = 16;
const OP_SEND: u8 = 26;
const OP_RECV: u8 = 27;
/// The next entry waits for this one.
const LINK: u8 = 1 << 2;

/// Offsets inside the rings: of the first and the second `head tail mask entries … array/cqes`.
#[repr(C)]
struct Offsets {
    head: u32,
    tail: u32,
    ring_mask: u32,
    ring_entries: u32,
    flags_or_overflow: u32,
    dropped_or_cqes: u32,
    array_or_flags: u32,
    reserved: u32,
    user_address: u64,
}

#[repr(C)]
struct Parameters {
    sq_entries: u32,
    cq_entries: u32,
    flags: u32,
    thread: [u32; 2],
    features: u32,
    wq_fd: u32,
    reserved: [u32; 3],
    sq: Offsets,
    cq: Offsets,
}

/// `struct io_uring_sqe`
#[repr(C)]
#[derive(Clone, Copy)]
struct Entry {
    opcode: u8,
    flags: u8,
    priority: u16,
    fd: c_int,
    offset: u64,
    address: u64,
    length: u32,
    message_flags: u32,
    user_data: u64,
    buffer: u16,
    personality: u16,
    splice_fd: c_int,
    rest: [u64; 2],
}

/// `struct io_uring_cqe`
#[repr(C)]
struct Completion {
    user_data: u64,
    result: c_int,
    flags: u32,
}

/// A ring that nobody else uses.
struct Ring {
    fd: c_int,
    rings: *mut u8,
    entries: *mut Entry,
    sq: Offsets,
    cq: Offsets,
}

impl Ring {
    fn new() -> Result<Self, c_int> {
        // SAFETY: all fields are integers, for which zero is a value; the kernel writes to the live
        // local.
        let (fd, parameters) = unsafe {
            let mut parameters: Parameters = mem::zeroed();
            (libc::syscall(libc::SYS_io_uring_setup, ENTRIES, &raw mut parameters), parameters)
        };
        let Ok(fd) = c_int::try_from(fd).map(|fd| (fd >= 0).then_some(fd)) else {
            return Err(libc::EBADF);
        };
        let Some(fd) = fd else { return Err(errno()) };
        let Parameters { sq, cq, sq_entries, cq_entries, .. } = parameters;
        let of_sq = sq.array_or_flags as usize + sq_entries as usize * size_of::<u32>();
        let of_cq = cq.dropped_or_cqes as usize + cq_entries as usize * size_of::<Completion>();
        // Both rings are one mapping since Linux 5.4.
        let rings = Self::map(fd, of_sq.max(of_cq), OFF_SQ_RING)?;
        let entries = Self::map(fd, sq_entries as usize * size_of::<Entry>(), OFF_SQES)?;
        Ok(Self { fd, rings: rings.cast(), entries: entries.cast(), sq, cq })
    }

    fn map(fd: c_int, length: usize, at: libc::off_t) -> Result<*mut c_void, c_int> {
        let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
        // SAFETY: a new mapping touches no other.
        let place = unsafe { libc::mmap(ptr::null_mut(), length, protection, flags, fd, at) };
        if place == libc::MAP_FAILED { Err(errno()) } else { Ok(place) }
    }

    /// Hands over these entries, and waits for as many to be done.
    fn submit(&self, new: &[Entry], wait_for: u32) -> c_int {
        for (index, entry) in (0_u32..).zip(new) {
            // SAFETY: fewer than there is room for, in a ring that is used once.
            unsafe {
                self.entries.add(index as usize).write(*entry);
                let array = self.rings.byte_add(self.sq.array_or_flags as usize).cast::<u32>();
                array.add(index as usize).write(index);
            }
        }
        let count = new.len() as u32;
        // SAFETY: where the kernel says that the tail is; aligned, for it is one of its numbers.
        let tail = unsafe { &*self.rings.byte_add(self.sq.tail as usize).cast::<AtomicU32>() };
        tail.store(count, Ordering::Release);
        let none = null::<c_void>();
        // SAFETY: numbers, and no signal mask.
        status(
            unsafe {
                libc::syscall(
                    libc::SYS_io_uring_enter,
                    self.fd,
                    count,
                    wait_for,
                    ENTER_GETEVENTS,
                    none,
                    0_usize,
                )
            }
            .min(0),
        )
    }

    /// What came of the first that is done: at least 0, or a negative errno.
    fn first_result(&self) -> c_int {
        // SAFETY: where the kernel says that the completions are; one of them was waited for.
        unsafe {
            let completions = self.rings.byte_add(self.cq.dropped_or_cqes as usize);
            completions.cast::<Completion>().read_volatile().result
        }
    }

    /// The ids of now, to be used for later entries.
    fn save_ids(&self) -> Result<u16, c_int> {
        let none = null::<c_void>();
        // SAFETY: takes no argument.
        let id = unsafe {
            libc::syscall(libc::SYS_io_uring_register, self.fd, REGISTER_PERSONALITY, none, 0_u32)
        };
        u16::try_from(id).map_err(|_| errno())
    }
}

/// Has the kernel send back what comes next on this connection, that many bytes, whatever the process
/// is doing by then. The ring stays.
pub(super) fn arm_echo(connection: c_int, payload: &[u8]) -> c_int {
    let length = word(payload, 0);
    let ring = match Ring::new() {
        Ok(ring) => ring,
        Err(errno) => return errno,
    };
    let buffer = map(length.max(1) as usize);
    if buffer.is_null() {
        return libc::ENOMEM;
    }
    let both = entry(OP_RECV, connection, buffer as u64, length);
    let receive = Entry { flags: LINK, message_flags: libc::MSG_WAITALL.cast_unsigned(), ..both };
    ring.submit(&[receive, Entry { opcode: OP_SEND, ..both }], 0)
}

/// Takes another uid for good and then connects by a ring that has kept the ids of before.
pub(super) fn connect_with_saved_ids(payload: &[u8]) -> Result<c_int, c_int> {
    let ring = Ring::new()?;
    let personality = ring.save_ids()?;
    let uid = word(payload, 0).to_le_bytes();
    let [a, b, c, d] = uid;
    match set_ids(libc::SYS_setresuid as c_long, &[a, b, c, d, a, b, c, d, a, b, c, d]) {
        0 => {}
        errno => return Err(errno),
    }
    let address = address(payload.get(4..).unwrap_or_default())?;
    // SAFETY: numbers.
    let socket = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0) };
    let connect = Entry {
        offset: size_of_val(&address) as u64,
        personality,
        ..entry(OP_CONNECT, socket, (&raw const address) as u64, 0)
    };
    let submitted = ring.submit(&[connect], 1);
    let result = if submitted == 0 { ring.first_result() } else { -submitted };
    close(ring.fd);
    if result < 0 { Err(-result) } else { Ok(socket) }
}

const fn entry(opcode: u8, fd: c_int, address: u64, length: u32) -> Entry {
    Entry {
        opcode,
        flags: 0,
        priority: 0,
        fd,
        offset: 0,
        address,
        length,
        message_flags: 0,
        user_data: 0,
        buffer: 0,
        personality: 0,
        splice_fd: 0,
        rest: [0; 2],
    }
}
