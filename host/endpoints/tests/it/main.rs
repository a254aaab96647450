//! Endpoints against real servers: well-behaved ones, over Unix sockets and TLS, and hostile ones.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what tests share is a test, too")]

mod authority;
mod concurrency;
mod files;
mod hostile;
mod refused;
mod reload;
mod server;
mod settings;
mod tls;
mod unix;
