//! Tests of [`super`]: hand-made reports against every rule.

use witgate_facts::{FactError, FactName, Interface, fixture::Recorded};
use witgate_identity::Assurance;

use super::*;
use crate::plan::Wants;

fn key(key: &str, fact: &str, named: bool, single: bool) -> wit::SelectorKey {
    wit::SelectorKey {
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
    let said = wit::Manifest { keys, config_schema: String::new() };
    let has = |interface: Interface| interface != Interface::Ancestry;
    Manifest::check(said, has, Assurance::Kernel).unwrap()
}

fn selector(key: &str, name: Option<&str>, value: &str) -> wit::Selector {
    wit::Selector { key: key.to_owned(), name: name.map(str::to_owned), value: value.to_owned() }
}

fn unknown(key: &str) -> wit::UnknownKey {
    wit::UnknownKey { key: key.to_owned(), reason: "be\u{7}cause".to_owned() }
}

/// A call in which the credentials, names and program were read, and the state could not be.
fn log() -> FactLog {
    let read = [FactName::ProcessCredentials, FactName::ProcessNames, FactName::ExecutableInfo];
    let failed = vec![(FactName::ProcessState, FactError::Denied)];
    FactLog { read: read.into_iter().collect(), failed, host_calls: 4, ..FactLog::default() }
}

fn with<T>(wanted: &[&str], run: impl FnOnce(&Check<'_>) -> T) -> T {
    let (manifest, log, facts) = (manifest(), log(), Recorded::default());
    let plugin = PluginName::new("p").unwrap();
    let keys = wanted.iter().map(|key| KeyName::new(key).unwrap()).collect();
    let wants = Wants::new(keys);
    run(&Check { plugin: &plugin, manifest: &manifest, wants: &wants, log: &log, facts: &facts })
}

const ALL: &[&str] = &["gid", "label", "path", "state", "uid"];

fn check(selectors: Vec<wit::Selector>, unknown: Vec<wit::UnknownKey>) -> Result<Checked, String> {
    with(ALL, |check| check.report(&wit::Report { selectors, unknown }))
}

fn refused(selectors: Vec<wit::Selector>, unknown: Vec<wit::UnknownKey>, why: &str) {
    let reason = check(selectors, unknown).unwrap_err();
    assert!(reason.contains(why), "{reason}");
    assert!(reason.chars().all(|c| !c.is_control()), "{reason:?}");
}

#[test]
fn selectors_are_stamped_and_levelled() {
    let checked = check(
        vec![
            selector("uid", None, "0"),
            selector("label", Some("a"), "x"),
            selector("label", Some("b"), "x"),
            selector("path", None, "/bin/sh"),
        ],
        vec![],
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
    let checked = check(vec![], vec![]).unwrap();
    let [state] = checked.unknown.as_slice() else { panic!("{checked:?}") };
    assert_eq!(state.key.as_str(), "state");
    assert_eq!(
        state.reason,
        "`process.state` could not be read: the kernel does not let us read it"
    );
}

#[test]
fn nobody_is_told_about_unknown_keys_that_nobody_wants() {
    let report = wit::Report { selectors: vec![], unknown: vec![unknown("gid"), unknown("uid")] };
    let checked = with(&["uid"], |check| check.report(&report)).unwrap();
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
    refused(vec![good(), selector("rank", None, "0")], vec![], "'rank' is not in the manifest");
    refused(vec![good(), selector("a\nb", None, "0")], vec![], "'a\\nb' is not in the manifest");
    refused(vec![good()], vec![unknown("rank")], "not in the manifest");
    refused(vec![good(), good()], vec![], "twice");
    refused(vec![good()], vec![unknown("uid")], "called unknown");
    refused(vec![selector("label", None, "x")], vec![], "needs a name");
    refused(vec![selector("gid", Some("x"), "1")], vec![], "has no names");
    refused(vec![selector("label", Some(""), "x")], vec![], "empty");
    refused(vec![selector("gid", None, "")], vec![], "empty");
    refused(vec![selector("gid", None, "1\n")], vec![], "control character");
    refused(vec![selector("state", None, "R")], vec![], "`process.state` could not be read");
    let label = || selector("label", Some("a"), "x");
    refused(vec![label(), label()], vec![], "twice");
}

#[test]
fn what_is_said_twice_of_a_key_with_several_values_counts_once() {
    let gid = |value| selector("gid", None, value);
    let checked = check(vec![gid("1"), gid("2"), gid("1")], vec![]).unwrap();
    let shown: Vec<_> = checked.selectors.iter().map(|s| s.selector.to_string()).collect();
    assert_eq!(shown, ["p:gid:1", "p:gid:2"]);
}

#[test]
fn a_key_with_several_values_can_be_known_in_part() {
    let checked = check(vec![selector("gid", None, "1")], vec![unknown("gid"), unknown("gid")]);
    let checked = checked.unwrap();
    let (said, unclear) = (checked.selectors.len(), checked.unknown.len());
    assert_eq!((said, unclear), (1, 2), "gid and state: {checked:?}");
}

#[test]
fn counts_and_sizes_are_bounded() {
    let groups = |n: usize| (0..n).map(|n| selector("gid", None, &n.to_string())).collect();
    assert!(check(groups(limits::SELECTORS), vec![]).is_ok());
    refused(groups(limits::SELECTORS + 1), vec![], "1025 selectors");
    let long = |n: usize| (0..n).map(|_| selector("gid", None, &"x".repeat(4096))).collect();
    let fits = limits::REPORT_BYTES / 4096;
    assert!(check(long(fits), vec![]).is_ok());
    refused(long(fits + 1), vec![], "bytes of selectors");
    refused(vec![selector("gid", None, &"x".repeat(4097))], vec![], "4097 bytes");
    refused(vec![], (0..=limits::KEYS).map(|_| unknown("gid")).collect(), "65 unknown keys");
}

#[test]
fn a_fact_that_says_less_makes_the_selector_worth_less() {
    let facts = Recorded { challenged: true, ..Recorded::default() };
    assert_eq!(facts.assurance(FactName::ExecutableInfo), Assurance::Image);
    let (manifest, log) = (manifest(), log());
    let plugin = PluginName::new("p").unwrap();
    let wants = Wants::new([KeyName::new("path").unwrap()].into());
    let check =
        Check { plugin: &plugin, manifest: &manifest, wants: &wants, log: &log, facts: &facts };
    let said = wit::Report { selectors: vec![selector("path", None, "/x")], unknown: vec![] };
    assert_eq!(check.report(&said).unwrap().selectors[0].assurance, Assurance::Image);
}

proptest::proptest! {
    #[test]
    fn whatever_a_guest_says_is_refused_whole_or_only_selectors(
        said in proptest::collection::vec(
            ("(uid|gid|label|state|.{0,5})", proptest::option::of(".{0,5}"), ".{0,9}"), 0..6),
        unclear in proptest::collection::vec("(uid|gid|label|state|.{0,5})", 0..4),
    ) {
        let selectors = said.iter().map(|(k, n, v)| selector(k, n.as_deref(), v)).collect();
        let unclear = unclear.iter().map(|key| unknown(key)).collect();
        match check(selectors, unclear) {
            Ok(checked) => {
                assert_eq!(checked.selectors.len(), said.len());
                for attested in checked.selectors {
                    assert_eq!(attested.selector.plugin().as_str(), "p");
                    assert!(attested.selector.to_string().chars().all(|c| !c.is_control()));
                }
            }
            Err(reason) => assert!(!reason.is_empty()),
        }
    }
}
