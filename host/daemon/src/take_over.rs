//! `serve --take-over`: one daemon follows another on the same sockets, and no connect fails.
//!
//! The successor loads everything first, and then asks on the admin socket of the one that serves:
//!
//! ```text
//! successor   take-over {"sockets":[…],"audit":"…"}     what it is configured to own; must be the same
//! owner       {"sockets":["/run/…/api.sock",…]}         with each listening socket and its lock
//! successor   ready
//!             the owner stops accepting, answers who has asked, closes the audit log
//! owner       {"connections":3,"brokers":1}             with the log's lock and who has said nothing yet
//! successor   serving
//! ```
//!
//! - **One owner.** Locks are never let go: the open file goes along, and the lock with it. The owner
//!   owns until it has sent its last message, and the successor from then on.
//! - **Nobody is lost.** Who connects meanwhile waits in the socket's own queue. Who has connected and
//!   said nothing is passed on. Who has asked is answered by the daemon that was asked; its streams
//!   end with `not_ready`.
//! - **Either may die.** Until the successor serves, the owner goes on if that process ends, at whatever
//!   point it does. If the owner ends before its last message, the successor ends, too. A place whose
//!   daemon is dead is there for a plain start.
//! - **Who may.** A process of root or of the owner's own uid, by the credentials of its connection. It
//!   is in the audit log.

mod give;
mod receive;
mod rights;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub(crate) use self::{
    give::{Estate, Given, Successor, is_request},
    receive::{Inheritance, Left},
};
use crate::{
    config::{Config, ListenConfig},
    daemon::audit_config,
};

/// What a request begins with. HTTP methods are upper case.
const REQUEST: &str = "take-over ";
/// Says that everything is loaded and what came was right.
const READY: &str = "ready";
/// Says that connections are answered from here on.
const SERVING: &str = "serving";
/// Longest line in bytes: the paths of three sockets, one of a folder, and what surrounds them.
const MAX_LINE: usize = 16 * 1024;

/// Why there is no take-over. The daemon that serves is not touched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TakeOverError {
    /// Another process is taking over at the same time.
    #[error("{}: another process is taking over from the daemon there; try again", path.display())]
    Busy {
        /// Its admin socket.
        path: PathBuf,
    },
    /// The one that serves has other sockets or another audit log.
    #[error(
        "{}: the daemon there is configured differently ({what}); stop it and start this one", path.display()
    )]
    Differs {
        /// Its admin socket.
        path: PathBuf,
        /// In what.
        what: String,
    },
    /// It did not let us.
    #[error("{}: the daemon there does not hand over: {why}", path.display())]
    Refused {
        /// Its admin socket.
        path: PathBuf,
        /// Its words.
        why: String,
    },
    /// It belongs to somebody else, and what it hands over could be anything.
    #[error("{}: a process of uid {uid} listens there; only a daemon of root or of this user is taken over from", path.display())]
    Stranger {
        /// The admin socket.
        path: PathBuf,
        /// Whose it is.
        uid: u32,
    },
    /// It ended, or said something that is not part of a take-over.
    #[error("{}: the take-over broke off: {source}; it goes on serving if it is still there", path.display())]
    Broken {
        /// Its admin socket.
        path: PathBuf,
        /// How.
        source: std::io::Error,
    },
}

/// What a daemon owns, as far as two of them have to agree on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Holdings {
    sockets: Vec<Socket>,
    audit: PathBuf,
}

/// A listening socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Socket {
    path: PathBuf,
    mode: u32,
}

impl Holdings {
    fn of(config: &Config) -> Self {
        let socket =
            |listen: &ListenConfig| Socket { path: listen.path.clone(), mode: listen.mode };
        let broker = config.broker.as_ref().map(|broker| &broker.listen);
        let all = [Some(&config.public), Some(&config.admin), broker].into_iter().flatten();
        Self { sockets: all.map(socket).collect(), audit: audit_config(config).dir }
    }

    /// In what another one differs, in words; none if it does not.
    fn difference(&self, other: &Self) -> Option<String> {
        if self.audit != other.audit {
            return Some(format!("its audit log is in {}", self.audit.display()));
        }
        let missing = self.sockets.iter().find(|socket| !other.sockets.contains(socket));
        let words = |socket: &Socket| {
            format!("it listens on {} with mode {:o}", socket.path.display(), socket.mode)
        };
        match missing {
            Some(socket) => Some(words(socket)),
            None if self.sockets.len() != other.sockets.len() => {
                Some("it listens on fewer sockets".to_owned())
            }
            None => None,
        }
    }
}

/// The owner's answer to a request.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Offer {
    /// A socket and its lock for each of these paths, in this order.
    Sockets(Vec<PathBuf>),
    /// It is configured differently.
    Differs(String),
    /// Another one is taking over.
    Busy,
    /// Not to this one.
    Refused(String),
}

/// The owner's last message: the lock of the audit log, this many connections of workloads, and then this
/// many of brokers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Legacy {
    connections: usize,
    #[serde(default, skip_serializing_if = "is_none")]
    brokers: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
const fn is_none(number: &usize) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_daemons_have_to_agree_on() {
        let socket = |path: &str, mode| Socket { path: path.into(), mode };
        let owner = Holdings {
            sockets: vec![socket("/a", 0o666), socket("/b", 0o660)],
            audit: "/log".into(),
        };
        assert_eq!(owner.difference(&owner), None);
        let differs = |sockets: Vec<Socket>, audit: &str| {
            owner.difference(&Holdings { sockets, audit: audit.into() }).unwrap()
        };
        let same = owner.sockets.clone();
        assert_eq!(differs(same, "/other"), "its audit log is in /log");
        let mode = vec![socket("/a", 0o600), socket("/b", 0o660)];
        assert_eq!(differs(mode, "/log"), "it listens on /a with mode 666");
        let more = vec![socket("/a", 0o666), socket("/b", 0o660), socket("/c", 0o600)];
        assert_eq!(differs(more, "/log"), "it listens on fewer sockets");
    }
}
