//! What a child sends and receives: commands and answers, and bytes on its connection. As in `body.rs`:
//! system calls only.

#![expect(
    clippy::cast_possible_truncation,
    reason = "sizes of structures and names of families, all of them small constants"
)]
#![expect(unsafe_code, reason = "bare system calls on buffers of this stack")]

use std::mem::{self, MaybeUninit};

use libc::c_int;

use super::{
    body::{COMMANDS, close, errno, word},
    wire::READ,
};

/// The address of a socket that is bound to this path.
pub(super) fn address(path: &[u8]) -> Result<libc::sockaddr_un, c_int> {
    // SAFETY: the family is a number and the path bytes; zero is a value of both.
    let mut address: libc::sockaddr_un = unsafe { mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    if path.len() >= address.sun_path.len() {
        return Err(libc::ENAMETOOLONG);
    }
    for (to, from) in address.sun_path.iter_mut().zip(path) {
        *to = from.cast_signed();
    }
    Ok(address)
}

pub(super) fn connect(path: &[u8]) -> Result<c_int, c_int> {
    let address = address(path)?;
    // SAFETY: the address is a live local of that size.
    unsafe {
        let socket = libc::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0);
        let length = size_of_val(&address) as libc::socklen_t;
        if socket == -1 || libc::connect(socket, (&raw const address).cast(), length) == -1 {
            return Err(errno());
        }
        Ok(socket)
    }
}

pub(super) fn send_data(connection: c_int, mut bytes: &[u8]) -> c_int {
    while !bytes.is_empty() {
        // SAFETY: a live slice.
        let sent = unsafe {
            libc::send(connection, bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL)
        };
        let Ok(sent) = usize::try_from(sent) else { return errno() };
        bytes = bytes.get(sent..).unwrap_or_default();
    }
    0
}

/// The number of who is said to write, then what.
pub(super) fn send_as(connection: c_int, payload: &[u8]) -> c_int {
    let bytes = payload.get(4..).unwrap_or_default();
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let mut control = Control([0; 32]);
    let mut message = MaybeUninit::<libc::msghdr>::zeroed();
    // SAFETY: zero bytes are a value of the header; its parts are live locals of the sizes given,
    // which the kernel only reads; credentials have room in 32 bytes with their head.
    unsafe {
        let who = libc::ucred {
            pid: word(payload, 0).cast_signed(),
            uid: libc::getuid(),
            gid: libc::getgid(),
        };
        let header = message.as_mut_ptr();
        (*header).msg_iov = &raw mut part;
        (*header).msg_iovlen = 1;
        (*header).msg_control = (&raw mut control).cast();
        (*header).msg_controllen = libc::CMSG_SPACE(size_of_val(&who) as u32) as usize;
        let first = libc::CMSG_FIRSTHDR(header);
        (*first).cmsg_level = libc::SOL_SOCKET;
        (*first).cmsg_type = libc::SCM_CREDENTIALS;
        (*first).cmsg_len = libc::CMSG_LEN(size_of_val(&who) as u32) as usize;
        libc::CMSG_DATA(first).cast::<libc::ucred>().write_unaligned(who);
        let sent = libc::sendmsg(connection, header, libc::MSG_NOSIGNAL);
        if sent == -1 { errno() } else { 0 }
    }
}

pub(super) fn receive_data(connection: c_int) {
    let mut bytes = [0_u8; READ];
    // SAFETY: a live buffer of that size.
    let received = unsafe { libc::read(connection, bytes.as_mut_ptr().cast(), bytes.len()) };
    match usize::try_from(received) {
        Ok(length) => answer(0, bytes.get(..length).unwrap_or_default(), -1),
        Err(_) => answer(errno(), &[], -1),
    }
}

/// Room for one descriptor or one sender, aligned as the kernel wants it.
#[repr(C, align(8))]
struct Control([u8; 32]);

/// One command, and the descriptor that came with it or -1; length 0 at the end.
pub(super) fn receive(packet: &mut [u8]) -> (usize, c_int) {
    let mut control = Control([0; 32]);
    let mut part = libc::iovec { iov_base: packet.as_mut_ptr().cast(), iov_len: packet.len() };
    let mut message = MaybeUninit::<libc::msghdr>::zeroed();
    // SAFETY: zero bytes are a value of the header; its parts are live locals of the sizes given;
    // the control message is read only if the kernel wrote one that holds a descriptor.
    unsafe {
        let header = message.as_mut_ptr();
        (*header).msg_iov = &raw mut part;
        (*header).msg_iovlen = 1;
        (*header).msg_control = (&raw mut control).cast();
        (*header).msg_controllen = size_of::<Control>();
        let length = loop {
            let length = libc::recvmsg(COMMANDS, header, libc::MSG_CMSG_CLOEXEC);
            if length != -1 || errno() != libc::EINTR {
                break length;
            }
        };
        let first = libc::CMSG_FIRSTHDR(header);
        let descriptor = if first.is_null() || (*first).cmsg_type != libc::SCM_RIGHTS {
            -1
        } else {
            libc::CMSG_DATA(first).cast::<c_int>().read_unaligned()
        };
        (usize::try_from(length).unwrap_or_default(), descriptor)
    }
}

pub(super) fn answer(status: c_int, payload: &[u8], descriptor: c_int) {
    send_with(COMMANDS, &status.to_le_bytes(), payload, descriptor);
}

/// Sends bytes, and with them a descriptor, which it does not keep.
pub(super) fn pass(connection: c_int, bytes: &[u8], descriptor: c_int) -> c_int {
    let status = send_with(connection, &[], bytes, descriptor);
    close(descriptor);
    status
}

fn send_with(socket: c_int, head: &[u8], payload: &[u8], descriptor: c_int) -> c_int {
    let mut control = Control([0; 32]);
    let mut parts = [
        libc::iovec { iov_base: head.as_ptr().cast_mut().cast(), iov_len: head.len() },
        libc::iovec { iov_base: payload.as_ptr().cast_mut().cast(), iov_len: payload.len() },
    ];
    let mut message = MaybeUninit::<libc::msghdr>::zeroed();
    // SAFETY: zero bytes are a value of the header; its parts are live locals of the sizes given,
    // which the kernel only reads; one descriptor has room in 32 bytes.
    unsafe {
        let header = message.as_mut_ptr();
        (*header).msg_iov = parts.as_mut_ptr();
        (*header).msg_iovlen = parts.len();
        if descriptor >= 0 {
            (*header).msg_control = (&raw mut control).cast();
            let space = libc::CMSG_SPACE(size_of::<c_int>() as u32);
            (*header).msg_controllen = space as usize;
            let first = libc::CMSG_FIRSTHDR(header);
            (*first).cmsg_level = libc::SOL_SOCKET;
            (*first).cmsg_type = libc::SCM_RIGHTS;
            (*first).cmsg_len = libc::CMSG_LEN(size_of::<c_int>() as u32) as usize;
            libc::CMSG_DATA(first).cast::<c_int>().write_unaligned(descriptor);
        }
        let sent = libc::sendmsg(socket, header, libc::MSG_NOSIGNAL);
        if sent == -1 { errno() } else { 0 }
    }
}
