//! What can be known about a process, and how it is asked for.
//!
//! This crate has the fact types, the names under which plugins declare what a selector is derived
//! from, and [`FactSource`], which `witgate-peer` implements over a live process and
//! [`fixture::Recorded`] over a JSON file. It knows neither Linux nor plugins nor policy.

mod error;
pub mod fixture;
mod name;
mod source;
mod types;

pub use self::{
    error::FactError,
    name::{FactName, FactSet, Interface, UnknownFact},
    source::{FactFuture, FactResult, FactSource},
    types::{
        Ancestor, CgroupClaim, CgroupTrust, Credentials, ExecutableInfo, Names, Namespace,
        Privileges,
    },
};
