//! Reloading by itself when a file has changed.
//!
//! What the kernel tells is a hint and nothing more: events get lost, and say nothing of what a link
//! points to. So after a hint, and once it is quiet, everything is read as for any other reload, and
//! compared by digest with what is in effect.
//!
//! A file that somebody writes to is not looked at before it is closed: half of the entries would
//! be valid, too, and the other half may be the ones that deny.
//!
//! Every hint also renews the watch as a whole: a folder that was removed and made again, moved
//! away, or put in place of another is found by its path, whatever happened in between. The new
//! watch begins before the old one ends, and before anything is read, so nothing falls between.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _,
    event::{AccessKind, AccessMode, ModifyKind},
};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, sleep_until},
};

use crate::{config::Config, core::Core, inputs::Inputs};

/// How long it must be quiet before anything is read: an editor writes, renames and changes modes
/// within a few milliseconds, and a copy of a large component is written in many pieces.
const QUIET: Duration = Duration::from_millis(200);
/// How long a folder that is never quiet can put it off.
const LATEST: Duration = Duration::from_secs(2);
/// How long a file that stays open for writing can put it off after the last write to it. Copies
/// over a slow network pause for seconds.
const WRITING: Duration = Duration::from_secs(30);
/// When to try again if the kernel refuses: it has no watch left, or a folder cannot be read.
const RETRY: Duration = Duration::from_secs(30);
/// How often a watch is renewed at once because folders come and go while it begins.
const RENEWALS: usize = 8;

/// What is to be watched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Watched {
    /// Folders in which something can change.
    folders: BTreeSet<PathBuf>,
    /// Those of them in which every `*.toml` counts.
    tables: BTreeSet<PathBuf>,
    /// Files that count, wherever they are.
    files: BTreeSet<PathBuf>,
}

impl Watched {
    /// What a configuration was read from and would be read from, and the other inputs besides.
    pub(crate) fn of(config: &Config, inputs: &Inputs) -> Self {
        let layout = &config.layout;
        let tables = BTreeSet::from([layout.config_dir.clone(), layout.entries.clone()]);
        let mut files: BTreeSet<_> = inputs.files().map(Path::to_path_buf).collect();
        files.extend([layout.config.clone(), layout.lock.clone()]);
        let mut folders: BTreeSet<_> =
            files.iter().filter_map(|file| file.parent()).map(Path::to_path_buf).collect();
        folders.extend(tables.iter().cloned());
        folders.insert(layout.plugins.clone());
        Self { folders, tables, files }
    }

    /// Whether a path is about anything that counts. Whoever writes a log of ours into one of the
    /// folders must not make us look again at every line.
    fn counts(&self, path: &Path) -> bool {
        let is_table = || {
            let table = path.extension().is_some_and(|extension| extension == "toml");
            table && path.parent().is_some_and(|folder| self.tables.contains(folder))
        };
        // How a mounted volume is exchanged: by a link whose name begins with two dots.
        let is_exchange =
            || path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".."));
        self.files.contains(path)
            || self.folders.iter().any(|folder| folder.starts_with(path))
            || is_table()
            || is_exchange()
    }

    /// Where to look: the folders that are there, and for each that is not, the one in which the
    /// way to it would appear.
    fn places(&self) -> BTreeSet<&Path> {
        self.folders.iter().filter_map(|folder| folder.ancestors().find(|on| on.is_dir())).collect()
    }
}

/// What the kernel told since we looked last.
#[derive(Debug, Default)]
struct Hints {
    hint: Notify,
    /// Files that somebody writes to, and until when that counts.
    writing: Mutex<BTreeMap<PathBuf, Instant>>,
}

