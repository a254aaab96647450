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
mod broker_connection;
mod causes;
pub mod config;
mod confinement;
mod connection;
mod core;
mod daemon;
mod endpoint_sets;
mod first;
mod folder_watch;
mod frames;
mod gateway;
mod grpc;
mod history;
mod http;
mod inputs;
mod line;
pub mod listener;
pub mod load;
mod places;
mod rewound;
mod serving;
mod supply;
mod take_over;
mod views;

pub use self::{
    confinement::confine,
    daemon::{Daemon, StartError},
    take_over::TakeOverError,
};
