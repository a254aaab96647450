//! What plugins say, checked: their manifests and their reports.
//!
//! A plugin is never trusted, ours included, and whatever leaves its sandbox passes through here. No
//! engine is needed for that, so this can be attacked by itself.
//!
//! Invariants:
//!
//! - All of a manifest and all of a report is taken, or nothing.
//! - A selector has a key of the manifest, whose facts were all read in that very call, and the lowest
//!   level among them.
//! - No text of a guest that is passed on turns, hides or breaks the line that it stands in.

#[cfg(test)]
mod fuzz;
pub mod limits;
mod manifest;
mod printable;
mod report;
mod said;

pub use self::{
    manifest::{KeySpec, Manifest},
    printable::{deceives, printable},
    report::{Check, Checked, UnknownKey},
    said::{SaidKey, SaidManifest, SaidReport, SaidSelector, SaidUnknown},
};
