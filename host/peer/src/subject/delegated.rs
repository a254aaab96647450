//! A process that a broker asks about, by a descriptor that leads to it.

use std::os::fd::AsFd as _;

use super::{Delegated, Subject, identify};
use crate::{
    error::PeerError,
    passed::{Lead, Leads},
    probe::Kernel,
    stream::OtherSenders,
};

impl Subject<Delegated> {
    /// The process of a pidfd, as it is now; or the one that is at the other end of a connected Unix
    /// socket, as it was when it connected and still has to be.
    ///
    /// # Errors
    /// As [`Subject::accept`].
    pub fn behind(lead: Lead, kernel: &Kernel) -> Result<Self, PeerError> {
        let who = match lead.0 {
            Leads::Process(pidfd) => identify::delegated(pidfd, kernel)?,
            Leads::Connection(socket) => identify::connected(socket.as_fd(), kernel)?,
        };
        Ok(Self::new(kernel, who, OtherSenders::Refused))
    }
}
