//! Files of the host and of the workload's own root: one look at each path in a request, whose result
//! all plugins share.
//!
//! No path is followed twice. A file is named first (`O_PATH`, which no device, pipe or socket
//! notices), what was named is checked, and then that very file is read, by its descriptor: whoever
//! puts another in its place meanwhile is too late.

mod access;
mod host;
mod seen;
mod workload;

use std::{
    collections::HashMap,
    os::fd::{AsFd as _, OwnedFd},
    sync::{Arc, Mutex, PoisonError},
};

use rustix::{fs::FileType, io::Errno};
use tokio::sync::OnceCell;
use witgate_facts::{Credentials, DirectoryEntry, FactError, FactResult, FileRoot, FileStatus};

use self::{access::Access, seen::Seen};
use super::pinned::Pinned;
use crate::{
    error::fact_error,
    limits,
    process_directory::ProcessDirectory,
    sys::{FileStat, Sys},
};

/// What is found under a path; none if there is nothing.
type Look = FactResult<Option<Arc<Seen>>>;

/// Where the one look at a path is kept, which several plugins may wait for.
type Place = Arc<OnceCell<Look>>;

/// What has been seen in this request.
#[derive(Debug, Default)]
pub(super) struct Files(Mutex<HashMap<(FileRoot, String), Place>>);

impl Files {
    /// Content of a regular file.
    pub(super) async fn content(
        &self,
        pinned: &Pinned,
        root: FileRoot,
        path: &str,
    ) -> FactResult<Option<Vec<u8>>> {
        match self.look(pinned, root, path).await? {
            Some(seen) => seen.content.clone().map(Some),
            None => Ok(None),
        }
    }

    /// What is in a directory.
    pub(super) async fn entries(
        &self,
        pinned: &Pinned,
        root: FileRoot,
        path: &str,
    ) -> FactResult<Option<Vec<DirectoryEntry>>> {
        match self.look(pinned, root, path).await? {
            Some(seen) => seen.entries.clone(),
            None => Ok(None),
        }
    }

    /// What the file system says about it.
    pub(super) async fn status(
        &self,
        pinned: &Pinned,
        root: FileRoot,
        path: &str,
    ) -> FactResult<Option<FileStatus>> {
        Ok(self.look(pinned, root, path).await?.map(|seen| seen.status.clone()))
    }

    async fn look(&self, pinned: &Pinned, root: FileRoot, path: &str) -> Look {
        // Grants have a slash at the end of a directory's name; here it says nothing.
        let path = path.trim_end_matches('/').to_owned();
        let place = self.place(root, &path)?;
        let credentials = Arc::clone(&pinned.credentials);
        let look = || pinned.read(move |process| look(process, &credentials, root, &path));
        place.get_or_init(look).await.clone()
    }

    fn place(&self, root: FileRoot, path: &str) -> FactResult<Place> {
        // Only whole values are ever put in.
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (root, path.to_owned());
        if places.len() >= limits::PATHS && !places.contains_key(&key) {
            return Err(FactError::Io(format!(
                "more than {} different paths in one request",
                limits::PATHS
            )));
        }
        Ok(Arc::clone(places.entry(key).or_default()))
    }
}

/// On a thread that may hang.
fn look(process: &ProcessDirectory, credentials: &Credentials, root: FileRoot, path: &str) -> Look {
    let sys = process.sys();
    let seen = match root {
        FileRoot::Host => host::open(sys, path)?.map(|named| Seen::of(sys, &named, true)),
        FileRoot::Workload => {
            let access = Access::new(process, credentials);
            let seen = |named| Seen::of(sys, &named, workload::may_read(&access, &named));
            workload::open(&access, path)?.map(seen)
        }
    };
    Ok(seen.map(Arc::new))
}

/// A file that has been named, and what it was then.
#[derive(Debug)]
struct Named {
    fd: OwnedFd,
    stat: FileStat,
    /// The magic number of its file system.
    file_system: u64,
}

impl Named {
    /// `above` is the directory that it was found in: what lies on the same device is of the same file
    /// system, so that is asked only where another begins.
    fn of(sys: &dyn Sys, fd: OwnedFd, above: Option<&Self>) -> FactResult<Self> {
        let stat = sys.stat_at(fd.as_fd(), c"").map_err(fact_error)?;
        let file_system = match above.filter(|above| above.stat.device == stat.device) {
            Some(above) => above.file_system,
            None => sys.file_system(fd.as_fd()).map_err(fact_error)?,
        };
        Ok(Self { fd, stat, file_system })
    }

    fn looked_at_again(self, sys: &dyn Sys) -> FactResult<Self> {
        let stat = sys.stat_at(self.fd.as_fd(), c"").map_err(fact_error)?;
        Ok(Self { stat, ..self })
    }

    fn is(&self, kind: FileType) -> bool {
        FileType::from_raw_mode(self.stat.mode) == kind
    }
}

