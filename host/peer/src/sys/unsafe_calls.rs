//! What has no safe wrapper in nix, rustix or tokio: all of this crate's `unsafe`.

#![expect(
    unsafe_code,
    reason = "SO_PEERGROUPS, SO_PEERSEC, SO_PASSRIGHTS, PIDFD_GET_INFO, perf_event_open, its page, \
              received descriptors, and shared ones in tokio's event loop"
)]

use std::{
    io,
    mem::MaybeUninit,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd as _, OwnedFd},
    ptr::NonNull,
    sync::Arc,
};

use rustix::io::Errno;
use tokio::io::{Interest, unix::AsyncFd};

use crate::pid::Pid;

/// Lets the event loop watch a descriptor; none if it takes no more.
pub(crate) fn watch<T: AsRawFd>(shared: Arc<T>) -> Option<AsyncFd<Arc<T>>>
where
    Arc<T>: AsRawFd,
{
    // SAFETY: the `AsyncFd` holds a share of the only owner of the descriptor, which nothing
    // closes or replaces before the last share is dropped.
    unsafe { AsyncFd::register_with_interest(shared, Interest::READABLE) }.ok()
}

/// Room for a sender and two descriptors, aligned as the kernel wants it.
#[repr(C, align(8))]
struct Control([u8; 56]);

/// One message, as far as there was room for it.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) bytes: usize,
    /// pid, uid and gid of `SCM_CREDENTIALS`.
    pub(crate) sender: Option<(i32, u32, u32)>,
    pub(crate) descriptors: Vec<OwnedFd>,
}

/// recvmsg(2) without waiting, with the descriptors that come along and for which there is room; the
/// kernel drops the others. (nix gives none at all of a message that had more; rustix takes a sender
/// for one whose number is never 0.)
pub(crate) fn receive(socket: BorrowedFd<'_>, into: &mut [u8]) -> Result<Received, Errno> {
    let mut control = Control([0; 56]);
    let mut part = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: into.len() };
    let mut header = MaybeUninit::<libc::msghdr>::zeroed();
    let flags = libc::MSG_CMSG_CLOEXEC | libc::MSG_DONTWAIT;
    // SAFETY: zero bytes are a value of the header, whose parts are live locals of the sizes given,
    // and `into` is writable for its length; the descriptor is open for the length of the borrow.
    let (header, read) = unsafe {
        let message = header.as_mut_ptr();
        (*message).msg_iov = &raw mut part;
        (*message).msg_iovlen = 1;
        (*message).msg_control = (&raw mut control).cast();
        (*message).msg_controllen = size_of::<Control>();
        let read = libc::recvmsg(socket.as_raw_fd(), message, flags);
        (header.assume_init(), read)
    };
    let bytes = usize::try_from(read).map_err(|_| last_errno())?;
    let (sender, descriptors) = read_control(&header);
    Ok(Received { bytes, sender, descriptors })
}

/// `header` was filled in by recvmsg(2), and its control data is read this once.
fn read_control(header: &libc::msghdr) -> (Option<(i32, u32, u32)>, Vec<OwnedFd>) {
    let (mut sender, mut descriptors) = (None, Vec::new());
    // SAFETY: the kernel wrote whole messages into the control buffer and their length into the
    // header, within which these stay; a payload has the length that its head says, any alignment.
    // Each descriptor was installed for us and nobody else knows of it.
    unsafe {
        let mut next = libc::CMSG_FIRSTHDR(header);
        while let Some(head) = next.as_ref() {
            let data = libc::CMSG_DATA(next);
            let empty = libc::CMSG_LEN(0) as usize;
            let length = head.cmsg_len.saturating_sub(empty);
            match (head.cmsg_level, head.cmsg_type) {
                (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) if length >= size_of::<libc::ucred>() => {
                    let ids = data.cast::<libc::ucred>().read_unaligned();
                    sender = Some((ids.pid, ids.uid, ids.gid));
                }
                (libc::SOL_SOCKET, libc::SCM_RIGHTS) => {
                    for index in 0..length / size_of::<i32>() {
                        let fd = data.cast::<i32>().add(index).read_unaligned();
                        descriptors.push(OwnedFd::from_raw_fd(fd));
                    }
                }
                _ => (),
            }
            next = libc::CMSG_NXTHDR(header, next);
        }
    }
    (sender, descriptors)
}

/// A type of which any bit pattern is a value.
pub(crate) trait Plain: Copy {}
impl Plain for u8 {}
impl Plain for u32 {}

fn last_errno() -> Errno {
    Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO)
}

/// getsockopt(2) at level `SOL_SOCKET` into `values`; the number of bytes written. An error
/// comes with the length that the kernel left, which for `ERANGE` is the one it needs.
pub(crate) fn socket_option<T: Plain>(
    socket: BorrowedFd<'_>,
    option: i32,
    values: &mut [T],
) -> Result<usize, (Errno, usize)> {
    let room = size_of_val(values);
    let mut length = libc::socklen_t::try_from(room).unwrap_or(libc::socklen_t::MAX);
    // SAFETY: the descriptor is open for the length of the borrow; `values` is writable for
    // `length` <= `room` bytes, of which any pattern is a value (`Plain`); the kernel writes
    // no more than `length` bytes and the new length into `length`, a live local.
    let done = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            values.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if done == 0 { Ok(length.min(room)) } else { Err((last_errno(), length)) }
}

