use std::{io, path::PathBuf};

use witgate_facts::Interface;

use crate::{FixtureError, Project, ProjectError};

/// Why there is no component.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The project itself is not in order.
    #[error(transparent)]
    Project(#[from] ProjectError),

    /// A fixture is not in order.
    #[error(transparent)]
    Fixture(#[from] FixtureError),

    /// A program that the language needs is not installed.
    #[error("{tool} is missing; {install}")]
    Missing {
        /// What is missing.
        tool: String,
        /// How to install it: exact packages and commands.
        install: String,
    },

    /// A program ran and said no.
    #[error("{step} failed\n{output}")]
    Failed {
        /// What was being done: `compiling with cargo`.
        step: String,
        /// What the program said, the last of it.
        output: String,
    },

    /// A file or folder.
    #[error("{doing} {}: {source}", .path.display())]
    Io {
        /// What was being done: `writing`.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it did not work.
        source: io::Error,
    },

    /// The compiled module cannot be made a component.
    #[error("{step} failed: {message}")]
    Component {
        /// What was being done.
        step: &'static str,
        /// What is wrong with it.
        message: String,
    },

    /// The component already says something else about itself.
    #[error(
        "the component already has a section `witgate:manifest` that is not {}; embed that file, or \
         nothing", .path.display()
    )]
    OtherManifest {
        /// The project's `plugin.toml`.
        path: PathBuf,
    },

    /// It calls an interface that its `plugin.toml` does not ask for.
    #[error(
        "{} does not ask for `{interface}`, which the plugin calls; add to its `requests`: {example:?}",
        .path.display()
    )]
    NotRequested {
        /// The project's `plugin.toml`.
        path: PathBuf,
        /// The interface.
        interface: String,
        /// A word that asks for it.
        example: &'static str,
    },
}

impl BuildError {
    /// An [`Io`](Self::Io) error.
    pub(crate) fn io(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }

    /// A [`NotRequested`](Self::NotRequested) error.
    pub(crate) fn not_requested(project: &Project, interface: Interface) -> Self {
        let example = match interface {
            Interface::Environ => "environ:NAME",
            Interface::Files => "files.workload:/PATH",
            Interface::Http => "http:NAME",
            Interface::Cache => "cache:process",
            other => other.as_str(),
        };
        Self::NotRequested { path: project.toml_path(), interface: interface.to_string(), example }
    }

    /// A [`Component`](Self::Component) error.
    pub(crate) fn component<E: std::fmt::Display>(step: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self::Component { step, message: format!("{error:#}") }
    }
}
