use serde::{Deserialize, Serialize};

/// Why a fact is not there. The host's side of WIT `types.fact-error`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum FactError {
    /// The kernel does not let us read it.
    #[error("the kernel does not let us read it")]
    Denied,
    /// The process has exited; the request ends.
    #[error("the process has exited")]
    Gone,
    /// Anything else.
    #[error("{0}")]
    Io(String),
    /// Over the limit.
    #[error("it is larger than the limit")]
    TooLarge,
    /// This kernel, host or configuration does not have it.
    #[error("this host does not have it")]
    Unsupported,
}
