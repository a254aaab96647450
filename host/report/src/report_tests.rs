//! Tests of [`super`]: hand-made reports against every rule.

use witgate_facts::{FactError, FactName, Interface, fixture::Recorded};
use witgate_identity::Assurance;

use super::*;
use crate::said::{SaidKey, SaidManifest, SaidUnknown};

fn key(key: &str, fact: &str, named: bool, single: bool) -> SaidKey {
    SaidKey {
        key: key.to_owned(),
        meaning: String::new(),
        example: String::new(),
        derived_from: vec![fact.to_owned()],
        named,
        stable: false,
        single,
        secret: false,
    }
}

fn manifest() -> Manifest {
    let keys = vec![
        key("gid", "process.credentials", false, false),
        key("label", "process.names", true, true),
        key("state", "process.state", false, false),
        key("path", "executable.info", false, true),
        key("uid", "process.credentials", false, true),
    ];
    let said = SaidManifest { keys, config_schema: String::new() };
    let has = |interface: Interface| interface != Interface::Ancestry;
    Manifest::check(said, has, Assurance::Kernel).unwrap()
}

/// Key, name and value.
type Selector = (String, Option<String>, String);

fn selector(key: &str, name: Option<&str>, value: &str) -> Selector {
    (key.to_owned(), name.map(str::to_owned), value.to_owned())
}

fn unknown(key: &str) -> String {
    key.to_owned()
}

fn said<'a>(selectors: &'a [Selector], unknown: &'a [String]) -> SaidReport<'a> {
    let selectors = selectors.iter().map(|(key, name, value)| {
        let name = name.as_deref();
        SaidSelector { key, name, value }
    });
    let unknown = unknown.iter().map(|key| SaidUnknown { key, reason: "be\u{7}cause" });
    SaidReport { selectors: selectors.collect(), unknown: unknown.collect() }
}

/// A call in which the credentials, names and program were read, and the state could not be.
fn log() -> (FactSet, [(FactName, FactError); 1]) {
    let read = [FactName::ProcessCredentials, FactName::ProcessNames, FactName::ExecutableInfo];
    (read.into_iter().collect(), [(FactName::ProcessState, FactError::Denied)])
}

