//! Lines, and descriptors that come along with them.

use std::{
    collections::VecDeque,
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{BorrowedFd, OwnedFd},
};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use tokio::{io::Interest, net::UnixStream};

use super::MAX_LINE;

/// Descriptors in one message (`SCM_MAX_FD`, unix(7)).
const PER_MESSAGE: usize = 253;

/// Sends a line, and descriptors with it; those that do not fit follow, each message with one byte.
///
/// Nothing is waited for: what is sent fits into the buffer of a socket that nobody else writes to.
pub(super) fn send(
    socket: BorrowedFd<'_>,
    line: &[u8],
    rights: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let (first, rest) = rights.split_at(rights.len().min(PER_MESSAGE));
    send_once(socket, line, first)?;
    rest.chunks(PER_MESSAGE).try_for_each(|some| send_once(socket, b".", some))
}

fn send_once(socket: BorrowedFd<'_>, bytes: &[u8], rights: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(PER_MESSAGE))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !rights.is_empty() && !control.push(SendAncillaryMessage::ScmRights(rights)) {
        return Err(io::Error::other("too many descriptors for one message"));
    }
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    let sent = sendmsg(socket, &[IoSlice::new(bytes)], &mut control, flags)?;
    if sent == bytes.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

/// A connection on which lines and descriptors arrive.
#[derive(Debug)]
pub(super) struct Incoming {
    socket: UnixStream,
    bytes: Vec<u8>,
    rights: VecDeque<OwnedFd>,
}

impl Incoming {
    pub(super) const fn new(socket: UnixStream) -> Self {
        Self { socket, bytes: Vec::new(), rights: VecDeque::new() }
    }

    pub(super) const fn socket(&self) -> &UnixStream {
        &self.socket
    }

    /// The next line, without its line feed.
    pub(super) async fn line(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.bytes.drain(..=end).collect();
                line.pop();
                return Ok(line);
            }
            if self.bytes.len() > MAX_LINE {
                return Err(io::Error::other("a line without end"));
            }
            self.receive().await?;
        }
    }

    /// As many descriptors, in the order in which they were sent.
    pub(super) async fn rights(&mut self, count: usize) -> io::Result<Vec<OwnedFd>> {
        while self.rights.len() < count {
            self.receive().await?;
        }
        Ok(self.rights.drain(..count).collect())
    }

    async fn receive(&mut self) -> io::Result<()> {
        let Self { socket, bytes, rights } = self;
        let read =
            socket.async_io(Interest::READABLE, || receive_once(socket, bytes, rights)).await?;
        if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }
}

/// The kernel ends a read behind a message with descriptors, so one buffer holds what can come.
fn receive_once(
    socket: &UnixStream,
    bytes: &mut Vec<u8>,
    rights: &mut VecDeque<OwnedFd>,
) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(PER_MESSAGE))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut chunk = [0; 4096];
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let message = recvmsg(socket, &mut [IoSliceMut::new(&mut chunk)], &mut control, flags)?;
    for part in control.drain() {
        if let RecvAncillaryMessage::ScmRights(some) = part {
            rights.extend(some);
        }
    }
    bytes.extend(chunk.iter().take(message.bytes));
    Ok(message.bytes)
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write as _,
        os::{
            fd::AsFd as _,
            unix::fs::{FileTypeExt as _, MetadataExt as _},
        },
    };

    use super::*;

    fn pair() -> (UnixStream, Incoming) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (ours, Incoming::new(theirs))
    }

    #[tokio::test]
    async fn more_descriptors_than_fit_into_a_message_arrive_in_order() {
        let (ours, mut theirs) = pair();
        let files: Vec<_> = (0..600).map(|_| tempfile::tempfile().unwrap()).collect();
        let some: Vec<_> = files.iter().map(|file| file.as_fd()).collect();
        send(ours.as_fd(), b"first\n", &some[..2]).unwrap();
        send(ours.as_fd(), b"second\n", &some[2..]).unwrap();
        assert_eq!(theirs.line().await.unwrap(), b"first");
        let mut came = theirs.rights(2).await.unwrap();
        assert_eq!(theirs.line().await.unwrap(), b"second");
        came.extend(theirs.rights(598).await.unwrap());
        for (sent, came) in files.iter().zip(came) {
            let came = std::fs::File::from(came).metadata().unwrap();
            assert_eq!(came.ino(), sent.metadata().unwrap().ino());
            assert!(!came.file_type().is_socket());
        }
    }

    #[tokio::test]
    async fn a_line_has_an_end() {
        let (ours, mut theirs) = pair();
        let mut ours = ours.into_std().unwrap();
        ours.set_nonblocking(false).unwrap();
        ours.write_all(&vec![b'a'; MAX_LINE + 4096]).unwrap();
        assert!(theirs.line().await.unwrap_err().to_string().contains("without end"));
        let (ours, mut theirs) = pair();
        drop(ours);
        assert_eq!(theirs.line().await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
