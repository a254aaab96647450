//! Fuzz targets: what a hostile plugin says of itself, and of a process.

use std::collections::BTreeSet;

use witgate_facts::{FactError, FactName, FactSet, Interface, fixture::Recorded};
use witgate_identity::{Assurance, KeyName, PluginName};
use witgate_testkit::{fuzz::is_harmless, fuzz_target};

use crate::{
    Check, Checked, Manifest, SaidKey, SaidManifest, SaidReport, SaidSelector, SaidUnknown, limits,
};

/// Bytes of one message to the author: the words of ours around what is quoted.
const MESSAGE: usize = 4 * limits::CAUSE_BYTES;

/// A key in one line, its parts between tabs, until a line that begins with `{`: from there it is
/// the schema.
fn manifest_of(text: &str) -> SaidManifest {
    let schema = text.find("\n{").map_or(text.len(), |at| at + 1);
    let (keys, config_schema) = text.split_at(schema);
    let key = |line: &str| {
        let mut parts = line.split('\t').map(str::to_owned);
        let mut next = || parts.next().unwrap_or_default();
        let (key, meaning, example, facts, flags) = (next(), next(), next(), next(), next());
        let derived_from = facts.split_whitespace().map(str::to_owned).collect();
        let has = |flag| flags.contains(flag);
        let (named, stable, single, secret) = (has('n'), has('t'), has('s'), has('x'));
        SaidKey { key, meaning, example, derived_from, named, stable, single, secret }
    };
    SaidManifest { keys: keys.lines().map(key).collect(), config_schema: config_schema.to_owned() }
}

fn taken(said: SaidManifest) -> Result<Manifest, Vec<String>> {
    let has = |interface| interface != Interface::Ancestry;
    Manifest::check(said, has, Assurance::Kernel)
}

#[test]
fn manifest() {
    let words = &["uid", "\t", "\n", "\n{", "process.credentials", "executable.info", "\u{202e}"];
    fuzz_target!("manifest").words(words).check(|input| {
        let said = manifest_of(&String::from_utf8_lossy(input));
        let keys = said.keys.len();
        match taken(said.clone()) {
            Err(problems) => {
                assert!(!problems.is_empty());
                for problem in &problems {
                    assert!(problem.len() < MESSAGE && is_harmless(problem), "{problem:?}");
                }
                assert_eq!(taken(said).err(), Some(problems), "the same way every time");
            }
            Ok(manifest) => {
                assert_eq!(manifest.keys().count(), keys);
                assert!((1..=limits::KEYS).contains(&keys));
                manifest.keys().for_each(|(_, spec)| {
                    assert!(is_harmless(&spec.meaning) && is_harmless(&spec.example));
                    assert!(!spec.derived_from.is_empty());
                    assert!(spec.assurance(false) <= spec.assurance(true));
                    assert!(spec.derived_from.iter().all(|f| f.interface() != Interface::Ancestry));
                });
            }
        }
    });
}

/// What was read in the call, and what could not be.
fn log() -> (FactSet, [(FactName, FactError); 1]) {
    let read = [FactName::ProcessCredentials, FactName::ProcessNames, FactName::ExecutableInfo];
    (read.into_iter().collect(), [(FactName::ProcessState, FactError::Io("\u{1b}[2J".to_owned()))])
}

/// A selector in one line, or a key that is unknown after a `?`.
fn report_of(text: &str) -> SaidReport<'_> {
    let mut said = SaidReport::default();
    for line in text.split('\n') {
        if let Some(line) = line.strip_prefix('?') {
            let (key, reason) = line.split_once('\t').unwrap_or((line, ""));
            said.unknown.push(SaidUnknown { key, reason });
            continue;
        }
        let mut parts = line.splitn(3, '\t');
        let (key, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        said.selectors.push(SaidSelector { key, value, name: parts.next() });
    }
    said
}

#[test]
fn report() {
    let keys = "uid\t\t\tprocess.credentials\ts\ngid\t\t\tprocess.credentials\n\
                label\t\t\tprocess.names\tns\nstate\t\t\tprocess.state\n\
                path\t\t\texecutable.info process.credentials\ts";
    let manifest = taken(manifest_of(keys)).unwrap();
    let (plugin, (read, failed)) = (PluginName::new("p").unwrap(), log());
    let wants: BTreeSet<KeyName> = manifest.keys().map(|(key, _)| key.clone()).collect();
    let facts = [Recorded::default(), Recorded { challenged: true, ..Recorded::default() }];
    let words = &["uid", "gid", "label", "state", "path", "?", "\t", "\n", "\u{202e}", "\0", ":"];
    fuzz_target!("report").words(words).check(|input| {
        let text = String::from_utf8_lossy(input);
        let said = report_of(&text);
        for facts in &facts {
            let (plugin, manifest, wants) = (&plugin, &manifest, &wants);
            let check = Check { plugin, manifest, wants, read, failed: &failed, facts };
            match check.report(&said) {
                Ok(checked) => assert_evidence(&check, &said, &checked),
                Err(reason) => {
                    assert!(reason.len() < MESSAGE && is_harmless(&reason), "{reason:?}");
                }
            }
        }
    });
}

/// Nothing is believed that was not read, nothing at a level that it is not worth, and no key that was
/// asked for is without an answer.
fn assert_evidence(check: &Check<'_>, said: &SaidReport<'_>, checked: &Checked) {
    assert!(checked.selectors.len() <= said.selectors.len().min(limits::SELECTORS));
    for attested in &checked.selectors {
        let selector = &attested.selector;
        let spec = check.manifest.key(selector.key()).unwrap();
        assert_eq!((selector.plugin(), selector.name().is_some()), (check.plugin, spec.named));
        assert!(is_harmless(&selector.to_string()), "{selector}");
        for fact in spec.derived_from.iter() {
            assert!(check.read.contains(fact) && attested.assurance <= check.facts.assurance(fact));
        }
        assert!(said.selectors.iter().any(|said| said.value == selector.value()));
    }
    for unknown in &checked.unknown {
        assert!(is_harmless(&unknown.reason), "{unknown:?}");
        assert!(unknown.reason.len() <= MESSAGE);
    }
    for (key, spec) in check.manifest.keys() {
        let reported = checked.selectors.iter().any(|attested| attested.selector.key() == key);
        let unknown = checked.unknown.iter().any(|unknown| &unknown.key == key);
        assert!(reported || unknown || check.read.contains_all(spec.derived_from), "{key}");
    }
}
