//! A process that a broker asks about, by a descriptor that leads to it.

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::io::Errno;

use super::{Delegated, Subject, identify};
use crate::{
    error::{PeerError, Step},
    probe::Kernel,
    stream::OtherSenders,
};

impl Subject<Delegated> {
    /// The process of a pidfd, as it is now.
    pub(crate) fn of_pidfd(pidfd: BorrowedFd<'_>, kernel: &Kernel) -> Result<Self, PeerError> {
        // One of our own: it is harmless to close, and what was passed stays where it is.
        let own = pidfd.try_clone_to_owned().map_err(|error| {
            let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO);
            PeerError::of_errno(Step::PidfdOpen, errno)
        })?;
        Self::of_own_pidfd(own, kernel)
    }

    pub(super) fn of_own_pidfd(pidfd: OwnedFd, kernel: &Kernel) -> Result<Self, PeerError> {
        Ok(Self::new(kernel, identify::delegated(pidfd, kernel)?, OtherSenders::Refused))
    }

    /// The process at the other end of a Unix socket, as it was when it connected and still has to be.
    pub(crate) fn of_connection(
        socket: BorrowedFd<'_>,
        kernel: &Kernel,
    ) -> Result<Self, PeerError> {
        Ok(Self::new(kernel, identify::connected(socket, kernel)?, OtherSenders::Refused))
    }
}
