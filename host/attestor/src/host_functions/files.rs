use witgate_facts::{Capability, DirectoryEntry, FileRoot, FileStatus, is_plain_path};

use super::Told;
use crate::{
    Question,
    bindings::witgate::attestor::files as wit,
    limits,
    lines::printable,
    sandbox::{Sandbox, Stop},
};

impl wit::Host for Sandbox {
    async fn read(&mut self, root: wit::Root, path: String) -> Told<Option<Vec<u8>>> {
        let root = self.may_look("files.read", root, &path)?;
        let source = self.source(root.fact(), || Question::File(root, path.clone()))?;
        Ok(self.wait_for(root.fact(), source.file(root, &path)).await)
    }

    async fn entries(
        &mut self,
        root: wit::Root,
        path: String,
    ) -> Told<Option<Vec<wit::DirectoryEntry>>> {
        let root = self.may_look("files.entries", root, &path)?;
        let source = self.source(root.fact(), || Question::Entries(root, path.clone()))?;
        let found = self.wait_for(root.fact(), source.entries(root, &path)).await;
        Ok(found.map(|entries| entries.map(|all| all.into_iter().map(Into::into).collect())))
    }

    async fn status(&mut self, root: wit::Root, path: String) -> Told<Option<wit::FileStatus>> {
        let root = self.may_look("files.status", root, &path)?;
        let source = self.source(root.fact(), || Question::Status(root, path.clone()))?;
        let found = self.wait_for(root.fact(), source.status(root, &path)).await;
        Ok(found.map(|status| status.map(Into::into)))
    }
}

impl Sandbox {
    /// Whether this path may be looked at. A path that is none, as one with `..`, traps like one
    /// that was not asked for: it could only be a try to reach another.
    fn may_look(
        &mut self,
        function: &'static str,
        root: wit::Root,
        path: &str,
    ) -> wasmtime::Result<FileRoot> {
        let root = match root {
            wit::Root::Host => FileRoot::Host,
            wit::Root::Workload => FileRoot::Workload,
        };
        if !is_plain_path(path) || path.ends_with('/') {
            let path = printable(path, limits::REASON_BYTES);
            return Err(Stop::NoPath { function, path }.into());
        }
        self.may(function, path, &Capability::Path(root, path.to_owned()))?;
        self.log.paths.insert((root, path.to_owned()));
        if self.log.paths.len() > limits::PATHS {
            return Err(Stop::TooManyPaths.into());
        }
        Ok(root)
    }
}

impl From<DirectoryEntry> for wit::DirectoryEntry {
    fn from(entry: DirectoryEntry) -> Self {
        Self { name: entry.name, kind: entry.kind.as_str().to_owned() }
    }
}

impl From<FileStatus> for wit::FileStatus {
    fn from(status: FileStatus) -> Self {
        let FileStatus { kind, size, mode, uid, gid, modified } = status;
        Self { kind: kind.as_str().to_owned(), size, mode, uid, gid, modified }
    }
}
