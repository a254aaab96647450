//! What a generation was made of, as digests of the files that were read.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use witgate_provenance::Digest;

/// Files that were read, each with the digest of what was in it. Two that are equal lead to the
/// same generation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Inputs(BTreeMap<PathBuf, Option<Digest>>);

impl Inputs {
    /// A file and what was in it.
    pub(crate) fn add(&mut self, file: &Path, content: &[u8]) {
        self.0.insert(file.to_path_buf(), Some(Digest::of(content)));
    }

    /// A file whose digest is known already.
    pub(crate) fn add_digest(&mut self, file: &Path, digest: Digest) {
        self.0.insert(file.to_path_buf(), Some(digest));
    }

    /// A file that was looked for and is not there.
    pub(crate) fn add_absent(&mut self, file: &Path) {
        self.0.insert(file.to_path_buf(), None);
    }

    /// The files.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        self.0.keys().map(PathBuf::as_path)
    }
}
