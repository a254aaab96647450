//! What plugin authors build with: new projects, components, and the tools that both need, for
//! every guest language.
//!
//! A project is a folder with a `plugin.toml` and its sources. [`create`] writes one from the
//! example of its language, which is embedded here together with the language's SDK and the WIT
//! files, so that nothing is fetched. [`build`] runs the language's own toolchain and makes one
//! component of what comes out, with `plugin.toml` and the fixtures in it. What a component does is
//! none of this crate's business: it runs no guest.

mod bindings;
mod build;
mod component;
mod embedded;
mod error;
mod fixtures;
mod language;
mod progress;
mod project;
mod template;
mod tool;
mod workspace;

pub use self::{
    build::{Built, build, build_with_path},
    error::BuildError,
    fixtures::{FixtureError, FixtureFile, fixtures, fixtures_in},
    language::{Language, UnknownLanguage, check_toolchain},
    progress::{Progress, Silent},
    project::{Project, ProjectError},
    template::{Created, NewError, create},
    tool::{Tool, ToolStatus},
};
