//! `/proc/<pid>`, open while anybody may ask something of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{FRESH, Subject, identify};
use crate::{error::PeerError, process_directory::ProcessDirectory};

/// The directory, unless it was let go of.
#[derive(Debug)]
pub(super) struct Held(Mutex<Option<Arc<ProcessDirectory>>>);

impl Held {
    pub(super) const fn new(directory: Arc<ProcessDirectory>) -> Self {
        Self(Mutex::new(Some(directory)))
    }

    fn slot(&self) -> MutexGuard<'_, Option<Arc<ProcessDirectory>>> {
        // One assignment of a whole value: poison is no news.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Subject<S> {
    /// The directory, opened again if it was let go of: the pidfd says afterwards that the process
    /// lives, so the number was its own all the time.
    pub(crate) fn directory(&self) -> Result<Arc<ProcessDirectory>, PeerError> {
        let mut held = self.who.directory.slot();
        if let Some(directory) = &*held {
            return Ok(Arc::clone(directory));
        }
        let directory = identify::open_directory(self.pid(), self.pidfd(), &self.kernel)?;
        self.ensure_alive()?;
        Ok(Arc::clone(held.insert(directory)))
    }

    /// Lets go of the directory and of the `cgroup` file once that is too old to be good for anything,
    /// and never ends: for who says nothing, so that waiting takes two descriptors less.
    pub async fn rest(&self) {
        tokio::time::sleep(FRESH).await;
        self.cgroup.forget();
        *self.who.directory.slot() = None;
        std::future::pending::<()>().await;
    }
}