pub(crate) fn pidfd_info(pidfd: BorrowedFd<'_>) -> Result<libc::pidfd_info, Errno> {
    let mut info = MaybeUninit::<libc::pidfd_info>::zeroed();
    // SAFETY: the structure has only integer fields, so zero bytes are a value of it, and the
    // write stays inside the allocation.
    unsafe {
        (*info.as_mut_ptr()).mask =
            u64::from(libc::PIDFD_INFO_PID | libc::PIDFD_INFO_CREDS | libc::PIDFD_INFO_CGROUPID);
    }
    // SAFETY: the descriptor is open for the length of the borrow; the size of the structure is
    // part of the request number, so the kernel writes at most that many bytes to it.
    let done =
        unsafe { libc::ioctl(pidfd.as_fd().as_raw_fd(), libc::PIDFD_GET_INFO, info.as_mut_ptr()) };
    if done == -1 {
        return Err(last_errno());
    }
    // SAFETY: zeroed above, and then written by the kernel, whose fields are integers.
    Ok(unsafe { info.assume_init() })
}

/// setsockopt(2) at level `SOL_SOCKET` of a number.
pub(crate) fn set_socket_option(
    socket: BorrowedFd<'_>,
    option: i32,
    value: i32,
) -> Result<(), Errno> {
    let length = libc::socklen_t::try_from(size_of::<i32>()).unwrap_or_default();
    // SAFETY: the descriptor is open for the length of the borrow; the kernel reads `length` bytes,
    // which is the size of `value`, a live local.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            (&raw const value).cast(),
            length,
        )
    };
    if done == 0 { Ok(()) } else { Err(last_errno()) }
}

/// A counter that counts nothing on one process, and that the kernel ends when the process begins
/// another program or exits. (perf_event_open(2), `remove_on_exec`, Linux 5.13.)
#[derive(Debug)]
pub(crate) struct ExecEvent {
    fd: OwnedFd,
    /// poll(2) answers "ended" of a counter that nobody has mapped.
    page: NonNull<libc::c_void>,
}

// SAFETY: the page is mapped shared and never read or written through the pointer; it is only
// unmapped, once, by the one owner.
unsafe impl Send for ExecEvent {}
// SAFETY: as above: no method goes through the pointer.
unsafe impl Sync for ExecEvent {}

/// Bytes that the kernel maps for a counter without room for samples: its one head page.
fn head_page() -> usize {
    rustix::param::page_size()
}

/// `struct perf_event_attr` in its first version (linux/perf_event.h), as its eight words.
#[repr(C)]
struct Attributes([u64; 8]);

impl Attributes {
    const SIZE: u32 = 64;
    const TYPE_SOFTWARE: u64 = 1;
    const COUNT_DUMMY: u64 = 9;
    const EXCLUDE_KERNEL: u64 = 1 << 5;
    const EXCLUDE_HYPERVISOR: u64 = 1 << 6;
    const REMOVE_ON_EXEC: u64 = 1 << 36;

    const fn exec_only() -> Self {
        let flags = Self::EXCLUDE_KERNEL | Self::EXCLUDE_HYPERVISOR | Self::REMOVE_ON_EXEC;
        let kind = Self::TYPE_SOFTWARE | (Self::SIZE as u64) << 32;
        Self([kind, Self::COUNT_DUMMY, 0, 0, 0, flags, 0, 0])
    }
}

impl ExecEvent {
    pub(crate) fn open(pid: Pid) -> Result<Self, Errno> {
        const CLOSE_ON_EXEC: libc::c_ulong = 1 << 3;
        let attributes = Attributes::exec_only();
        let (any_cpu, no_group): (libc::c_long, libc::c_long) = (-1, -1);
        // SAFETY: the kernel reads as many bytes as the attributes say they have, which is their
        // size; they live until the call returns. The other arguments are numbers.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_perf_event_open,
                &raw const attributes,
                libc::c_long::from(pid.as_raw()),
                any_cpu,
                no_group,
                CLOSE_ON_EXEC,
            )
        };
        let fd = match i32::try_from(fd) {
            // SAFETY: a new descriptor that nobody else has.
            Ok(fd @ 0..) => unsafe { OwnedFd::from_raw_fd(fd) },
            _ => return Err(last_errno()),
        };
        let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
        // SAFETY: a new mapping at an address that the kernel chooses; it replaces none.
        let page = unsafe {
            libc::mmap(std::ptr::null_mut(), head_page(), protection, flags, fd.as_raw_fd(), 0)
        };
        match NonNull::new(page) {
            Some(page) if page.as_ptr() != libc::MAP_FAILED => Ok(Self { fd, page }),
            // perf_mmap says so of memory that may be locked and is used up (kernel/events/core.c). It
            // is no word about the process: that was allowed above.
            _ => Err(match last_errno() {
                Errno::PERM => Errno::NOMEM,
                other => other,
            }),
        }
    }
}

impl AsFd for ExecEvent {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for ExecEvent {
    fn as_raw_fd(&self) -> i32 {
        self.fd.as_raw_fd()
    }
}

impl Drop for ExecEvent {
    fn drop(&mut self) {
        // SAFETY: mapped in `open` with this length, and unmapped nowhere else.
        let _ = unsafe { libc::munmap(self.page.as_ptr(), head_page()) };
    }
}
