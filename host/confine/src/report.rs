use std::{fs, io, thread};

use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit};
use serde::{Deserialize, Serialize};

use crate::{
    calls::Role,
    error::ConfineError,
    filter::confine_this_thread,
    landlocked::{Landlocked, give_up_files},
};

/// What this process has given up, as the kernel has it now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    /// Nobody but root reads its memory.
    pub memory_private: bool,
    /// It leaves no core behind.
    pub no_core: bool,
    /// Its threads,
    pub threads: usize,
    /// and those of them whose calls of the kernel are filtered.
    pub filtered_threads: usize,
}

impl Confinement {
    /// Looks.
    ///
    /// # Errors
    /// [`ConfineError::Look`]
    pub fn of_this_process() -> Result<Self, ConfineError> {
        const TASKS: &str = "/proc/self/task";
        let look = |source| ConfineError::Look { path: TASKS, source };
        let dumpable = dumpable_behavior().map_err(|errno| look(errno.into()))?;
        let mut this = Self {
            memory_private: dumpable == DumpableBehavior::NotDumpable,
            no_core: getrlimit(Resource::Core).maximum == Some(0),
            threads: 0,
            filtered_threads: 0,
        };
        for task in fs::read_dir(TASKS).map_err(look)? {
            match fs::read(task.map_err(look)?.path().join("status")) {
                Ok(status) => this.count(&status),
                // A thread that has ended meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
                Err(error) => return Err(look(error)),
            }
        }
        Ok(this)
    }

    /// Whether everything is in effect on every thread.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.memory_private && self.no_core && self.threads == self.filtered_threads
    }

    fn count(&mut self, status: &[u8]) {
        self.threads += 1;
        // Filtered by a program: mode 2.
        let filtered = status.split(|byte| *byte == b'\n').any(|line| line == b"Seccomp:\t2");
        self.filtered_threads += usize::from(filtered);
    }
}

/// What a process of ours can give up on this host, found by trying it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trial {
    /// Why calls of the kernel cannot be filtered; none if they can.
    pub no_filter: Option<String>,
    /// How much of files and network the compile child gives up besides.
    pub landlock: Landlocked,
}

impl Trial {
    /// Tries it on a thread that ends.
    ///
    /// # Errors
    /// [`ConfineError::Look`] if there is no such thread to be had, and what [`give_up_files`] says.
    pub fn run() -> Result<Self, ConfineError> {
        let look = |source| ConfineError::Look { path: "a thread", source };
        let tried = thread::Builder::new().spawn(|| {
            let landlock = give_up_files()?;
            let filter = confine_this_thread(Role::Daemon);
            Ok(Self { no_filter: filter.err().map(|error| error.to_string()), landlock })
        });
        let panicked = |_| look(io::Error::other("it panicked"));
        tried.map_err(look)?.join().map_err(panicked)?
    }
}
