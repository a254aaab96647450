use std::{
    os::fd::{AsFd as _, OwnedFd},
    sync::Arc,
};

use witgate_facts::{Credentials, FactError, FactResult};

use crate::{error::fact_error, process_directory::ProcessDirectory, reader::FactReader, sys::Sys};

/// The process, held so that more can be read about it, and what that is done with.
#[derive(Debug)]
pub(super) struct Pinned {
    pub(super) directory: Arc<ProcessDirectory>,
    pub(super) pidfd: Arc<OwnedFd>,
    pub(super) reader: FactReader,
    pub(super) credentials: Arc<Credentials>,
}

impl Pinned {
    /// Runs a read that may hang, on a thread that may; it counts against the process's user.
    ///
    /// The process is looked at afterwards, for what is read of one that has exited (an empty
    /// environment, no root) does not always say so.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&ProcessDirectory) -> FactResult<T> + Send + 'static,
    ) -> FactResult<T> {
        let directory = Arc::clone(&self.directory);
        let (workers, settings) = (&self.reader.0.workers, &self.reader.0.settings);
        let answer =
            workers.run(self.credentials.uid, settings.deadline, move || read(&directory)).await;
        self.ensure_alive()?;
        answer?
    }

    /// [`FactError::Gone`] if it has exited, reaped or not.
    pub(super) fn ensure_alive(&self) -> FactResult<()> {
        match self.sys().pidfd_exited(self.pidfd.as_fd()) {
            Ok(false) => Ok(()),
            Ok(true) => Err(FactError::Gone),
            Err(errno) => Err(fact_error(errno)),
        }
    }

    pub(super) fn sys(&self) -> &dyn Sys {
        self.directory.sys()
    }
}