fn with<T>(wanted: &[&str], run: impl FnOnce(&Check<'_>) -> T) -> T {
    by(&Recorded::default(), wanted, run)
}

fn by<T>(facts: &Recorded, wanted: &[&str], run: impl FnOnce(&Check<'_>) -> T) -> T {
    let (manifest, (read, failed)) = (manifest(), log());
    let plugin = PluginName::new("p").unwrap();
    let wants = wanted.iter().map(|key| KeyName::new(key).unwrap()).collect();
    let (plugin, manifest, wants) = (&plugin, &manifest, &wants);
    run(&Check { plugin, manifest, wants, read, failed: &failed, facts })
}

const ALL: &[&str] = &["gid", "label", "path", "state", "uid"];

fn check(selectors: &[Selector], unknown: &[String]) -> Result<Checked, String> {
    with(ALL, |check| check.report(&said(selectors, unknown)))
}

fn refused(selectors: &[Selector], unknown: &[String], why: &str) {
    let reason = check(selectors, unknown).unwrap_err();
    assert!(reason.contains(why), "{reason}");
    assert!(reason.chars().all(|c| !c.is_control()), "{reason:?}");
}

#[test]
fn selectors_are_stamped_and_levelled() {
    let checked = check(
        &[
            selector("uid", None, "0"),
            selector("label", Some("a"), "x"),
            selector("label", Some("b"), "x"),
            selector("path", None, "/bin/sh"),
        ],
        &[],
    )
    .unwrap();
    let shown: Vec<_> =
        checked.selectors.iter().map(|s| (s.selector.to_string(), s.assurance)).collect();
    let expected = [
        ("p:uid:0", Assurance::Kernel),
        ("p:label:a:x", Assurance::Kernel),
        ("p:label:b:x", Assurance::Kernel),
        // Nobody challenged this request.
        ("p:path:/bin/sh", Assurance::Claimed),
    ];
    assert_eq!(shown, expected.map(|(text, level)| (text.to_owned(), level)));
}

#[test]
fn a_key_left_out_is_no_only_if_all_its_facts_were_read() {
    let checked = check(&[], &[]).unwrap();
    let [state] = checked.unknown.as_slice() else { panic!("{checked:?}") };
    assert_eq!(state.key.as_str(), "state");
    assert_eq!(
        state.reason,
        "`process.state` could not be read: the kernel does not let us read it"
    );
}

#[test]
fn nobody_is_told_about_unknown_keys_that_nobody_wants() {
    let unknown = [unknown("gid"), unknown("uid")];
    let checked = with(&["uid"], |check| check.report(&said(&[], &unknown))).unwrap();
    assert_eq!(checked.unknown.len(), 1);
    assert_eq!(checked.unknown[0].reason, "be\\u{7}cause");
}

fn look_away(check: &Check<'_>) -> Vec<UnknownKey> {
    check.not_applicable()
}

#[test]
fn not_applicable_does_not_cover_up_a_fact_that_could_not_be_read() {
    let unknown = with(ALL, look_away);
    assert_eq!(unknown.iter().map(|u| u.key.as_str()).collect::<Vec<_>>(), ["state"]);
    assert_eq!(with(&["uid"], look_away), []);
}

#[test]
fn one_broken_rule_costs_the_whole_report() {
    let good = || selector("uid", None, "0");
    refused(&[good(), selector("rank", None, "0")], &[], "'rank' is not in the manifest");
    refused(&[good(), selector("a\nb", None, "0")], &[], "'a\\nb' is not in the manifest");
    refused(&[good()], &[unknown("rank")], "not in the manifest");
    refused(&[good(), good()], &[], "twice");
    refused(&[good()], &[unknown("uid")], "called unknown");
    refused(&[selector("label", None, "x")], &[], "needs a name");
    refused(&[selector("gid", Some("x"), "1")], &[], "has no names");
    refused(&[selector("label", Some(""), "x")], &[], "empty");
    refused(&[selector("gid", None, "")], &[], "empty");
    refused(&[selector("gid", None, "1\n")], &[], "control character");
    refused(&[selector("state", None, "R")], &[], "`process.state` could not be read");
    let label = || selector("label", Some("a"), "x");
    refused(&[label(), label()], &[], "twice");
}

#[test]
fn what_is_said_twice_of_a_key_with_several_values_counts_once() {
    let gid = |value| selector("gid", None, value);
    let checked = check(&[gid("1"), gid("2"), gid("1")], &[]).unwrap();
    let shown: Vec<_> = checked.selectors.iter().map(|s| s.selector.to_string()).collect();
    assert_eq!(shown, ["p:gid:1", "p:gid:2"]);
}

#[test]
fn a_key_with_several_values_can_be_known_in_part() {
    let checked = check(&[selector("gid", None, "1")], &[unknown("gid"), unknown("gid")]);
    let checked = checked.unwrap();
    let (said, unclear) = (checked.selectors.len(), checked.unknown.len());
    assert_eq!((said, unclear), (1, 2), "gid and state: {checked:?}");
}

#[test]
fn counts_and_sizes_are_bounded() {
    let groups =
        |n: usize| -> Vec<_> { (0..n).map(|n| selector("gid", None, &n.to_string())).collect() };
    assert!(check(&groups(limits::SELECTORS), &[]).is_ok());
    refused(&groups(limits::SELECTORS + 1), &[], "1025 selectors");
    let long = |n: usize| vec![selector("gid", None, &"x".repeat(4096)); n];
    let fits = limits::REPORT_BYTES / 4096;
    assert!(check(&long(fits), &[]).is_ok());
    refused(&long(fits + 1), &[], "bytes of selectors");
    refused(&[selector("gid", None, &"x".repeat(4097))], &[], "4097 bytes");
    refused(&[], &vec![unknown("gid"); limits::KEYS + 1], "65 unknown keys");
}

#[test]
fn a_fact_that_says_less_makes_the_selector_worth_less() {
    let facts = Recorded { challenged: true, ..Recorded::default() };
    assert_eq!(facts.assurance(FactName::ExecutableInfo), Assurance::Image);
    let selectors = [selector("path", None, "/x")];
    let checked = by(&facts, &["path"], |check| check.report(&said(&selectors, &[]))).unwrap();
    assert_eq!(checked.selectors[0].assurance, Assurance::Image);
}
