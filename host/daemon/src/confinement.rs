//! What the daemon gives up before it serves.

use witgate_attestor::CallFilter;
use witgate_confine::{ConfineError, Role, confine_all_threads, keep_memory_private};

use crate::config::Config;

/// Keeps the memory of this process to itself and filters its calls of the kernel, for good. Call it
/// before threads are started, which begin with what their parent has.
///
/// # Errors
/// [`ConfineError`]; whoever gets one does not start.
pub fn confine(config: &Config) -> Result<(), ConfineError> {
    keep_memory_private()?;
    match config.call_filter {
        CallFilter::Required => confine_all_threads(Role::Daemon),
        CallFilter::Off => {
            tracing::warn!(
                "Calls of the kernel are not filtered: process.seccomp = \"off\" is configured"
            );
            Ok(())
        }
    }
}