/// What an errno from following a path means; none if there is no such file.
fn no_such(errno: Errno) -> FactResult<()> {
    match errno {
        Errno::NOENT | Errno::NOTDIR => Ok(()),
        // A link where none may be, a step up, or what was moved away at this moment.
        Errno::LOOP | Errno::XDEV => Err(FactError::Denied),
        // No openat2(2): before Linux 5.6.
        Errno::NOSYS => Err(FactError::Unsupported),
        other => Err(fact_error(other)),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

    use super::*;
    use crate::{
        pid::Pid,
        sys::simulated::{Call, Simulated},
    };

    /// Ourselves, over a kernel that a test can have answer otherwise.
    fn ourselves() -> (Arc<Simulated>, ProcessDirectory) {
        let sys = Simulated::new();
        let pid = Pid::new(std::process::id().cast_signed()).unwrap();
        let directory = sys.open_process(pid).unwrap();
        (Arc::clone(&sys), ProcessDirectory::new(directory, sys))
    }

    /// A directory that both roots lead to, and that the host trusts.
    fn directory() -> tempfile::TempDir {
        tempfile::tempdir_in("/run").unwrap()
    }

    const ROOT: Credentials = Credentials { uid: 0, gid: 0, groups: Vec::new() };

    fn content(process: &ProcessDirectory, root: FileRoot, path: &Path) -> FactResult<Vec<u8>> {
        look(process, &ROOT, root, path.to_str().unwrap())?.unwrap().content.clone()
    }

    #[test]
    fn the_file_that_was_checked_is_the_one_that_is_read() {
        for root in [FileRoot::Host, FileRoot::Workload] {
            let (sys, process) = ourselves();
            let directory = directory();
            let (path, other) = (directory.path().join("file"), directory.path().join("other"));
            fs::write(&path, "checked").unwrap();
            fs::write(&other, "another's").unwrap();
            std::os::unix::fs::chown(&other, Some(1000), None).unwrap();
            let target = path.clone();
            sys.before(Call::Reopen, move || fs::rename(other, target).unwrap());
            assert_eq!(content(&process, root, &path).unwrap(), b"checked");
            // It did happen.
            assert_eq!(fs::read(&path).unwrap(), b"another's");
        }
    }

    #[test]
    fn a_directory_that_is_swapped_is_still_the_one_that_is_listed() {
        let (sys, process) = ourselves();
        let directory = directory();
        let (path, aside) = (directory.path().join("checked"), directory.path().join("aside"));
        fs::create_dir(&path).unwrap();
        fs::write(path.join("mine"), "").unwrap();
        let target = path.clone();
        sys.before(Call::Reopen, move || {
            fs::rename(&target, aside).unwrap();
            std::os::unix::fs::symlink("/etc", target).unwrap();
        });
        let seen = look(&process, &ROOT, FileRoot::Host, path.to_str().unwrap()).unwrap().unwrap();
        let entries = seen.entries.clone().unwrap().unwrap();
        assert_eq!(entries.iter().map(|entry| &*entry.name).collect::<Vec<_>>(), ["mine"]);
    }

    #[test]
    fn a_directory_that_was_left_is_looked_at_again() {
        let (sys, process) = ourselves();
        let directory = directory();
        let user = Credentials { uid: 1000, gid: 1000, groups: Vec::new() };
        let (above, link) = (directory.path().to_owned(), directory.path().join("sub/link"));
        fs::create_dir(directory.path().join("sub")).unwrap();
        fs::write(directory.path().join("file"), "text").unwrap();
        std::os::unix::fs::symlink("../file", &link).unwrap();
        let mode = |mode| {
            let above = above.clone();
            move || fs::set_permissions(above, fs::Permissions::from_mode(mode)).unwrap()
        };
        mode(0o755)();
        let look = || look(&process, &user, FileRoot::Workload, link.to_str().unwrap());
        assert_eq!(look().unwrap().unwrap().content, Ok(b"text".to_vec()));
        sys.before(Call::ReadLinkAt, mode(0o700));
        assert_eq!(look().unwrap_err(), FactError::Denied);
    }

    #[test]
    fn where_an_access_list_cannot_be_looked_for_there_may_be_one() {
        let (sys, process) = ourselves();
        let user = Credentials { uid: 1000, gid: 1000, groups: Vec::new() };
        let look = || look(&process, &user, FileRoot::Workload, "/etc/passwd");
        assert!(look().unwrap().unwrap().content.is_ok());
        for errno in [Errno::IO, Errno::ACCESS, Errno::NOENT] {
            sys.fail(Call::HasAccessList, errno);
            assert_eq!(look().unwrap_err(), FactError::Denied);
        }
    }

    #[test]
    fn a_kernel_that_cannot_follow_a_path_safely_is_not_asked_another_way() {
        let (sys, process) = ourselves();
        for root in [FileRoot::Host, FileRoot::Workload] {
            for (errno, error) in [
                (Errno::NOSYS, FactError::Unsupported),
                (Errno::LOOP, FactError::Denied),
                (Errno::XDEV, FactError::Denied),
                (Errno::ACCESS, FactError::Denied),
                (Errno::AGAIN, FactError::Io(Errno::AGAIN.to_string())),
            ] {
                sys.fail(Call::OpenBelow, errno);
                assert_eq!(look(&process, &ROOT, root, "/etc/hostname").unwrap_err(), error);
            }
            for errno in [Errno::NOENT, Errno::NOTDIR] {
                sys.fail(Call::OpenBelow, errno);
                assert!(look(&process, &ROOT, root, "/etc/hostname").unwrap().is_none());
            }
        }
    }
}
