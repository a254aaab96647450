//! `witgate plugin dev`: on every save build, test, load.

use std::{
    path::{Path, PathBuf},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use serde::Serialize;
use witgate_daemon::config::Layout;
use witgate_facts::Capabilities;

use super::{
    args::DevOptions,
    cases,
    configuration::{Configuration, Wish},
    install::{Effect, Installation, install},
    source::{self, Source, is_no_source, open_project, source_folders},
    test::replay,
    words,
    workshop::Workshop,
};
use crate::{
    args::Place,
    exit::{Exit, Failure},
    output::{complain, remark, say},
};

/// How long nothing must change before it counts as saved: editors write in several steps.
const QUIET: Duration = Duration::from_millis(200);

/// What one round came to.
#[derive(Debug, Serialize)]
struct Round {
    build_ms: u64,
    passed: usize,
    failed: usize,
    test_ms: u64,
    /// None if no daemon was named, or the tests fail.
    load_ms: Option<u64>,
    /// The generation that has it; none if no daemon runs.
    generation: Option<u64>,
}

/// Goes round until it is interrupted, or once.
pub(crate) fn dev(place: &Place, options: &DevOptions) -> Result<Exit, Failure> {
    let project = open_project(&options.project)?.dir;
    let layout = daemon(place)?;
    let workshop = Workshop::open()?;
    let round = || round(place, layout.as_ref(), &workshop, &project);
    if options.once {
        let round = round()?;
        round.show(options)?;
        return Ok(if round.failed == 0 { Exit::Ok } else { Exit::Deny });
    }
    let (mut watch, changes) = Watch::start(project.clone())?;
    loop {
        watch.look_around();
        match round() {
            Ok(round) => round.show(options)?,
            // Half a thought that was saved; the next one may be whole.
            Err(failure) => complain(&failure.to_string()),
        }
        say("waiting for a change");
        wait(&changes, &project)?;
    }
}

/// The daemon that is meant, if one is named: it must be an author's own.
fn daemon(place: &Place) -> Result<Option<Layout>, Failure> {
    if place.folder()?.is_none() && place.config.is_none() {
        return Ok(None);
    }
    let layout = place.layout()?;
    if layout.one_folder {
        return Ok(Some(layout));
    }
    Err(Failure::config(
        "an installed daemon loads no build unchecked; use a daemon of your own: \
         witgate serve --dir DIR, and --dir DIR here",
    ))
}

fn round(
    place: &Place,
    layout: Option<&Layout>,
    workshop: &Workshop,
    project: &Path,
) -> Result<Round, Failure> {
    let built = source::build(project)?;
    let source = Source::read(&built.component, Some(project.to_owned()))?;
    let started = Instant::now();
    let verdicts = replay(workshop, &source, &cases::cases(&source, None)?, false)?;
    let mut round = Round {
        build_ms: words::milliseconds(built.took),
        passed: verdicts.passed,
        failed: verdicts.failed,
        test_ms: words::milliseconds(started.elapsed()),
        load_ms: None,
        generation: None,
    };
    if round.failed > 0 {
        remark(&verdicts.failures());
    } else if let Some(layout) = layout {
        let started = Instant::now();
        round.generation = load(place, layout, &source)?;
        round.load_ms = Some(words::milliseconds(started.elapsed()));
    }
    Ok(round)
}

/// Puts the build into the daemon, and says which generation has it. One that its
/// operator configured is left alone, unless it is said there that builds are taken unchecked.
fn load(place: &Place, layout: &Layout, source: &Source) -> Result<Option<u64>, Failure> {
    let toml = open_project(source.project.as_deref().unwrap_or_else(|| Path::new(".")))?.toml;
    place.config()?;
    let configuration = Configuration::read(layout, &toml.name)?;
    if !configuration.keys.is_empty() && !configuration.is_unchecked() {
        return Err(Failure::config(format!(
            "[plugins.{name}] of this daemon does not say dev_override = true, so no build is put in \
             its place; write that there, or add this build: witgate plugin add {file}",
            name = toml.name,
            file = source.path.display()
        )));
    }
    let grants: Capabilities = toml.needed().into_iter().collect();
    let wish = Wish { grants: &grants, required: false, max_assurance: None, dev_override: true };
    let parts = Installation {
        name: &toml.name,
        component: source.component.bytes(),
        signature: None,
        configuration: (&configuration.file, configuration.text(&toml.name, &wish)?),
        lock: None,
        keep_builtins: !configuration.any_plugins,
    };
    match install(place, layout, &parts)? {
        Effect::Now(report) => Ok(Some(report.generation)),
        Effect::AtStart => Ok(None),
    }
}

impl Round {
    fn show(&self, options: &DevOptions) -> Result<(), Failure> {
        if options.form.json {
            say(&serde_json::to_string(self).map_err(Failure::internal)?);
            return Ok(());
        }
        let Self { build_ms, passed, failed, test_ms, load_ms, generation } = self;
        let mut parts = vec![
            format!("built in {build_ms} ms"),
            format!("{passed} passed, {failed} failed in {test_ms} ms"),
        ];
        match (load_ms, generation) {
            (Some(took), Some(generation)) => {
                parts.push(format!("in generation {generation} after {took} ms"));
            }
            (Some(_), None) => parts.push("no daemon answers; it is there for the next".to_owned()),
            (None, _) => {}
        }
        say(&parts.join(", "));
        Ok(())
    }
}

/// The folders of a project that have sources in them.
struct Watch {
    watcher: RecommendedWatcher,
    project: PathBuf,
}

impl Watch {
    fn start(project: PathBuf) -> Result<(Self, Receiver<notify::Result<Event>>), Failure> {
        let (tell, changes) = mpsc::channel();
        let watcher = notify::recommended_watcher(tell).map_err(|error| {
            Failure::unavailable(format!("{} cannot be watched: {error}", project.display()))
        })?;
        Ok((Self { watcher, project }, changes))
    }

    /// Folders may have come since the last time.
    fn look_around(&mut self) {
        for folder in source_folders(&self.project) {
            if let Err(error) = self.watcher.watch(&folder, RecursiveMode::NonRecursive) {
                complain(&format!("{} is not watched: {error}", folder.display()));
            }
        }
    }
}

/// Until a source was changed, and then until nothing is changed any more.
fn wait(changes: &Receiver<notify::Result<Event>>, project: &Path) -> Result<(), Failure> {
    let ended = || Failure::internal("nobody tells any more what changes");
    while !changes.recv().map_err(|_| ended())?.is_ok_and(|event| is_change(&event, project)) {}
    loop {
        match changes.recv_timeout(QUIET) {
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout) => return Ok(()),
            Err(RecvTimeoutError::Disconnected) => return Err(ended()),
        }
    }
}

/// Reading is no change, and what builds leave behind is no source.
fn is_change(event: &Event, project: &Path) -> bool {
    let is_source = |path: &PathBuf| {
        let inside = path.strip_prefix(project).unwrap_or(path);
        !inside.iter().any(is_no_source)
    };
    !matches!(event.kind, EventKind::Access(_)) && event.paths.iter().any(is_source)
}

#[cfg(test)]
mod tests {
    use notify::event::{AccessKind, ModifyKind};

    use super::*;

    #[test]
    fn only_changed_sources_count() {
        let changed =
            |kind, path: &str| is_change(&Event::new(kind).add_path(path.into()), Path::new("/p"));
        let modified = EventKind::Modify(ModifyKind::Any);
        assert!(changed(modified, "/p/src/lib.rs") && changed(modified, "/p/fixtures/a.json"));
        assert!(!changed(modified, "/p/build/os.wasm") && !changed(modified, "/p/a/__pycache__/x"));
        assert!(!changed(modified, "/p/.pytest_cache/v/cache/lastfailed"));
        assert!(!changed(EventKind::Access(AccessKind::Any), "/p/src/lib.rs"));
    }
}
