use serde::{Deserialize, Serialize};

/// Whom an error blames. Log level and metrics follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Fault {
    /// Our own process, or the kernel refusing us.
    Host,
    /// Configuration or entries.
    Operator,
    /// A component that misbehaved.
    Plugin,
    /// The process on the other end of the socket.
    Workload,
}
