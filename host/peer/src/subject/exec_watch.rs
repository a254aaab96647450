//! Notices that a process has begun another program.
//!
//! Its number, its pidfd, its start time and its credentials stay what they were when a process
//! calls `exec`. So before the first fact that says what it runs, a counter is opened on it that the
//! kernel ends on exec (`remove_on_exec`): also if another thread calls it, and also beside a process
//! that shares its memory and so keeps the old program's mappings alive. Where the kernel does not
//! let us, the auxiliary vector is compared, which exec makes anew with addresses chosen at random.

use std::sync::{Arc, OnceLock};

use rustix::io::Errno;
use tokio::io::unix::AsyncFd;

use super::{EXIT_POLL, Subject};
use crate::{
    error::{Change, PeerError, Step},
    limits,
    sys::{self, ExecEvent},
};

/// By what an exec would be noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExecWatchKind {
    /// The kernel ends a counter.
    Event,
    /// The auxiliary vector is compared. A program that is loaded at the same addresses, for which
    /// its process must have switched off their random choice and forged the vector, goes unnoticed.
    Auxv,
    /// By nothing but the name and number of the file that is run.
    None,
}

impl ExecWatchKind {
    /// A word for the why, pages and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Auxv => "auxv",
            Self::None => "none",
        }
    }
}

/// The watch over one process, from when it was opened.
#[derive(Debug)]
pub(super) enum ExecWatch {
    Event { event: Arc<ExecEvent>, in_loop: OnceLock<AsyncFd<Arc<ExecEvent>>> },
    Auxv(Vec<u8>),
    None,
}

impl ExecWatch {
    const fn kind(&self) -> ExecWatchKind {
        match self {
            Self::Event { .. } => ExecWatchKind::Event,
            Self::Auxv(_) => ExecWatchKind::Auxv,
            Self::None => ExecWatchKind::None,
        }
    }
}

impl<S> Subject<S> {
    /// Begins to watch, if that has not begun yet, and says by what.
    ///
    /// # Errors
    /// [`PeerError::PeerExited`], or the daemon is out of descriptors.
    pub fn watch_exec(&self) -> Result<ExecWatchKind, PeerError> {
        if let Some(watch) = self.exec.get() {
            return Ok(watch.kind());
        }
        let watch = self.open_exec_watch()?;
        // Opened by number: the process has lived to here, so the number was its own.
        self.ensure_alive()?;
        Ok(self.exec.get_or_init(|| watch).kind())
    }

    fn open_exec_watch(&self) -> Result<ExecWatch, PeerError> {
        match self.kernel.sys.exec_event(self.pid()) {
            Ok(event) => Ok(ExecWatch::Event { event, in_loop: OnceLock::new() }),
            // Not permitted here, or about this process, or unknown to this kernel.
            Err(
                Errno::ACCESS
                | Errno::PERM
                | Errno::NOSYS
                | Errno::INVAL
                | Errno::NOENT
                | Errno::OPNOTSUPP
                | Errno::TOOBIG,
            ) => Ok(self.auxv().map_or(ExecWatch::None, ExecWatch::Auxv)),
            Err(errno) => Err(PeerError::of_errno(Step::ExecEvent, errno)),
        }
    }

    fn auxv(&self) -> Option<Vec<u8>> {
        self.directory().ok()?.read(c"auxv", limits::AUXV_FILE).ok().filter(|auxv| !auxv.is_empty())
    }

    /// By what an exec of it is noticed; none if nothing has asked what it runs.
    pub fn exec_watch(&self) -> Option<ExecWatchKind> {
        self.exec.get().map(ExecWatch::kind)
    }

    /// It has run one program since the watch was opened, as far as the watch can tell.
    pub(super) fn same_program(&self) -> Result<(), PeerError> {
        let happened = match self.exec.get() {
            None | Some(ExecWatch::None) => false,
            Some(ExecWatch::Event { event, .. }) => self
                .kernel
                .sys
                .exec_happened(event)
                .map_err(|errno| PeerError::of_errno(Step::ExecEvent, errno))?,
            Some(ExecWatch::Auxv(before)) => self.auxv().as_ref() != Some(before),
        };
        if !happened {
            return Ok(());
        }
        // The counter ends at exit, too.
        self.ensure_alive()?;
        Err(PeerError::SubjectChanged { change: Change::Program })
    }

    /// Waits until it has begun another program, from when [`Subject::watch_exec`] was called, or
    /// has exited. Needs a runtime with I/O and time.
    pub async fn changed_program(&self) {
        while self.same_program().is_ok() {
            let Some(watch) = self.exec_in_loop() else {
                tokio::time::sleep(EXIT_POLL).await;
                continue;
            };
            match watch.readable().await {
                Ok(mut ready) if self.same_program().is_ok() => ready.clear_ready(),
                Ok(_) => return,
                Err(_) => tokio::time::sleep(EXIT_POLL).await,
            }
        }
    }

    fn exec_in_loop(&self) -> Option<&AsyncFd<Arc<ExecEvent>>> {
        let Some(ExecWatch::Event { event, in_loop }) = self.exec.get() else { return None };
        if in_loop.get().is_none() {
            // Lost only to another task that stored the same.
            let _ = in_loop.set(sys::watch(Arc::clone(event))?);
        }
        in_loop.get()
    }
}
