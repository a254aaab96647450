//! From an accepted socket to a process that can still be recognised later.
//!
//! ```text
//! accepted socket ─ Subject::accept ─▶ Subject ─ collect ─▶ ProcessFacts ─ bind ─▶ Bound<T>
//!                    credentials          │                                        │ map
//!                    pidfd, alive         └──────────────── confirm ◀──────────────┘
//!                    ids agree                                 │
//!                    /proc/<pid> opened once                   ▼ Confirmed<T>: may be answered
//! ```
//!
//! What holds throughout:
//!
//! - The number of a process identifies nothing. Everything about a peer is read through its pidfd,
//!   or through a directory of `/proc` that was opened between two looks at the pidfd that said
//!   *alive*: a number cannot be reused while its process lives.
//! - Nothing here falls back to a weaker way when a system call fails; [`Tier`] is found once, at
//!   start, by [`Kernel::probe`].
//! - What the workload can make slow (file content, its memory: arguments and environment) is read on
//!   threads that may hang, see [`FactReader::reads`]; everything else is text that the kernel makes.
//! - Files are named, checked and then read by the same descriptor: those of the host
//!   (`files.host`) below directories that only root can write, those of the workload
//!   (`files.workload`) inside its own root. Every path is looked at once in a request.
//! - A value computed from a subject's facts leaves its [`Bound`] only through
//!   [`Subject::confirm`], which looks at the process again. Where a broker asked about it, only after the
//!   broker was looked at, too.

mod bounded_read;
mod cgroups;
mod confirm;
mod error;
mod facts;
mod file_systems;
pub mod limits;
mod names;
mod namespaces;
mod parse;
mod passed;
mod pid;
mod probe;
mod process_directory;
mod reader;
mod stream;
mod subject;
mod sys;
mod workers;

pub use self::{
    cgroups::Bucket,
    confirm::{Bound, Confirmed},
    error::{Change, Id, PeerError, ProbeError, Step, Stranger},
    facts::{ProcessFacts, Summary},
    passed::{BrokerStream, NoSubject},
    pid::Pid,
    probe::{Capability, Kernel, Need, Privilege, Tier},
    reader::{FactReader, ReadSettings},
    stream::{OtherSenders, PeerStream, Sender},
    subject::{Challenge, Connected, Delegated, ExecWatchKind, Observed, Subject},
    sys::mark_senders,
    workers::Reads,
};
