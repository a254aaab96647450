//! New projects, built with the real toolchains.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what tests share is a test, too")]

mod c;
mod create;
mod mistakes;
mod rust;
mod scene;