impl Hints {
    fn take(&self, watched: &Watched, event: notify::Result<Event>) {
        // An error means that something may have been missed, as does a full queue.
        let Some(event) = event.ok().filter(|event| !event.need_rescan()) else {
            self.writing().clear();
            return self.hint.notify_one();
        };
        for path in event.paths.into_iter().filter(|path| watched.counts(path)) {
            match event.kind {
                EventKind::Modify(ModifyKind::Data(_)) => {
                    self.writing().insert(path, Instant::now() + WRITING);
                }
                EventKind::Access(AccessKind::Close(AccessMode::Write))
                | EventKind::Modify(ModifyKind::Name(_))
                | EventKind::Remove(_) => drop(self.writing().remove(&path)),
                // Somebody reads; most often we ourselves.
                EventKind::Access(_) => continue,
                _ => {}
            }
            self.hint.notify_one();
        }
    }

    /// Until when somebody may still be writing; none if nobody is.
    fn written_until(&self, now: Instant) -> Option<Instant> {
        let mut writing = self.writing();
        writing.retain(|_, until| *until > now);
        writing.values().max().copied()
    }

    /// Waits for a hint, then until there is none for a while, and until nobody writes.
    async fn settled(&self) {
        self.hint.notified().await;
        loop {
            self.quiet().await;
            let Some(until) = self.written_until(Instant::now()) else { return };
            tokio::select! {
                () = self.hint.notified() => {}
                () = sleep_until(until) => {}
            }
        }
    }

    async fn quiet(&self) {
        let latest = Instant::now() + LATEST;
        loop {
            tokio::select! {
                () = self.hint.notified() => {}
                () = sleep(QUIET) => return,
                () = sleep_until(latest) => return,
            }
        }
    }

