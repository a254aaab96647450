use std::{fmt, io, path::PathBuf, time::Duration};

use witgate_identity::Fault;
use witgate_protocol::{Problem, VERSION, limits::MAX_ANSWER};

/// A socket that was not there, or that nobody listens on.
#[derive(Debug)]
pub struct Tried {
    /// Where we looked.
    pub path: PathBuf,
    /// What happened.
    pub source: io::Error,
}

/// Why there is no answer, or not the one hoped for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// What came is not an answer.
    #[error("not an answer of this protocol")]
    BadAnswer {
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The connection ended before the answer did.
    #[error("the daemon closed the connection before the end of its answer")]
    CutOff,
    /// The connection failed.
    #[error("the connection to {} failed", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// How.
        source: io::Error,
    },
    /// We may not connect.
    #[error("no permission to connect to {}", path.display())]
    NoPermission {
        /// The socket.
        path: PathBuf,
    },
    /// No daemon was found.
    #[error("witgate is not running here; tried {}", List(tried))]
    NotRunning {
        /// Every place we looked at, in order.
        tried: Vec<Tried>,
    },
    /// The daemon says no, or that it cannot say.
    #[error("{}: {}{}", _0.reason, _0.detail, Help(_0))]
    Refused(Box<Problem>),
    /// Nothing within the deadline.
    #[error("no answer within {} s", after.as_secs_f32())]
    TimedOut {
        /// The deadline.
        after: Duration,
    },
    /// An answer line of more than [`MAX_ANSWER`] bytes.
    #[error("the answer is longer than {MAX_ANSWER} bytes")]
    TooLong,
    /// An answer of another version of the protocol.
    #[error("the daemon speaks version {version} of the protocol, this client {VERSION}")]
    Version {
        /// The daemon's version.
        version: u64,
    },
}

impl ClientError {
    /// Whom it blames.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Refused(problem) => problem.reason.fault(),
            Self::NoPermission { .. } => Fault::Operator,
            _ => Fault::Host,
        }
    }

    /// Whether asking again after a pause may help.
    #[must_use]
    pub fn retryable(&self) -> bool {
        match self {
            Self::Refused(problem) => problem.reason.retryable(),
            Self::CutOff | Self::Io { .. } | Self::NotRunning { .. } | Self::TimedOut { .. } => {
                true
            }
            _ => false,
        }
    }
}

struct List<'a>(&'a [Tried]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, tried) in self.0.iter().enumerate() {
            let comma = if number == 0 { "" } else { ", " };
            write!(f, "{comma}{} ({})", tried.path.display(), tried.source)?;
        }
        Ok(())
    }
}

struct Help<'a>(&'a Problem);

impl fmt::Display for Help<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.help.as_ref().map_or(Ok(()), |help| write!(f, " ({help})"))
    }
}
