//! What the pool waits by and starts threads with. A test has it wait by something else.

pub(super) use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::{io, thread};

use crate::limits;

/// Waits to be notified, and says whether that took too long.
pub(super) fn wait<'a, T>(
    condition: &Condvar,
    _: &'a Mutex<T>,
    guard: MutexGuard<'a, T>,
) -> (MutexGuard<'a, T>, bool) {
    let waited = condition.wait_timeout(guard, limits::IDLE_THREAD);
    let (guard, waited) = waited.unwrap_or_else(PoisonError::into_inner);
    (guard, waited.timed_out())
}

/// Starts a thread that nobody waits for.
pub(super) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(run).map(drop)
}
