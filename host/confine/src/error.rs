use std::io;

/// Why a process did not give something up. Whoever gets this must not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfineError {
    /// The memory stays readable.
    #[error("the memory of this process cannot be kept from others: {source}")]
    Memory {
        /// What the kernel said.
        source: io::Error,
    },
    /// The capabilities stay.
    #[error("the capabilities of this process cannot be given up: {source}")]
    Capabilities {
        /// What the kernel said.
        source: io::Error,
    },
    /// There is no list of calls for this machine.
    #[error("calls of the kernel cannot be filtered on {arch}")]
    Architecture {
        /// The machine.
        arch: &'static str,
    },
    /// The filter of calls is not in effect.
    #[error("the filter of calls of the kernel cannot be installed: {source}")]
    Filter {
        /// What the library or the kernel said.
        source: seccompiler::Error,
    },
    /// Landlock says something else than that it is not there.
    #[error("files and network cannot be given up: {source}")]
    Files {
        /// What the library or the kernel said.
        source: landlock::RulesetError,
    },
    /// This process could not look at itself.
    #[error("{path}: {source}")]
    Look {
        /// The file of `/proc`.
        path: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}
