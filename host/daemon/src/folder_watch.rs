//! Reloading by itself when a file has changed.
//!
//! What the kernel tells is a hint and nothing more: events get lost, come in the middle of a
//! write, and say nothing of what a link points to. So after a hint, and once it is quiet, everything
//! is read as for any other reload, and compared by digest with what is in effect.
//!
//! Every hint also renews the watch as a whole: a folder that was removed and made again, moved
//! away, or put in place of another is found by its path, whatever happened in between. The new
//! watch begins before the old one ends, and before anything is read, so nothing falls between.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
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

    /// Whether an event can be about anything that counts. Whoever writes a log of ours into one of
    /// the folders must not make us look again at every line.
    fn concerns(&self, event: &Event) -> bool {
        let read_only = matches!(event.kind, EventKind::Access(_));
        !read_only && (event.need_rescan() || event.paths.iter().any(|path| self.counts(path)))
    }

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

/// A watch; it ends when this is dropped.
struct Armed {
    _watcher: RecommendedWatcher,
    /// What could not be watched, and why.
    problem: Option<String>,
}

/// Begins to watch. Blocks as long as a file system does.
fn arm(watched: &Arc<Watched>, hint: &Arc<Notify>) -> Result<Armed, notify::Error> {
    let mut renewals = 0;
    loop {
        let places = watched.places();
        let armed = arm_once(watched, &places, hint)?;
        renewals += 1;
        if places == watched.places() || renewals == RENEWALS {
            return Ok(armed);
        }
    }
}

fn arm_once(
    watched: &Arc<Watched>,
    places: &BTreeSet<&Path>,
    hint: &Arc<Notify>,
) -> Result<Armed, notify::Error> {
    let (concerned, hint) = (Arc::clone(watched), Arc::clone(hint));
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        // An error means that something may have been missed.
        if event.as_ref().map_or(true, |event| concerned.concerns(event)) {
            hint.notify_one();
        }
    })?;
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
    let hint = Arc::new(Notify::new());
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
        let (problem, now) = match begin(&watched, &hint).await {
            Ok(now) => (now.problem.clone(), Some(now)),
            Err(problem) => (Some(problem), None),
        };
        let failed = problem.is_some();
        core.note_watching(now.is_some(), problem);
        drop(std::mem::replace(&mut armed, now));
        core.reload_if_changed().await;
        tokio::select! {
            () = settled(&hint) => {}
            changed = wanted.changed() => if changed.is_err() { return },
            () = sleep(RETRY), if failed => {}
        }
    }
}

async fn begin(watched: &Arc<Watched>, hint: &Arc<Notify>) -> Result<Armed, String> {
    let (watched, hint) = (Arc::clone(watched), Arc::clone(hint));
    match tokio::task::spawn_blocking(move || arm(&watched, &hint)).await {
        Ok(armed) => armed.map_err(cause),
        Err(error) => Err(error.to_string()),
    }
}

/// Waits for a hint, and then until there is none for a while.
async fn settled(hint: &Notify) {
    hint.notified().await;
    let latest = Instant::now() + LATEST;
    loop {
        tokio::select! {
            () = hint.notified() => {}
            () = sleep(QUIET) => return,
            () = sleep_until(latest) => return,
        }
    }
}
