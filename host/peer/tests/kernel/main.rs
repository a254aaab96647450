//! The real kernel, real sockets, real processes.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene has failed")]

mod cgroups;
mod facts;
mod scene;
mod who;
