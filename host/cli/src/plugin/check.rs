//! `witgate plugin check`.

use std::path::Path;

use serde::Serialize;
use witgate_attestor::{ImportKind, Inspection, inspect};
use witgate_provenance::parse_version;
use witgate_workbench::{ToolStatus, check_toolchain, fixtures};

use super::{
    args::TargetOptions,
    source::{Source, component_of, is_outdated, open_project},
    words,
    workshop::Workshop,
};
use crate::{
    exit::{Exit, Failure},
    output::{say, say_json},
};

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    what: String,
    /// Nothing has to be done about it.
    ok: bool,
    found: String,
}

#[derive(Debug, Default, Serialize)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, what: impl Into<String>, ok: bool, found: impl Into<String>) {
        self.0.push(Finding { what: what.into(), ok, found: found.into() });
    }
}

/// Looks at everything and tells it all; exits 1 if anything is not in order.
pub(crate) fn check(options: &TargetOptions) -> Result<Exit, Failure> {
    let mut findings = Findings::default();
    if options.target.is_dir() {
        of_project(&options.target, &mut findings)?;
    } else {
        of_component(&Source::read(&options.target, None)?, &mut findings);
    }
    let ok = findings.0.iter().all(|finding| finding.ok);
    if options.form.json {
        say_json(&serde_json::json!({ "ok": ok, "findings": findings }))?;
    } else {
        for Finding { what, ok, found } in &findings.0 {
            say(&format!("{} {what:<16} {found}", if *ok { "ok  " } else { "NO  " }));
        }
    }
    Ok(if ok { Exit::Ok } else { Exit::Deny })
}

fn of_project(dir: &Path, findings: &mut Findings) -> Result<(), Failure> {
    let project = open_project(dir)?;
    let (toml, language) = (&project.toml, project.language);
    findings.add("plugin.toml", true, format!("{} {}, in {language}", toml.name, toml.version));
    of_toolchain(check_toolchain(&project), findings);
    match fixtures(&project.dir) {
        Ok(found) => {
            let expected = found.iter().filter(|fixture| fixture.expected.is_some()).count();
            let found = found.len();
            findings.add("fixtures", true, format!("{found}, {expected} with an expected report"));
        }
        Err(error) => findings.add("fixtures", false, error.to_string()),
    }
    let component = component_of(&project);
    if !component.exists() {
        findings.add("component", true, "not built yet: witgate plugin build");
        return Ok(());
    }
    if is_outdated(&component, &project.dir) {
        findings.add("component", true, "older than its sources: witgate plugin build");
    }
    match Source::read(&component, Some(project.dir)) {
        Ok(source) => of_component(&source, findings),
        Err(failure) => findings.add("component", false, failure.to_string()),
    }
    Ok(())
}

/// A line for each program that is there, and one for each need of which there is none.
fn of_toolchain(mut all: Vec<ToolStatus>, findings: &mut Findings) {
    while !all.is_empty() {
        let ToolStatus { tool, version, .. } = all.remove(0);
        if let Some(version) = version {
            let version = if version.is_empty() { "there".to_owned() } else { version };
            findings.add(tool.program, true, version);
            continue;
        }
        let (mut programs, mut installs) = (vec![tool.program], vec![tool.install]);
        for other in all.extract_if(.., |other| other.tool.needed_for == tool.needed_for) {
            // One package may bring a program under several names.
            if !installs.contains(&other.tool.install) {
                programs.push(other.tool.program);
                installs.push(other.tool.install);
            }
        }
        let missing =
            format!("missing, needed for {}; {}", tool.needed_for, installs.join("; or "));
        findings.add(programs.join(", or "), false, missing);
    }
}

fn of_component(source: &Source, findings: &mut Findings) {
    match inspect(source.component.bytes()) {
        Ok(inspection) => of_inspection(&inspection, findings),
        Err(error) => findings.add("component", false, error.to_string()),
    }
    let loaded = source.spec().and_then(|spec| Workshop::open()?.load(spec));
    match loaded {
        Ok(plugin) => {
            let keys: Vec<_> = plugin.manifest().keys().map(|(key, _)| key.to_string()).collect();
            findings.add("loads", true, format!("it reports {}", keys.join(", ")));
        }
        Err(failure) => findings.add("loads", false, failure.to_string()),
    }
}

fn of_inspection(inspection: &Inspection, findings: &mut Findings) {
    let Inspection { toml, digest, bytes, imports, fixtures, .. } = inspection;
    // A daemon loads it all the same; no lock file can pin it.
    if let Err(error) = parse_version(&toml.version) {
        findings.add("version", false, error.to_string());
    }
    let brings = format!("brings {fixtures} fixtures");
    findings.add("component", true, format!("{}, sha256 {digest}, {brings}", words::size(*bytes)));
    let asks: Vec<_> = toml.requests.iter().map(ToString::to_string).collect();
    let asks = if asks.is_empty() { "for nothing".to_owned() } else { asks.join(", ") };
    findings.add("asks", true, asks);
    // Toolchains import whole worlds: no mistake, but good to know when a call traps.
    let traps = |kind| matches!(kind, ImportKind::Traps | ImportKind::NotRequested);
    for import in imports.iter().filter(|import| traps(import.kind)) {
        findings.add("import", true, format!("{}: {}", import.name, words::of_import(import.kind)));
    }
}
