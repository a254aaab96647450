//! A connection of which every byte is known to come from the process that connected.
//!
//! A connected descriptor can be handed on: by fork, by exec, by `SCM_RIGHTS`. The kernel stamps each
//! message with its sender, as the listener asked it to (see [`crate::mark_senders`]), and never
//! joins messages of two senders in one read. So bytes are read by recvmsg(2) only, with room for one
//! sender and for nothing else: a descriptor that came along never becomes ours, for closing a hostile
//! one can hang. From Linux 6.16 on none can come. Before, the kernel drops it while we read, and that
//! can hang as well.

use std::{
    io::{self, IoSliceMut},
    os::fd::{AsFd, AsRawFd as _, BorrowedFd},
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, UnixCredentials, recvmsg};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::UnixStream,
};

use crate::{
    pid::Pid,
    subject::{Connected, Subject},
};

/// What becomes of bytes that another process wrote than the one that connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OtherSenders {
    /// They are not read, and nothing is answered any more.
    #[default]
    Refused,
    /// They are read, and every decision about the connection says so.
    Allowed,
}

/// Who wrote, as the kernel stamped it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Sender {
    /// Its number; 0 if it lives in a pid namespace that the daemon cannot see into, or if the
    /// message had no stamp or came with a descriptor.
    pub pid: i32,
    /// Its real user id; `u32::MAX` without a stamp.
    pub uid: u32,
    /// Its real group id.
    pub gid: u32,
}

impl Sender {
    pub(crate) const UNSTAMPED: Self = Self { pid: 0, uid: u32::MAX, gid: u32::MAX };
}

/// Who wrote on one connection; shared by its stream and its subject.
#[derive(Debug)]
pub(crate) struct Senders {
    connected: Pid,
    others: OtherSenders,
    other: OnceLock<Sender>,
}

impl Senders {
    pub(crate) const fn new(connected: Pid, others: OtherSenders) -> Self {
        Self { connected, others, other: OnceLock::new() }
    }

    /// The first sender that was another process.
    pub(crate) fn other(&self) -> Option<Sender> {
        self.other.get().copied()
    }

    /// The first sender that was another process, unless that is allowed.
    pub(crate) fn refused(&self) -> Option<Sender> {
        self.other().filter(|_| self.others == OtherSenders::Refused)
    }

    /// Numbers are compared: the one that connected is alive whenever it matters, so no other
    /// process has its number. Ids are not, for they may change between two messages.
    pub(crate) fn note(&self, sender: Sender) -> io::Result<()> {
        if sender.pid != self.connected.as_raw() {
            // Only the first is kept.
            let _ = self.other.set(sender);
        }
        match self.refused() {
            Some(_) => Err(io::Error::new(io::ErrorKind::PermissionDenied, "another sender")),
            None => Ok(()),
        }
    }
}

impl Subject<Connected> {
    /// Takes the socket that this subject was accepted from, to be read from here on.
    pub fn stream(&self, socket: UnixStream) -> PeerStream {
        PeerStream::new(socket, Arc::clone(self.senders()))
    }
}

impl<S> Subject<S> {
    /// The first process that wrote on the connection and is not the one that connected.
    pub fn other_sender(&self) -> Option<Sender> {
        self.senders().other()
    }
}

/// The connection of one [`Subject`]. A read fails with [`io::ErrorKind::PermissionDenied`] from the
/// first byte of another process on, unless that is allowed.
#[derive(Debug)]
pub struct PeerStream {
    socket: UnixStream,
    senders: Arc<Senders>,
    /// Room for one stamp.
    stamp: Vec<u8>,
}

impl PeerStream {
    pub(crate) fn new(socket: UnixStream, senders: Arc<Senders>) -> Self {
        Self { socket, senders, stamp: nix::cmsg_space!(UnixCredentials) }
    }

    /// The connection, for another daemon to accept; nothing may have been read from it.
    #[must_use]
    pub fn into_socket(self) -> UnixStream {
        self.socket
    }

    /// What can be read at once; [`io::ErrorKind::WouldBlock`] if there is nothing.
    ///
    /// # Errors
    /// As a read.
    pub fn try_read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Self { socket, senders, stamp } = self;
        socket.try_io(Interest::READABLE, || receive(socket, senders, stamp, into))
    }
}

/// To send descriptors; bytes are read by [`PeerStream`] alone.
impl AsFd for PeerStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn receive(
    socket: &UnixStream,
    senders: &Senders,
    stamp: &mut [u8],
    into: &mut [u8],
) -> io::Result<usize> {
    let mut parts = [IoSliceMut::new(into)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC | MsgFlags::MSG_DONTWAIT;
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(stamp), flags)?;
    let read = message.bytes;
    if read == 0 {
        // The end has no sender.
        return Ok(0);
    }
    // Truncated control data is what is left of a descriptor. Nobody who asks something sends one, so
    // it counts as a message without a stamp.
    let sender = message.cmsgs().ok().and_then(|mut all| {
        all.find_map(|one| match one {
            ControlMessageOwned::ScmCredentials(ids) => {
                Some(Sender { pid: ids.pid(), uid: ids.uid(), gid: ids.gid() })
            }
            _ => None,
        })
    });
    senders.note(sender.unwrap_or(Sender::UNSTAMPED)).map(|()| read)
}

impl AsyncRead for PeerStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            ready!(self.socket.poll_read_ready(cx))?;
            match self.try_read(buf.initialize_unfilled()) {
                Ok(read) => {
                    buf.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for PeerStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}
