//! One request from peer to answer, and the memory of it.
//!
//! ```text
//! admit → [challenge] → facts → attest → evaluate → draft → audit → confirm → answer → publish
//! ```
//!
//! `request.rs` reads as that line. Each step takes what the one before it made, so that none can be
//! left out: an [`Answer::Granted`] can only be made from a [`witgate_peer::Confirmed`] value, that
//! only from a subject that is still the same process, and the audit record is written before. The
//! challenge needs a connection to ask on, so its two halves are called by whoever has one.
//!
//! This crate knows neither HTTP nor sockets nor configuration files.

mod admission;
mod answer;
pub mod audit;
mod delegated;
mod draft;
mod dry_run;
mod evidence;
mod facts_view;
mod generation;
mod metrics;
mod request;
mod ring;
mod time;
mod watch;
pub mod why;
mod you;

pub use self::{
    admission::{
        Admission, AdmissionLimits, BrokerPermit, CountedPermit, Permit, Shed, WatchPermit,
    },
    answer::{Answer, Grant, Refusal, Reply, Told},
    draft::reason_of,
    dry_run::DryRunError,
    generation::Generation,
    metrics::Metrics,
    request::{Caller, Decider, DeciderConfig},
    ring::{Filter, Horizon, Kept, Ring},
    watch::Watch,
};
pub use witgate_peer::Reads;
