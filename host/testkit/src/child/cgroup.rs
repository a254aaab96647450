use std::{
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use super::ok;

/// Where the hierarchies are mounted.
const ROOT: &str = "/sys/fs/cgroup";

/// A cgroup directory that is removed with this value. Drop the actors in it first.
#[derive(Debug)]
pub struct Cgroup {
    path: PathBuf,
    /// The directories that were made for it, outermost first.
    made: Vec<PathBuf>,
}

impl Cgroup {
    /// Makes a cgroup of that path (`docker/0123…`) in a hierarchy (`pids`, `systemd`, `unified`; on
    /// a host with v2 alone, an empty string), with every directory that is missing.
    ///
    /// # Panics
    /// If that is not allowed.
    #[must_use]
    #[track_caller]
    pub fn create(hierarchy: &str, path: &str) -> Self {
        let mut directory = Path::new(ROOT).join(hierarchy);
        let mut made = Vec::new();
        for name in path.split('/').filter(|name| !name.is_empty()) {
            directory.push(name);
            match fs::create_dir(&directory) {
                Ok(()) => made.push(directory.clone()),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => (),
                Err(error) => ok(&format!("{}", directory.display()), Err(error)),
            }
        }
        Self { path: directory, made }
    }

    /// The hierarchies of v1 and v2 that are mounted here.
    #[must_use]
    pub fn hierarchies() -> Vec<String> {
        let entries = fs::read_dir(ROOT).into_iter().flatten().flatten();
        let mut names: Vec<_> = entries
            .filter(|entry| entry.path().join("cgroup.procs").exists())
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Moves a process here.
    ///
    /// # Panics
    /// If that is not allowed.
    #[track_caller]
    pub fn admit(&self, pid: i32) {
        ok("cgroup.procs", fs::write(self.path.join("cgroup.procs"), pid.to_string()));
    }

    /// Gives the directory and all files in it to a user, as one does who delegates it.
    ///
    /// # Panics
    /// If that is not allowed.
    #[track_caller]
    pub fn give_to(&self, uid: u32) {
        ok("chown", std::os::unix::fs::chown(&self.path, Some(uid), None));
        for file in ok("cgroup", fs::read_dir(&self.path)).flatten() {
            if file.path().is_file() {
                ok("chown", std::os::unix::fs::chown(file.path(), Some(uid), None));
            }
        }
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for directory in self.made.iter().rev() {
            // A process that has just been reaped may still be counted for a moment.
            for _ in 0..50 {
                match fs::remove_dir(directory) {
                    Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                        thread::sleep(Duration::from_millis(2));
                    }
                    _ => break,
                }
            }
        }
    }
}
