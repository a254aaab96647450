//! The layer below the real library, against clients that are real or written by hand.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod authorities;
mod bounds;
mod challenges;
mod fuzz;
mod huffman;
mod layered;
mod reference;
mod server;
mod wire;
