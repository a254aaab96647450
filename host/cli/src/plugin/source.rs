//! From what was typed, a file or a project, to a component.

use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use witgate_attestor::{PluginSpec, limits, read_requests};
use witgate_identity::PluginName;
use witgate_provenance::{Component, Owner, ReadError, read_component};
use witgate_workbench::{BuildError, Built, Progress, Project, ProjectError};

use crate::{
    exit::{Exit, Failure, is_permission, with_causes},
    output::remark,
};

/// Whether no source is in a folder or file of this name: what builds leave behind, and whatever
/// begins with a dot, where tools keep what is theirs (`.git`, `.venv`, `.pytest_cache`).
pub(crate) fn is_no_source(name: &OsStr) -> bool {
    const LEFT_BEHIND: [&str; 4] = ["build", "target", "node_modules", "__pycache__"];
    name.as_encoded_bytes().starts_with(b".") || LEFT_BEHIND.iter().any(|left| name == *left)
}

/// How deep folders are looked into: a link that leads back up must end somewhere.
const DEPTH: usize = 16;

/// A component, and where it is from.
#[derive(Debug)]
pub(crate) struct Source {
    /// The file.
    pub(crate) path: PathBuf,
    /// What is in it.
    pub(crate) component: Component,
    /// The project that it was built of.
    pub(crate) project: Option<PathBuf>,
}

impl Source {
    /// Reads a component, or that of a project, which is built first unless it is newer than all
    /// its sources.
    pub(crate) fn open(target: &Path, no_build: bool) -> Result<Self, Failure> {
        if !target.is_dir() {
            return Self::read(target, None);
        }
        let project = open_project(target)?;
        let component = component_of(&project);
        if no_build && !component.exists() {
            let message = format!("{} is not there; leave --no-build out", component.display());
            return Err(Failure::new(Exit::Usage, message));
        }
        if !no_build && is_outdated(&component, &project.dir) {
            build(&project.dir)?;
        }
        Self::read(&component, Some(project.dir))
    }

    /// Reads a component as it is.
    pub(crate) fn read(path: &Path, project: Option<PathBuf>) -> Result<Self, Failure> {
        let component = read_component(path, limits::COMPONENT_BYTES, Owner::Anyone)
            .map_err(|error| of_read(&error))?;
        Ok(Self { path: path.to_owned(), component, project })
    }

    /// As the plugin that its author means: everything that it asks for is granted.
    pub(crate) fn spec(&self) -> Result<PluginSpec, Failure> {
        let bytes = self.component.bytes().to_vec();
        let origin = self.path.display().to_string();
        let (name, grants) = match read_requests(&bytes) {
            Ok(toml) => (toml.name, toml.requests),
            // Loading it says what is wrong, in better words.
            Err(_) => (PluginName::new("plugin").map_err(Failure::internal)?, Default::default()),
        };
        Ok(PluginSpec { grants, for_author: true, ..PluginSpec::new(name, origin, bytes) })
    }
}

pub(crate) fn of_read(error: &ReadError) -> Failure {
    let exit = if is_permission(error) { Exit::Permission } else { Exit::Usage };
    Failure::new(exit, with_causes(error))
}

/// What is built is a folder, and is there.
fn require_folder(dir: &Path) -> Result<(), Failure> {
    let message = match fs::metadata(dir) {
        Ok(found) if !found.is_dir() => {
            format!("{} is a file; give the folder of a project", dir.display())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            format!("the folder {} does not exist", dir.display())
        }
        _ => return Ok(()),
    };
    Err(Failure::new(Exit::Usage, message))
}

/// The project in a folder.
pub(crate) fn open_project(dir: &Path) -> Result<Project, Failure> {
    require_folder(dir)?;
    Project::open(dir).map_err(|error: ProjectError| Failure::config(error.to_string()))
}

/// Where its component is, once it is built.
pub(crate) fn component_of(project: &Project) -> PathBuf {
    project.dir.join("build").join(format!("{}.wasm", project.name()))
}

/// Builds a project, saying on standard error what is being done.
pub(crate) fn build(dir: &Path) -> Result<Built, Failure> {
    require_folder(dir)?;
    let started = SystemTime::now();
    let built = witgate_workbench::build(dir, &mut Aloud).map_err(|error| of_build(&error))?;
    // A component that came out as it was is not written again; it is up to date all the same, but
    // for what was saved since the build began.
    if let Ok(file) = fs::File::options().write(true).open(&built.component) {
        let _ = file.set_modified(started);
    }
    Ok(built)
}

fn of_build(error: &BuildError) -> Failure {
    let exit = match error {
        BuildError::Missing { .. } => Exit::Unavailable,
        BuildError::Project(_) | BuildError::Fixture(_) => Exit::Config,
        _ => Exit::Deny,
    };
    Failure::new(exit, with_causes(error))
}

/// Says it on standard error.
struct Aloud;

impl Progress for Aloud {
    fn say(&mut self, line: &str) {
        remark(&format!("  {line}"));
    }
}

/// Whether a component is older than anything that it may have been made of.
pub(crate) fn is_outdated(component: &Path, project: &Path) -> bool {
    let built = fs::metadata(component).and_then(|found| found.modified());
    built.map_or(true, |built| newest(project, DEPTH).is_none_or(|newest| newest > built))
}

/// When the last change was made to any source below a folder.
fn newest(dir: &Path, depth: usize) -> Option<SystemTime> {
    let mut times = Vec::new();
    for path in entries(dir) {
        let Ok(found) = fs::metadata(&path) else { continue };
        times.extend(found.modified().ok().filter(|_| found.is_file()));
        if found.is_dir() && depth > 0 {
            times.extend(newest(&path, depth - 1));
        }
    }
    times.into_iter().max()
}

/// The folders below a folder in which sources are, and the folder itself.
pub(crate) fn source_folders(dir: &Path) -> Vec<PathBuf> {
    fn below(dir: &Path, depth: usize, found: &mut Vec<PathBuf>) {
        found.push(dir.to_owned());
        if depth > 0 {
            let folders = entries(dir).filter(|path| path.is_dir());
            folders.for_each(|folder| below(&folder, depth - 1, found));
        }
    }
    let mut found = Vec::new();
    below(dir, DEPTH, &mut found);
    found
}

/// What is in a folder, without what is no source.
fn entries(dir: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let listing = fs::read_dir(dir).into_iter().flatten().flatten();
    let source = |entry: &fs::DirEntry| !is_no_source(&entry.file_name());
    listing.filter(source).map(|entry| entry.path())
}
