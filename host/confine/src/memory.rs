use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

use crate::error::ConfineError;

/// Nobody but root reads the memory of this process from now on, attaches to it or finds a core of it:
/// not another process of the same user either.
///
/// A program that this process begins is readable again until it calls this itself. Of its own
/// `/proc/self`, a process that is not root then cannot open `environ`, `auxv` and `mem`.
///
/// # Errors
/// [`ConfineError::Memory`]
pub fn keep_memory_private() -> Result<(), ConfineError> {
    // What the library reads there when first asked, and keeps: older kernels tell it nowhere else.
    let _ = rustix::param::page_size();
    let no_core = Rlimit { current: Some(0), maximum: Some(0) };
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .and_then(|()| setrlimit(Resource::Core, no_core))
        .map_err(|errno| ConfineError::Memory { source: errno.into() })
}
