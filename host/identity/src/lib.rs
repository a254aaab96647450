//! The nouns of the domain, without any I/O.
//!
//! A value that exists is valid: every type here is built by a checking constructor and has no
//! public fields. Everything that crosses a trust zone (plugin output, entries, requests) is
//! turned into these types at the border, so that code further in cannot meet a malformed one.

mod assurance;
mod decision_id;
mod fault;
#[cfg(test)]
mod fuzz;
mod name;
mod selector;
mod spiffe_id;
mod wanted;

pub use self::{
    assurance::Assurance,
    decision_id::{DecisionId, DecisionIdError, NodeName},
    fault::Fault,
    name::{KeyName, NameError, PluginName},
    selector::{Attested, Selector, SelectorError, SelectorSet},
    spiffe_id::{SpiffeId, SpiffeIdError, TrustDomain, encode_segment},
    wanted::Wanted,
};
