//! A question that only the program which is asking can answer.
//!
//! Between connect and accept nothing watches a process: it may connect, write a request, and become
//! a trusted program before we look. The trusted program does not know what came with it, so it does
//! not answer a nonce on that connection; and whoever knows it is another process, which the sender
//! of its bytes shows.

use std::sync::atomic::Ordering;

use super::{Connected, ExecWatchKind, Subject, SubjectId};
use crate::error::{PeerError, Step};

/// A nonce for one subject, from after its exec watch was opened. Good for one answer.
#[derive(Debug)]
pub struct Challenge {
    subject: SubjectId,
    nonce: [u8; 8],
}

impl Challenge {
    /// What the process has to show that it read: eight random bytes, never used again.
    #[must_use]
    pub const fn nonce(&self) -> [u8; 8] {
        self.nonce
    }
}

impl Subject<Connected> {
    /// A fresh challenge; none if it has answered one, where another process writes as well, so that
    /// an answer would change nothing, or where an exec afterwards would go unseen
    /// and an answer so prove nothing.
    ///
    /// # Errors
    /// [`PeerError::PeerExited`], or the daemon is out of descriptors or random numbers.
    pub fn challenge(&self) -> Result<Option<Challenge>, PeerError> {
        let told = self.challenged() || self.senders.other().is_some();
        if told || self.watch_exec()? == ExecWatchKind::None {
            return Ok(None);
        }
        let mut nonce = [0; 8];
        let filled = rustix::rand::getrandom(&mut nonce, rustix::rand::GetRandomFlags::empty());
        match filled {
            Ok(8) => Ok(Some(Challenge { subject: self.id(), nonce })),
            Ok(_) => Err(PeerError::of_errno(Step::RandomNumbers, rustix::io::Errno::AGAIN)),
            Err(errno) => Err(PeerError::of_errno(Step::RandomNumbers, errno)),
        }
    }

    /// Takes note that the right answer was read from this subject's [`crate::PeerStream`].
    ///
    /// # Errors
    /// If something else than the program that was challenged may have answered: it has begun
    /// another since, has exited, or another process wrote on the connection.
    #[expect(clippy::needless_pass_by_value, reason = "one nonce, one answer")]
    pub fn answered(&self, challenge: Challenge) -> Result<(), PeerError> {
        if challenge.subject != self.id() {
            return Err(PeerError::OtherSubject);
        }
        if let Some(other) = self.senders.other() {
            return Err(PeerError::SenderDiffers { sender: other });
        }
        self.same_program()?;
        self.ensure_alive()?;
        self.challenged.store(true, Ordering::Release);
        Ok(())
    }
}
