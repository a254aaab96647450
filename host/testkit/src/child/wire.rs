//! Commands and answers: one packet each.

use std::{
    io::{IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use super::ok;

/// Bytes of a packet, which may hold two paths of the longest kind; and of one read from a connection.
pub(super) const PACKET: usize = 12 * 1024;
pub(super) const READ: usize = 4 * 1024;

/// What an actor can do; the first byte of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Op {
    ArmEcho = 1,
    Connect,
    ConnectAs,
    ConnectWithSavedIds,
    Disconnect,
    EndMainThread,
    Exec,
    Exit,
    FixAddresses,
    ForgeExecutable,
    Fork,
    Give,
    Gids,
    GroupRange,
    Groups,
    Name,
    Pass,
    Receive,
    Send,
    SendAs,
    ShareMemory,
    ShowArguments,
    Take,
    Uids,
    Unshare,
}

impl Op {
    pub(super) const ALL: [Self; 25] = [
        Self::ArmEcho,
        Self::Connect,
        Self::ConnectAs,
        Self::ConnectWithSavedIds,
        Self::Disconnect,
        Self::EndMainThread,
        Self::Exec,
        Self::Exit,
        Self::FixAddresses,
        Self::ForgeExecutable,
        Self::Fork,
        Self::Give,
        Self::Gids,
        Self::GroupRange,
        Self::Groups,
        Self::Name,
        Self::Pass,
        Self::Receive,
        Self::Send,
        Self::SendAs,
        Self::ShareMemory,
        Self::ShowArguments,
        Self::Take,
        Self::Uids,
        Self::Unshare,
    ];
}

/// What an actor says: 0 or an errno, and what it was asked for.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: i32,
    pub(super) payload: Vec<u8>,
    pub(super) descriptor: Option<OwnedFd>,
}

impl Answer {
    pub(super) fn error(&self) -> std::io::Error {
        std::io::Error::from_raw_os_error(self.status)
    }

    pub(super) fn number(&self) -> i32 {
        let bytes = self.payload.as_slice().try_into().unwrap_or_default();
        i32::from_le_bytes(bytes)
    }
}

#[track_caller]
pub(super) fn send(
    socket: BorrowedFd<'_>,
    op: Op,
    payload: &[u8],
    descriptor: Option<BorrowedFd<'_>>,
) {
    let head = [op as u8];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = descriptor.map(|fd| [fd]);
    if let Some(descriptors) = &descriptors {
        control.push(SendAncillaryMessage::ScmRights(descriptors));
    }
    let parts = [IoSlice::new(&head), IoSlice::new(payload)];
    ok("command", sendmsg(socket, &parts, &mut control, SendFlags::NOSIGNAL));
}

/// None at the end: the actor has exited or become another program.
pub(super) fn receive(socket: BorrowedFd<'_>) -> Option<Answer> {
    let mut packet = vec![0; PACKET];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [IoSliceMut::new(&mut packet)];
    let received = loop {
        match recvmsg(socket.as_fd(), &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => (),
            other => break other.ok()?,
        }
    };
    let descriptor = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    packet.truncate(received.bytes);
    let (status, payload) = packet.split_first_chunk()?;
    let status = i32::from_le_bytes(*status);
    Some(Answer { status, payload: payload.to_vec(), descriptor })
}
