//! What entries mean, through the public interface.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests")]

mod bad_files;
mod defaults;
mod explain;
mod guard;
mod load;
mod meaning;
mod suggest;
mod world;
