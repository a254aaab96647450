//! What the attestors `docker`, `podman` and `podman-rootless` share: asking a container engine about
//! one container, and what its answer says.
//!
//! ```text
//! id (from control groups) → cache → ask → agree → findings → cache → report
//! ```
//!
//! - **The id is never the engine's.** It comes from the control group; the engine is asked about exactly
//!   this container, and an answer about another one, or one that does not run, is a failure.
//! - **What is not said is unknown.** A field that the engine leaves out is not taken for its default.
//! - **Everything is bounded by itself.** A container with ten thousand labels has no `label`; its
//!   other keys are there.
//! - **What was found is kept**, so that a second decision asks nobody. What can change while a container
//!   runs is kept for a minute, the rest for as long as the cache allows.

mod answer;
mod ask;
mod container;
mod engine;
mod environment;
mod findings;
mod keep;
pub mod keys;
mod mounts;
mod rootful;
mod settings;

#[cfg(test)]
mod fuzz;

pub use self::{
    engine::{Api, Engine},
    environment::{EnvironmentSettings, VariableName},
    settings::{RootfulSettings, RootlessSettings},
};
