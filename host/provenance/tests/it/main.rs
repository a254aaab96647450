//! Against real files, and signatures that the `minisign` program (Debian: `minisign`) made.
#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what tests share is a test, too")]

mod admission;
mod files;
mod lock_file;
mod minisign;
mod signatures;
