//! Opening a file that somebody else may have put there, and reading it once.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use witgate_identity::Fault;

use crate::{Digest, limits::SIGNATURE_BYTES};

/// What is put behind the name of a component to get the name of its signature.
pub const SIGNATURE_SUFFIX: &str = ".minisig";

/// The bytes of a component and their digest. What was checked is what is loaded: whoever loads it
/// takes these bytes, and does not read the file again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    bytes: Vec<u8>,
    sha256: Digest,
}

impl Component {
    /// A component that is in memory already, such as one that was pulled.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        let sha256 = Digest::of(&bytes);
        Self { bytes, sha256 }
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Their digest.
    #[must_use]
    pub const fn sha256(&self) -> Digest {
        self.sha256
    }

    /// The bytes, to load.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Who may own and write a file that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Anybody: an author's own file, in an author's own program.
    Anyone,
    /// Root or ourselves, and nobody else may write it. Nothing is checked where there are no Unix
    /// permissions.
    RootOrUs,
}

/// A file that cannot be read, or must not be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The kernel refuses.
    #[error("cannot read {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// A symbolic link: what it points to can change under us.
    #[error("{path} is a symbolic link, which is not followed; give the file itself")]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// A folder, a pipe, a socket or a device.
    #[error("{path} is {found}, not a regular file")]
    NotAFile {
        /// What was named.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// Others than root and ourselves could put something else into it.
    #[error(
        "{path} may be written by {whom} (owner {uid}, mode {mode:04o}), who could put another \
         plugin into it; run chown root and chmod go-w"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Who may.
        whom: &'static str,
        /// Whose it is.
        uid: u32,
        /// Its permission bits.
        mode: u32,
    },
    /// Over the limit.
    #[error("{path} has more than {limit} bytes, which is the limit")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit, in bytes.
        limit: usize,
    },
    /// A text file that is not UTF-8.
    #[error("{path} is not UTF-8 text")]
    NotText {
        /// The file.
        path: PathBuf,
    },
}

impl ReadError {
    /// Whom to blame.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Io { .. } => Fault::Host,
            _ => Fault::Operator,
        }
    }
}

/// Reads a component, once.
///
/// # Errors
/// If it is a symbolic link, not a regular file, larger than `max_bytes`, exposed to others where
/// `owner` forbids that, or cannot be read.
pub fn read_component(path: &Path, max_bytes: usize, owner: Owner) -> Result<Component, ReadError> {
    read(path, max_bytes, owner).map(Component::new)
}

/// Reads the signature beside a component, `<component>.minisig`; none if there is none.
///
/// # Errors
/// As [`read_component`], and if it is not text.
pub fn read_signature(component: &Path, owner: Owner) -> Result<Option<String>, ReadError> {
    let mut path = component.as_os_str().to_owned();
    path.push(SIGNATURE_SUFFIX);
    read_text_if_there(Path::new(&path), SIGNATURE_BYTES, owner)
}

/// The text of a file; none if there is no such file.
pub(crate) fn read_text_if_there(
    path: &Path,
    max_bytes: usize,
    owner: Owner,
) -> Result<Option<String>, ReadError> {
    match read(path, max_bytes, owner) {
        Ok(bytes) => String::from_utf8(bytes)
            .map(Some)
            .map_err(|_| ReadError::NotText { path: path.to_owned() }),
        Err(ReadError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn read(path: &Path, max_bytes: usize, owner: Owner) -> Result<Vec<u8>, ReadError> {
    let failed = |source| ReadError::Io { path: path.to_owned(), source };
    let too_large = || ReadError::TooLarge { path: path.to_owned(), limit: max_bytes };
    let file = open(path)?;
    let metadata = file.metadata().map_err(failed)?;
    check_kind(path, &metadata)?;
    check_owner(path, &metadata, owner)?;
    let limit = u64::try_from(max_bytes).unwrap_or(u64::MAX);
    if metadata.len() > limit {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    // The file may grow while it is read; one byte more than the limit shows it.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > max_bytes { Err(too_large()) } else { Ok(bytes) }
}

/// Opens without following a link, without waiting for the other end of a pipe, and without making
/// a terminal ours.
#[cfg(unix)]
fn open(path: &Path) -> Result<File, ReadError> {
    use std::os::unix::fs::OpenOptionsExt as _;

    use rustix::{fs::OFlags, io::Errno};

    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let opened = File::options().read(true).custom_flags(flags.bits().cast_signed()).open(path);
    opened.map_err(|source| match Errno::from_io_error(&source) {
        Some(Errno::LOOP) => ReadError::Link { path: path.to_owned() },
        Some(Errno::NXIO) => ReadError::NotAFile { path: path.to_owned(), found: "a socket" },
        _ => ReadError::Io { path: path.to_owned(), source },
    })
}

#[cfg(not(unix))]
fn open(path: &Path) -> Result<File, ReadError> {
    File::open(path).map_err(|source| ReadError::Io { path: path.to_owned(), source })
}

fn check_kind(path: &Path, metadata: &std::fs::Metadata) -> Result<(), ReadError> {
    if metadata.is_file() {
        return Ok(());
    }
    let found = if metadata.is_dir() { "a folder" } else { "a pipe or a device" };
    Err(ReadError::NotAFile { path: path.to_owned(), found })
}

#[cfg(unix)]
fn check_owner(path: &Path, metadata: &std::fs::Metadata, owner: Owner) -> Result<(), ReadError> {
    use std::os::unix::fs::MetadataExt as _;

    let us = rustix::process::geteuid().as_raw();
    let (uid, mode) = (metadata.uid(), metadata.mode() & 0o7777);
    match exposed_to(uid, mode, us).filter(|_| owner == Owner::RootOrUs) {
        Some(whom) => Err(ReadError::Exposed { path: path.to_owned(), whom, uid, mode }),
        None => Ok(()),
    }
}

#[cfg(not(unix))]
fn check_owner(_: &Path, _: &std::fs::Metadata, _: Owner) -> Result<(), ReadError> {
    Ok(())
}

/// Who besides root and us may write a file of this owner and mode. Its owner always may: what the
/// mode forbids, the owner can allow again.
#[cfg(unix)]
const fn exposed_to(uid: u32, mode: u32, us: u32) -> Option<&'static str> {
    if mode & 0o002 != 0 {
        Some("everybody")
    } else if mode & 0o020 != 0 {
        Some("its group")
    } else if uid != 0 && uid != us {
        Some("another user")
    } else {
        None
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn only_roots_and_our_own_closed_files_are_not_exposed() {
        for (uid, mode, whom) in [
            (0, 0o644, None),
            (1000, 0o600, None),
            (1000, 0o755, None),
            (1001, 0o444, Some("another user")),
            (0, 0o664, Some("its group")),
            (1000, 0o620, Some("its group")),
            (0, 0o646, Some("everybody")),
            (1001, 0o777, Some("everybody")),
        ] {
            assert_eq!(exposed_to(uid, mode, 1000), whom, "{uid} {mode:o}");
        }
    }
}
