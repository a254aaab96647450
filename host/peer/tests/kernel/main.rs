//! The real kernel, real sockets, real processes.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene has failed")]

mod cgroups;
mod delegated;
mod doubts;
mod environ;
mod exec;
mod facts;
mod files;
mod hang;
mod lifetimes;
mod recording;
mod ring;
mod scene;
mod senders;
mod who;
