use std::{
    os::fd::{AsFd as _, OwnedFd},
    sync::Arc,
};

use witgate_facts::{Credentials, FactError, FactResult};

use crate::{
    error::fact_error, limits, process_directory::ProcessDirectory, reader::FactReader, sys::Sys,
};

/// Whose share of the threads that may hang its reads take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Account {
    uid: u32,
    /// It lives in a user namespace other than ours, as far as we can tell.
    pub(super) nested: bool,
    known: bool,
}

impl Account {
    pub(super) fn of(uid: u32, user_namespace: Option<u64>, reader: &FactReader) -> Self {
        let own = user_namespace.map(|inode| reader.0.namespaces.is_own_user(inode));
        Self { uid, nested: own != Some(true), known: own.is_some() }
    }

    /// Whoever has a namespace of users has thousands of ids, so all of those have one share.
    pub(super) const fn share(self) -> u32 {
        if self.nested && self.known { limits::NESTED_SHARE } else { self.uid }
    }
}

/// The process, held so that more can be read about it, and what that is done with.
#[derive(Debug)]
pub(super) struct Pinned {
    pub(super) directory: Arc<ProcessDirectory>,
    pub(super) pidfd: Arc<OwnedFd>,
    pub(super) reader: FactReader,
    pub(super) account: Account,
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
            workers.run(self.account.share(), settings.deadline, move || read(&directory)).await;
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
