//! What a guest said, in the words of whoever checks it.

use witgate_report::{SaidKey, SaidManifest, SaidReport, SaidSelector, SaidUnknown};

use crate::bindings::exports::witgate::attestor::attestor as wit;

/// What `describe` said.
pub(crate) fn manifest(said: wit::Manifest) -> SaidManifest {
    let key = |key: wit::SelectorKey| SaidKey {
        key: key.key,
        meaning: key.meaning,
        example: key.example,
        derived_from: key.derived_from,
        named: key.named,
        stable: key.stable,
        single: key.single,
        secret: key.secret,
    };
    let keys = said.keys.into_iter().map(key).collect();
    SaidManifest { keys, config_schema: said.config_schema }
}

/// What `attest` said.
pub(crate) fn report(said: &wit::Report) -> SaidReport<'_> {
    let selectors = said.selectors.iter().map(|said| {
        let name = said.name.as_deref();
        SaidSelector { key: &said.key, name, value: &said.value }
    });
    let unknown =
        said.unknown.iter().map(|said| SaidUnknown { key: &said.key, reason: &said.reason });
    SaidReport { selectors: selectors.collect(), unknown: unknown.collect() }
}
