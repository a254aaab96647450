use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use witgate_facts::Interface;

use crate::{
    BuildError, FixtureFile, Progress, Project,
    component::{self, FIXTURES_SECTION, MANIFEST_SECTION},
    fixtures,
    workspace::{Workspace, write_if_changed},
};

/// A component that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Built {
    /// `build/<name>.wasm` in the project.
    pub component: PathBuf,
    /// Its length.
    pub bytes: usize,
    /// Its digest, in lower-case hexadecimal.
    pub sha256: String,
    /// How long it took.
    pub took: Duration,
}

/// Most bytes of fixtures in a component. They travel with it to every host, so that a reload can
/// replay them; a plugin with more than this tests with what it keeps in its folder.
const FIXTURE_BYTES: usize = 256 << 10;

/// Builds the project in a folder, with the toolchain in its `.venv/bin` or in `PATH`.
///
/// The same sources and tools give the same component.
///
/// # Errors
/// [`BuildError`], which says what to install or which line to look at.
pub fn build(dir: &Path, progress: &mut dyn Progress) -> Result<Built, BuildError> {
    build_with_path(dir, &env::var_os("PATH").unwrap_or_default(), progress)
}

/// As [`build`], with programs searched for in `path` in place of `PATH`.
///
/// # Errors
/// As [`build`].
pub fn build_with_path(
    dir: &Path,
    path: &OsStr,
    progress: &mut dyn Progress,
) -> Result<Built, BuildError> {
    let started = Instant::now();
    let project = Project::open(dir)?;
    let fixtures = fixtures(&project.dir)?;
    let work = Workspace::prepare(&project, project.search_path(path))?;

    let bare = project.language.build(&project, &work, progress)?;
    component::validate(&bare)?;
    require_requests(&project, &bare)?;
    let with_manifest = embed_manifest(&project, bare)?;
    let wasm = embed_fixtures(&fixtures, with_manifest, progress);
    component::validate(&wasm)?;

    let file = work.dir.join(format!("{}.wasm", project.name()));
    write_if_changed(&file, &wasm)?;
    Ok(Built {
        component: file,
        bytes: wasm.len(),
        sha256: Sha256::digest(&wasm).iter().map(|byte| format!("{byte:02x}")).collect(),
        took: started.elapsed(),
    })
}

/// Finds out now what would trap in the daemon. Toolchains that import a whole world have one of
/// just what is asked for, so this can fail only where calls alone are imported.
fn require_requests(project: &Project, wasm: &[u8]) -> Result<(), BuildError> {
    for import in component::imports(wasm)? {
        let Some(name) = import.strip_prefix("witgate:attestor/") else { continue };
        let name = name.split('@').next().unwrap_or(name);
        let Ok(interface) = name.parse::<Interface>() else { continue };
        if !interface.always_granted() && !project.toml.requests.reach(interface) {
            return Err(BuildError::not_requested(project, interface));
        }
    }
    Ok(())
}

/// Embeds `plugin.toml`, unless the language's SDK has done it.
fn embed_manifest(project: &Project, wasm: Vec<u8>) -> Result<Vec<u8>, BuildError> {
    let text = project.toml_text.as_bytes();
    match component::sections(&wasm, MANIFEST_SECTION)?.as_slice() {
        [] => Ok(component::with_section(&wasm, MANIFEST_SECTION, text)),
        [there] if *there == text => Ok(wasm),
        _ => Err(BuildError::OtherManifest { path: project.toml_path() }),
    }
}

/// Embeds the fixtures that have an expected report.
fn embed_fixtures(fixtures: &[FixtureFile], wasm: Vec<u8>, progress: &mut dyn Progress) -> Vec<u8> {
    let complete = fixtures.iter().filter_map(|fixture| {
        let expected = fixture.expected.as_ref()?;
        // As it is written, which is shorter than with every fact that was left out.
        let facts: Value = serde_json::from_str(&fixture.facts_text).ok()?;
        Some(json!({ "name": fixture.name, "facts": facts, "expected": expected }))
    });
    let list: Vec<Value> = complete.collect();
    if list.is_empty() {
        return wasm;
    }
    let text = Value::from(list).to_string();
    if text.len() > FIXTURE_BYTES {
        progress.say(&format!(
            "warning: the fixtures are left out of the component: they have {} bytes, the limit is \
             {FIXTURE_BYTES}",
            text.len()
        ));
        return wasm;
    }
    component::with_section(&wasm, FIXTURES_SECTION, text.as_bytes())
}
