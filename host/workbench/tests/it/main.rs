//! New projects, built with the real toolchains.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what tests share is a test, too")]

mod c;
mod create;
mod go;
mod javascript;
mod mistakes;
mod python;
mod rust;
mod scene;
