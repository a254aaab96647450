//! The daemon: configuration, listeners and connections. It composes the other crates and holds no
//! parsing, matching or page logic.
//!
//! ```text
//! connection   accept → peer → admit → detect protocol → serve
//! request      admit → facts → attest → evaluate → draft → audit → confirm → answer → publish
//! ```
//!
//! The first line is [`connection`](self), the second is `witgate-decision`.

mod admin_connection;
mod answer;
pub mod config;
mod connection;
mod daemon;
mod first;
mod gateway;
mod http;
pub mod listener;
pub mod load;
mod rewound;

pub use self::daemon::{Daemon, StartError};
