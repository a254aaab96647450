use std::{io, path::PathBuf, time::Duration};

use witgate_identity::Fault;

/// Why a record was not written, or the log not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// A write failed. The file is closed for good; this record is lost, the next goes to a new
    /// file.
    #[error("writing the audit log failed; the record is not in it")]
    Broken {
        /// How it failed.
        source: io::Error,
    },
    /// Another daemon writes to this folder.
    #[error("another process writes the audit log in {}", dir.display())]
    Busy {
        /// The folder.
        dir: PathBuf,
    },
    /// After [`super::Audit::close`].
    #[error("the audit log is closed")]
    Closed,
    /// Something in the folder cannot be opened, created or read.
    #[error("audit log: cannot {what} {}", path.display())]
    Io {
        /// What we tried.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// How it failed.
        source: io::Error,
    },
    /// The signing key is not one, or is gone while the log is still there.
    #[error("audit log: {} {problem}", path.display())]
    Key {
        /// The key's file.
        path: PathBuf,
        /// What is wrong.
        problem: &'static str,
    },
    /// No room on the disk for this record, the reserve included where it may be used.
    #[error("no room for an audit record: {free} bytes free")]
    NoRoom {
        /// Free bytes of the filesystem.
        free: u64,
    },
    /// This uid has had its share of this window.
    #[error("uid {uid} has used up its share of the audit log")]
    OverBudget {
        /// The uid.
        uid: u32,
        /// When the window ends.
        retry_after: Duration,
    },
    /// The payload is not JSON.
    #[error("the record cannot be written as JSON")]
    Serialise {
        /// Why.
        source: serde_json::Error,
    },
    /// The payload is larger than any record may be.
    #[error("an audit record of {len} bytes")]
    TooLarge {
        /// Its length in bytes.
        len: usize,
    },
    /// The folder or the key could be changed by others.
    #[error("{} has mode {mode:o} and owner {owner}; it must be ours alone", path.display())]
    Unsafe {
        /// The folder or file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// Its owner.
        owner: u32,
    },
}

impl AuditError {
    /// Whom it blames.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::OverBudget { .. } => Fault::Workload,
            Self::Busy { .. } | Self::Key { .. } | Self::Unsafe { .. } => Fault::Operator,
            _ => Fault::Host,
        }
    }
}
