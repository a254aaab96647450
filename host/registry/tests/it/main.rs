//! Against a real registry (Debian: `docker-registry`), another tool (`curl`), and servers that lie.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what tests share is a test, too")]

mod artifacts;
mod curl;
mod interop;
mod login;
mod pushing;
mod registry;
mod rogue;
mod rogue_login;
mod round_trip;
mod server;
