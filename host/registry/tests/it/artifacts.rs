//! A component as the toolchain makes it, and what is said about it.

use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};
use witgate_identity::PluginName;
use witgate_provenance::Component;
use witgate_registry::{Artifact, Info};

/// Of the world `plugin`: everything imported, `attestor` exported, and nothing done.
pub(crate) fn component() -> Component {
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(wit).unwrap();
    let world = resolve.select_world(&[package], Some("plugin")).unwrap();
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).unwrap();
    let mut encoder = ComponentEncoder::default();
    encoder.validate(true).module(&module).unwrap();
    Component::new(encoder.encode().unwrap())
}

pub(crate) fn info() -> Info {
    Info {
        name: PluginName::new("os").unwrap(),
        version: "1.2.3".to_owned(),
        description: "The operating system of the workload's own root".to_owned(),
        created: "2026-01-02T03:04:05.678Z".parse().unwrap(),
    }
}

pub(crate) fn artifact<'a>(component: &'a Component, info: &'a Info) -> Artifact<'a> {
    Artifact { component, info, signature: None, floating_tags: false }
}

/// The text of an error with everything below it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(error) = below {
        text.push_str(": ");
        text.push_str(&error.to_string());
        below = error.source();
    }
    text
}
