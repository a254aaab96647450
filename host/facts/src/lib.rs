//! What can be known about a process, and how it is asked for.
//!
//! This crate has the fact types, the names under which plugins declare what a selector is derived
//! from, and [`FactSource`], which `witgate-peer` implements over a live process and
//! [`fixture::Recorded`] over a JSON file. It knows neither Linux nor plugins nor policy.

mod blob;
mod capability;
mod endpoint;
mod error;
mod expected;
pub mod fixture;
#[cfg(test)]
mod fuzz;
mod name;
mod outcome;
mod plugin_toml;
mod recorder;
mod source;
mod types;

pub use self::{
    blob::Blob,
    capability::{
        CacheScope, Capabilities, Capability, CapabilityError, FileRoot, path as is_plain_path,
    },
    endpoint::{Endpoints, HttpError, HttpFuture, HttpRequest, HttpResponse},
    error::FactError,
    expected::{Expected, Said},
    name::{FactName, FactSet, Interface, UnknownFact},
    outcome::OutcomeKind,
    plugin_toml::PluginToml,
    recorder::{Recorder, Redaction},
    source::{FactFuture, FactResult, FactSource},
    types::{
        Ancestor, CgroupClaim, CgroupTrust, Credentials, DirectoryEntry, Doubt, ExecutableInfo,
        FileKind, FileStatus, Lifetimes, Names, Namespace, Privileges, SystemdUnit,
    },
};
