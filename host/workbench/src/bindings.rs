//! Bindings for languages whose generator is a Rust library.

use std::path::Path;

use wit_bindgen_core::{Files, WorldGenerator, wit_parser::Resolve};

use crate::{
    BuildError,
    workspace::{Workspace, write_if_changed},
};

/// Writes what a generator makes of the workspace's world into a folder.
pub(crate) fn generate(
    generator: &mut dyn WorldGenerator,
    work: &Workspace,
    out: &Path,
) -> Result<(), BuildError> {
    let step = "generating bindings";
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(&work.wit).map_err(BuildError::component(step))?;
    let world =
        resolve.select_world(&[package], Some("plugin")).map_err(BuildError::component(step))?;
    let mut files = Files::default();
    generator.generate(&mut resolve, world, &mut files).map_err(BuildError::component(step))?;
    for (name, content) in files.iter() {
        write_if_changed(&out.join(name), content)?;
    }
    Ok(())
}
