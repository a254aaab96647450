//! Putting a plugin into a daemon: several files that take effect together, or not at all.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use hyper::Method;
use witgate_admin::ReloadReport;
use witgate_daemon::config::Layout;
use witgate_identity::PluginName;
use witgate_provenance::{LockFile, SIGNATURE_SUFFIX};

use super::configuration::BUILTINS;
use crate::{
    admin_client::ask,
    args::Place,
    exit::{Exit, Failure, is_permission, with_causes},
    put::{put, put_as},
};

/// What is put in place.
#[derive(Debug)]
pub(crate) struct Installation<'a> {
    pub(crate) name: &'a PluginName,
    pub(crate) component: &'a [u8],
    pub(crate) signature: Option<&'a str>,
    /// The file of its configuration, and the text.
    pub(crate) configuration: (&'a Path, String),
    /// With the plugin pinned; none: as it is.
    pub(crate) lock: Option<&'a LockFile>,
    /// Write down that the built-in plugins stay.
    pub(crate) keep_builtins: bool,
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Effect {
    /// The daemon has taken it.
    Now(Box<ReloadReport>),
    /// There is no daemon; the next one will.
    AtStart,
}

/// Puts everything in place and lets the daemon reload. If it does not take it, everything is put
/// back as it was.
pub(crate) fn install(
    place: &Place,
    layout: &Layout,
    parts: &Installation<'_>,
) -> Result<Effect, Failure> {
    let mut changes = Changes::default();
    let taken = put_all(layout, parts, &mut changes).and_then(|()| reload(place));
    let failure = match taken {
        Ok(None) => return Ok(Effect::AtStart),
        Ok(Some(report)) if report.ok => return Ok(Effect::Now(Box::new(report))),
        Ok(Some(report)) => Failure::config(report.errors.join("\n")),
        Err(failure) => failure,
    };
    if let Err(error) = changes.undo() {
        let message = format!("{failure}\nand it cannot be put back as it was: {error}");
        return Err(Failure::new(failure.exit, message));
    }
    // The daemon tried files that are gone; what it thinks of those that are there is up to date.
    let _ = reload(place);
    let message = format!("{failure}\nnothing was changed");
    Err(Failure::new(failure.exit, message))
}

/// The component first and its configuration last: a daemon that watches the files sees nothing that
/// names what is not there yet.
fn put_all(
    layout: &Layout,
    parts: &Installation<'_>,
    changes: &mut Changes,
) -> Result<(), Failure> {
    let component = layout.plugins.join(format!("{}.wasm", parts.name));
    let signature = PathBuf::from(format!("{}{SIGNATURE_SUFFIX}", component.display()));
    let (configuration, text) = &parts.configuration;
    changes.folder(&layout.plugins)?;
    changes.folder(&layout.config_dir)?;
    match parts.signature {
        Some(text) => changes.file(&signature, text.as_bytes())?,
        // One that is left from another component would be a bad one.
        None => changes.remove(&signature)?,
    }
    changes.file(&component, parts.component)?;
    if let Some(lock) = parts.lock {
        changes.lock(&layout.lock, lock)?;
    }
    if parts.keep_builtins {
        changes.file(&layout.config_dir.join("00-builtins.toml"), BUILTINS.as_bytes())?;
    }
    changes.file(configuration, text.as_bytes())
}

/// Asks the daemon to take what is there; none if there is no daemon.
fn reload(place: &Place) -> Result<Option<ReloadReport>, Failure> {
    let answer = match ask(&place.admin_socket()?, Method::POST, "/api/v1/reload") {
        Err(failure) if failure.exit == Exit::Unavailable => return Ok(None),
        answer => answer?,
    };
    let answer = if answer.status == 409 { answer } else { answer.or_problem()? };
    answer.json().map(Some)
}

/// What was changed, and how it was before.
#[derive(Debug, Default)]
struct Changes(Vec<Before>);

#[derive(Debug)]
enum Before {
    /// A folder that was not there.
    Folder(PathBuf),
    /// A file with its content and mode, or none.
    File(PathBuf, Option<(Vec<u8>, u32)>),
}

impl Before {
    /// A file as it is now.
    fn of(path: &Path) -> Result<Self, Failure> {
        use std::os::unix::fs::PermissionsExt as _;
        let before = match fs::read(path) {
            Ok(content) => {
                let mode = fs::metadata(path).map(|found| found.permissions().mode());
                Some((content, mode.map_err(|error| of_io(path, &error))? & 0o777))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(of_io(path, &error)),
        };
        Ok(Self::File(path.to_owned(), before))
    }
}

/// A change that failed is none, and needs no undoing.
impl Changes {
    fn folder(&mut self, path: &Path) -> Result<(), Failure> {
        let new = path.ancestors().take_while(|above| !above.exists()).map(Path::to_owned);
        let new: Vec<_> = new.filter(|above| !above.as_os_str().is_empty()).collect();
        self.0.extend(new.into_iter().rev().map(Before::Folder));
        fs::create_dir_all(path).map_err(|error| of_io(path, &error))
    }

    fn file(&mut self, path: &Path, content: &[u8]) -> Result<(), Failure> {
        let before = Before::of(path)?;
        put(path, content).map_err(|error| of_io(path, &error))?;
        self.0.push(before);
        Ok(())
    }

    fn lock(&mut self, path: &Path, lock: &LockFile) -> Result<(), Failure> {
        let before = Before::of(path)?;
        lock.write(path).map_err(|error| {
            let exit = if is_permission(&error) { Exit::Permission } else { Exit::Config };
            Failure::new(exit, with_causes(&error))
        })?;
        self.0.push(before);
        Ok(())
    }

    fn remove(&mut self, path: &Path) -> Result<(), Failure> {
        if !path.exists() {
            return Ok(());
        }
        let before = Before::of(path)?;
        fs::remove_file(path).map_err(|error| of_io(path, &error))?;
        self.0.push(before);
        Ok(())
    }

    /// Puts everything back, the last first.
    fn undo(self) -> io::Result<()> {
        let mut result = Ok(());
        for before in self.0.into_iter().rev() {
            let undone = match before {
                Before::File(path, Some((content, mode))) => put_as(&path, &content, mode),
                Before::File(path, None) => match fs::remove_file(path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                    _ => Ok(()),
                },
                // Somebody else may have put something into it.
                Before::Folder(path) => {
                    let _ = fs::remove_dir(path);
                    Ok(())
                }
            };
            result = result.and(undone);
        }
        result
    }
}

fn of_io(path: &Path, error: &io::Error) -> Failure {
    let exit = match error.kind() {
        io::ErrorKind::PermissionDenied => Exit::Permission,
        _ => Exit::Internal,
    };
    Failure::new(exit, format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_changed_needs_no_undoing() {
        // A file that can be read, in a folder in which nobody can make or remove one.
        let fixed = Path::new("/proc/self/comm");
        let mut changes = Changes::default();
        assert!(changes.file(fixed, b"x").is_err());
        assert!(changes.lock(fixed, &LockFile::default()).is_err());
        assert!(changes.remove(fixed).is_err());
        changes.undo().unwrap();
    }

    #[test]
    fn what_was_changed_is_put_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("old"), "old").unwrap();
        let mut changes = Changes::default();
        changes.folder(&path("a/b")).unwrap();
        changes.file(&path("a/b/new"), b"new").unwrap();
        changes.file(&path("old"), b"new").unwrap();
        changes.remove(&path("old")).unwrap();
        changes.undo().unwrap();
        assert_eq!(fs::read(path("old")).unwrap(), b"old");
        assert!(!path("a").exists());
    }
}
