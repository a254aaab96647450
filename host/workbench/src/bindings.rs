//! Bindings for languages whose generator is a Rust library.

use std::path::Path;

use wit_bindgen_core::{Files, WorldGenerator};

use crate::{
    BuildError, component,
    workspace::{Workspace, write_if_changed},
};

/// Writes what a generator makes of the workspace's world into a folder.
pub(crate) fn generate(
    generator: &mut dyn WorldGenerator,
    work: &Workspace,
    out: &Path,
) -> Result<(), BuildError> {
    let (mut resolve, world) = component::world(&work.wit)?;
    let mut files = Files::default();
    generator
        .generate(&mut resolve, world, &mut files)
        .map_err(BuildError::component("generating bindings"))?;
    for (name, content) in files.iter() {
        write_if_changed(&out.join(name), content)?;
    }
    Ok(())
}
