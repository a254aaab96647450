//! What a guest can call: one file per interface, named as the one in `wit/`.
//!
//! They translate and count; what may be called when, and what is noted about it, is in
//! [`crate::sandbox`]. Whether an interface is there at all is decided in [`crate::linker`].

mod ancestry;
mod cache;
mod cgroups;
mod cmdline;
mod config;
mod environ;
mod executable;
mod files;
mod http;
mod log;
mod namespaces;
mod process;
mod systemd;

use crate::{bindings::witgate::attestor::types, sandbox::Sandbox};

/// What the guest gets for a fact; the outer error traps.
type Told<T> = wasmtime::Result<Result<T, types::FactError>>;

impl types::Host for Sandbox {}
