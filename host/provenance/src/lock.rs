//! `plugins.lock`: which plugins were wanted, as the exact bytes they had then.

mod parse;
mod write;

use std::{collections::BTreeMap, fmt, io, path::Path, path::PathBuf};

use witgate_identity::{Fault, PluginName};

use crate::{
    Digest, Note, Owner, ProvenanceError, ReadError, Version, file::read_text_if_there,
    limits::LOCK_BYTES, limits::LOCK_PLUGINS,
};

/// One plugin as it was pinned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// The operator's name for it.
    pub name: PluginName,
    /// The version that its author gave it.
    pub version: Version,
    /// What it is.
    pub sha256: Digest,
    /// Where it came from, as it was named then; to look at, not to load from.
    pub source: Note,
    /// The trusted key that had signed it when it was pinned; to look at. Whether a signature is
    /// needed is said by the policy, and checked every time.
    pub signed_by: Option<Note>,
}

/// Whether the lock file knows a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing<'a> {
    /// This very file is pinned.
    Pinned(&'a Pin),
    /// No plugin of this name is.
    NotPinned,
}

/// The plugins that may be loaded, by name.
///
/// ```toml
/// version = 1
///
/// [[plugin]]
/// name = "os"
/// version = "0.1.0"
/// sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
/// source = "registry.example/attestors/os:0.1.0"
/// signed_by = "release"
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LockFile {
    pins: BTreeMap<PluginName, Pin>,
}

impl LockFile {
    /// Reads a lock file; where there is none, nothing is pinned.
    ///
    /// # Errors
    /// If it is a link, not a regular file, too large, exposed to others where `owner` forbids
    /// that, cannot be read, or has mistakes: all of them are told.
    pub fn read(path: &Path, owner: Owner) -> Result<Self, LockError> {
        match read_text_if_there(path, LOCK_BYTES, owner)? {
            Some(text) => Ok(Self::parse(&path.display().to_string(), &text)?),
            None => Ok(Self::default()),
        }
    }

    /// Reads the text of a lock file that is called `file` in messages.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn parse(file: &str, text: &str) -> Result<Self, LockMistakes> {
        parse::parse(file, text).map(|pins| Self { pins })
    }

    /// Writes the file whole or not at all: what was there before stays until the new text is on
    /// the disk. It gets mode 0644.
    ///
    /// # Errors
    /// If `path` is a symbolic link, or the kernel refuses.
    pub fn write(&self, path: &Path) -> Result<(), LockError> {
        write::replace(path, &self.to_string())
    }

    /// The plugins, by name.
    pub fn pins(&self) -> impl ExactSizeIterator<Item = &Pin> {
        self.pins.values()
    }

    /// The plugin of a name.
    #[must_use]
    pub fn get(&self, name: &PluginName) -> Option<&Pin> {
        self.pins.get(name)
    }

    /// Whether the plugin of this name and version may have this digest.
    ///
    /// # Errors
    /// If another file of that name is pinned: one of the same version (changed), of a higher one
    /// (a downgrade) or of a lower one (an upgrade, which is to be pinned first).
    pub fn check(
        &self,
        name: &PluginName,
        version: &Version,
        sha256: Digest,
    ) -> Result<Standing<'_>, ProvenanceError> {
        let Some(pin) = self.pins.get(name) else { return Ok(Standing::NotPinned) };
        let found = || (name.clone(), version.clone(), pin.version.clone());
        if pin.sha256 == sha256 {
            if pin.version == *version {
                return Ok(Standing::Pinned(pin));
            }
            let (name, version, pinned_version) = found();
            return Err(ProvenanceError::Mislabelled { name, version, pinned_version, sha256 });
        }
        let (name, version, pinned_version) = found();
        let pinned = pin.sha256;
        Err(match version.cmp_precedence(&pinned_version) {
            std::cmp::Ordering::Equal => ProvenanceError::Changed { name, version, sha256, pinned },
            std::cmp::Ordering::Less => {
                ProvenanceError::Downgrade { name, version, sha256, pinned_version, pinned }
            }
            std::cmp::Ordering::Greater => {
                ProvenanceError::Upgrade { name, version, sha256, pinned_version, pinned }
            }
        })
    }

    /// Pins a plugin in the place of the one of that name, which is handed back.
    ///
    /// # Errors
    /// If that one has a higher version and `allow_downgrade` is false, or the file is full.
    pub fn pin(&mut self, pin: Pin, allow_downgrade: bool) -> Result<Option<Pin>, PinError> {
        match self.pins.get(&pin.name) {
            Some(old) if !allow_downgrade && pin.version.cmp_precedence(&old.version).is_lt() => {
                return Err(PinError::Downgrade {
                    name: pin.name,
                    version: pin.version,
                    pinned_version: old.version.clone(),
                });
            }
            None if self.pins.len() >= LOCK_PLUGINS => return Err(PinError::Full),
            _ => {}
        }
        Ok(self.pins.insert(pin.name.clone(), pin))
    }

    /// Forgets a plugin, and hands back what it was.
    pub fn unpin(&mut self, name: &PluginName) -> Option<Pin> {
        self.pins.remove(name)
    }
}

impl fmt::Display for LockFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write::render(self.pins.values(), f)
    }
}

/// A plugin that cannot be pinned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PinError {
    /// A higher version is pinned.
    #[error(
        "plugin {name}: version {version} is lower than {pinned_version}, which is pinned; \
         if going back is meant, say so: witgate plugin add --allow-downgrade"
    )]
    Downgrade {
        /// The plugin.
        name: PluginName,
        /// The version to be pinned.
        version: Version,
        /// The version that is.
        pinned_version: Version,
    },
    /// The lock file has as many plugins as it may have.
    #[error("the lock file has {LOCK_PLUGINS} plugins, which is the limit; remove one first")]
    Full,
}

impl PinError {
    /// Whom to blame.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        Fault::Operator
    }
}

/// A lock file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// It cannot or must not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Something in it is wrong.
    #[error(transparent)]
    Mistakes(#[from] LockMistakes),
    /// It cannot be written.
    #[error("cannot {operation} {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What was tried.
        operation: &'static str,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// It is a symbolic link.
    #[error("{path} is a symbolic link, and writing would not go where it points; remove the link")]
    Link {
        /// The link.
        path: PathBuf,
    },
}

impl LockError {
    /// Whom to blame.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Read(error) => error.fault(),
            Self::Write { .. } => Fault::Host,
            Self::Mistakes(_) | Self::Link { .. } => Fault::Operator,
        }
    }
}

/// One mistake in a lock file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LockMistake {
    /// The file, as it was named.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The key that it is about, such as `plugin.os.sha256`; empty for syntax errors.
    pub key: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for LockMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, key, message } = self;
        let colon = if key.is_empty() { "" } else { ": " };
        write!(f, "{file}:{line}: {key}{colon}{message}")
    }
}

/// Every mistake in a lock file, by line. There is at least one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct LockMistakes(Vec<LockMistake>);

impl LockMistakes {
    /// The mistakes, by line.
    #[must_use]
    pub fn as_slice(&self) -> &[LockMistake] {
        &self.0
    }
}

impl fmt::Display for LockMistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, mistake) in self.0.iter().enumerate() {
            let line_feed = if at > 0 { "\n" } else { "" };
            write!(f, "{line_feed}{mistake}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