    fn writing(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Instant>> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A watch; it ends when this is dropped.
struct Armed {
    _watcher: RecommendedWatcher,
    /// What could not be watched, and why.
    problem: Option<String>,
}

/// Begins to watch. Blocks as long as a file system does.
fn arm(watched: &Arc<Watched>, hints: &Arc<Hints>) -> Result<Armed, notify::Error> {
    let mut renewals = 0;
    loop {
        let places = watched.places();
        let armed = arm_once(watched, &places, hints)?;
        renewals += 1;
        if places == watched.places() || renewals == RENEWALS {
            return Ok(armed);
        }
    }
}

fn arm_once(
    watched: &Arc<Watched>,
    places: &BTreeSet<&Path>,
    hints: &Arc<Hints>,
) -> Result<Armed, notify::Error> {
    let (concerned, hints) = (Arc::clone(watched), Arc::clone(hints));
    let mut watcher = notify::recommended_watcher(move |event| hints.take(&concerned, event))?;
    let mut problem = None;
    for place in places {
        if let Err(error) = watcher.watch(place, RecursiveMode::NonRecursive) {
            problem = Some(format!("{}: {}", place.display(), cause(error)));
        }
    }
    Ok(Armed { _watcher: watcher, problem })
}

/// The words of the error without its paths, which are named already.
fn cause(error: notify::Error) -> String {
    match error.kind {
        notify::ErrorKind::MaxFilesWatch => {
            "no watch is left; raise fs.inotify.max_user_watches with sysctl".to_owned()
        }
        notify::ErrorKind::Io(error) if error.kind() == io::ErrorKind::NotFound => {
            "it went away just now".to_owned()
        }
        notify::ErrorKind::Io(error) => error.to_string(),
        kind => format!("{kind:?}"),
    }
}

/// Watches and reloads until the daemon ends.
pub(crate) async fn run(core: Arc<Core>, mut wanted: watch::Receiver<Option<Arc<Watched>>>) {
    let hints = Arc::new(Hints::default());
    let mut armed = None;
    loop {
        let Some(watched) = wanted.borrow_and_update().clone() else {
            core.note_watching(false, None);
            drop(armed.take());
            if wanted.changed().await.is_err() {
                return;
            }
            continue;
        };
        let (problem, now) = match begin(&watched, &hints).await {
            Ok(now) => (now.problem.clone(), Some(now)),
            Err(problem) => (Some(problem), None),
        };
        let failed = problem.is_some();
        core.note_watching(now.is_some(), problem);
        drop(std::mem::replace(&mut armed, now));
        core.reload_if_changed().await;
        tokio::select! {
            () = hints.settled() => {}
            changed = wanted.changed() => if changed.is_err() { return },
            () = sleep(RETRY), if failed => {}
        }
    }
}

async fn begin(watched: &Arc<Watched>, hints: &Arc<Hints>) -> Result<Armed, String> {
    let (watched, hints) = (Arc::clone(watched), Arc::clone(hints));
    match tokio::task::spawn_blocking(move || arm(&watched, &hints)).await {
        Ok(armed) => armed.map_err(cause),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use notify::event::{CreateKind, DataChange, Flag, MetadataKind, RemoveKind};

    use super::*;

    fn watched() -> Watched {
        let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect();
        Watched {
            folders: paths(&["/d", "/d/entries.d", "/d/plugins"]),
            tables: paths(&["/d/entries.d"]),
            files: paths(&["/d/witgate.toml", "/d/plugins/os.wasm"]),
        }
    }

    const WRITTEN: EventKind = EventKind::Modify(ModifyKind::Data(DataChange::Any));
    const CLOSED: EventKind = EventKind::Access(AccessKind::Close(AccessMode::Write));

    /// Whether anybody may be writing after these events, now and for how long at most.
    fn writing(events: &[(EventKind, &str)]) -> (bool, bool) {
        let hints = Hints::default();
        for (kind, path) in events {
            hints.take(&watched(), Ok(Event::new(*kind).add_path(path.into())));
        }
        let now = Instant::now();
        (hints.written_until(now).is_some(), hints.written_until(now + WRITING).is_some())
    }

    #[test]
    fn only_what_can_matter_is_a_hint() {
        let counts = |path: &str| watched().counts(Path::new(path));
        for path in [
            "/d/witgate.toml",
            "/d/plugins/os.wasm",
            "/d/entries.d/new.toml",
            "/d/entries.d/..data",
            "/d/plugins",
            "/d",
            "/",
        ] {
            assert!(counts(path), "{path}");
        }
        for path in ["/d/log", "/d/state", "/d/entries.d/.a.toml.swp", "/d/plugins/b", "/e"] {
            assert!(!counts(path), "{path}");
        }
    }

    #[test]
    fn a_file_that_is_written_to_is_waited_for_until_it_is_closed() {
        let file = "/d/entries.d/a.toml";
        assert_eq!(writing(&[(WRITTEN, file)]), (true, false));
        assert_eq!(writing(&[(WRITTEN, file), (CLOSED, file)]), (false, false));
        assert_eq!(writing(&[(WRITTEN, file), (CLOSED, "/d/witgate.toml")]), (true, false));
        let removed = EventKind::Remove(RemoveKind::File);
        assert_eq!(writing(&[(WRITTEN, file), (removed, file)]), (false, false));
        // Whoever copies a file with its mode sets that before it is closed.
        let mode = EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any));
        assert_eq!(writing(&[(WRITTEN, file), (mode, file)]), (true, false));
        // What does not count is not waited for, and a link that appears is not written to.
        assert_eq!(writing(&[(WRITTEN, "/d/log")]), (false, false));
        assert_eq!(writing(&[(EventKind::Create(CreateKind::File), file)]), (false, false));
    }

    #[test]
    fn reading_is_no_hint_and_everything_else_is() {
        let hinted = |event: Event| {
            let hints = Hints::default();
            hints.take(&watched(), Ok(event));
            hints.hint.notified().now_or_never().is_some()
        };
        let at = |kind: EventKind, path: &str| Event::new(kind).add_path(path.into());
        let file = "/d/witgate.toml";
        let opened = EventKind::Access(AccessKind::Open(AccessMode::Any));
        assert!(!hinted(at(opened, file)));
        let touched = EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any));
        for kind in [WRITTEN, CLOSED, touched, EventKind::Create(CreateKind::File)] {
            assert!(hinted(at(kind, file)), "{kind:?}");
        }
        assert!(!hinted(at(WRITTEN, "/d/log")));
        let overflow = Event::new(EventKind::Other).set_flag(Flag::Rescan);
        assert!(hinted(overflow), "something may have been missed");
    }
}
