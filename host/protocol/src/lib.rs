//! The words on the public socket: requests, answers, reason codes, limits.
//!
//! Everything here is a value or a pure function from bytes to a value and back; who reads the
//! bytes, and when they are too late, is the daemon's business. The daemon and the client crate
//! share these types, so a frame has one definition, and `tests/golden` keeps it.
//!
//! ```text
//! first byte --detect--> Protocol::Http --Ask::from_http--+
//!                        Protocol::Line --Line::parse-----+--> Ask --> AttestAnswer | WhoamiAnswer
//!                        Protocol::Unknown --> Problem                 | WatchEvent.. | HealthAnswer
//!                                                                      | Problem
//! ```
//!
//! Input is hostile, so nothing in this crate may index or slice.
#![warn(clippy::indexing_slicing, clippy::string_slice)]

mod answer;
mod ask;
mod challenge;
mod detect;
pub mod frame;
#[cfg(test)]
mod fuzz;
mod invitation;
pub mod limits;
mod people;
mod problem;
mod reason;
mod watch;

pub use self::{
    answer::{
        AttestAnswer, CgroupPath, Decision, HealthAnswer, Identity, Outcome, VERSION, WhoamiAnswer,
        You,
    },
    ask::{Ask, AskError, Dialect, Line},
    challenge::{Authorization, Nonce},
    detect::{Protocol, detect},
    invitation::Invitation,
    problem::Problem,
    reason::Reason,
    watch::{Cause, WatchEvent},
};
