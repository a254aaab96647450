//! A question about another process, with a descriptor that leads to it.

use std::{
    io::{self, IoSlice},
    mem::MaybeUninit,
    os::fd::BorrowedFd,
};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use witgate_protocol::Ask;

/// Sends the question and the descriptor, in one message or not at all: it is smaller than any buffer.
pub(crate) fn send(socket: BorrowedFd<'_>, about: BorrowedFd<'_>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let about = [about];
    if !control.push(SendAncillaryMessage::ScmRights(&about)) {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    // Without a challenge: who is asked about would have to answer it.
    let question = format!("{}\n", Ask::Attest);
    let parts = [IoSlice::new(question.as_bytes())];
    sendmsg(socket, &parts, &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}
