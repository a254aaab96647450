//! `[[test]]`: what is given, and what must come of it.

use std::sync::Arc;

use jiff::Timestamp;
use toml::de::{DeTable, DeValue};
use witgate_identity::{Attested, KeyName, PluginName};

use super::{
    clause, entry,
    reader::{Mistake, Reader},
    value::{self, Value},
};
use crate::{DenyReason, ErrorKind, Evidence, HostLabels, limits, near::nearest};

const FIELDS: [&str; 7] = ["at", "challenged", "expect", "given", "name", "on", "unknown"];
const EXPECTED: [&str; 5] = ["decision", "entry", "identities", "identity", "reason"];

/// One test of an entry file.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) file: Arc<str>,
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) evidence: Evidence,
    /// The labels of the host it plays on; this host's if none are given.
    pub(crate) on: Option<HostLabels>,
    /// The time it plays at. Without it nothing expires, so that a file that passes today passes
    /// tomorrow.
    pub(crate) at: Option<Timestamp>,
    pub(crate) expected: Expected,
    /// Plugins it is about that are not loaded: then it is not run.
    pub(crate) absent: Vec<PluginName>,
    /// Keys that it gives or leaves unknown.
    pub(crate) keys: Vec<(PluginName, KeyName)>,
}

/// What must come of it; what is `None` is not looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) decision: Option<&'static str>,
    pub(crate) reason: Option<DenyReason>,
    /// The first identity, as a path or whole.
    pub(crate) identity: Option<String>,
    /// All identities in their order.
    pub(crate) identities: Option<Vec<String>>,
    /// The entry of the first identity, or the one that denied.
    pub(crate) entry: Option<String>,
}

/// Reads one test that starts at byte `at`; none if it has a mistake.
pub(super) fn read(reader: &mut Reader<'_>, table: &DeTable<'_>, at: usize) -> Option<Case> {
    let before = reader.mistakes();
    let (line, column) = reader.place(at);
    let mut case = Case {
        name: String::new(),
        file: reader.file.clone(),
        line,
        column,
        evidence: Evidence::default(),
        on: None,
        at: None,
        expected: Expected::default(),
        absent: Vec::new(),
        keys: Vec::new(),
    };
    // Before `given`: it says what the selectors are worth.
    for (name, value) in table.iter().filter(|(name, _)| name.get_ref() == "challenged") {
        let key = format!("test.{}", name.get_ref());
        case.evidence.challenged = value::boolean(reader, &key, value).unwrap_or_default();
    }
    for (name, value) in table {
        field(reader, &mut case, name.get_ref(), name.span().start, value);
    }
    for wanted in ["name", "expect"] {
        if !table.iter().any(|(name, _)| name.get_ref() == wanted) {
            let message = format!("the test has no '{wanted}'");
            reader.report(Mistake::new(ErrorKind::Missing, at, format!("test.{wanted}"), message));
        }
    }
    case.absent.sort_unstable();
    case.absent.dedup();
    (reader.mistakes() == before).then_some(case)
}

fn field(reader: &mut Reader<'_>, case: &mut Case, name: &str, at: usize, value: Value<'_, '_>) {
    let key = &format!("test.{name}");
    match name {
        "name" => {
            case.name = value::text(reader, key, value, limits::MAX_TEST_NAME).unwrap_or_default();
        }
        "given" => given(reader, case, key, value),
        "unknown" => unknown(reader, case, key, value),
        "challenged" => {}
        "on" => {
            let labels = entry::labels(reader, key, value).into_iter();
            case.on = Some(
                labels
                    .flat_map(|(label, values)| values.into_iter().map(move |v| (label.clone(), v)))
                    .collect(),
            );
        }
        "at" => case.at = value::time(reader, key, value),
        "expect" => expect(reader, case, key, value),
        other => {
            let message = format!("a test has no field '{other}'");
            let mistake = Mistake::new(ErrorKind::UnknownField, at, key, message);
            let mistake = mistake.nearest(nearest(other, FIELDS));
            reader.report(mistake.advise(format!("the fields are {}", FIELDS.join(", "))));
        }
    }
}

fn given(reader: &mut Reader<'_>, case: &mut Case, key: &str, value: Value<'_, '_>) {
    for written in clause::read(reader, key, value) {
        let selectors = written.selectors(reader);
        case.keys.push((written.topic.plugin.clone(), written.topic.key.clone()));
        match written.schema {
            Some(schema) => {
                let assurance = schema.level(case.evidence.challenged);
                let attested =
                    selectors.into_iter().map(|selector| Attested { selector, assurance });
                case.evidence.selectors.extend(attested);
            }
            None => case.absent.push(written.topic.plugin),
        }
    }
}

/// `unknown = ["docker", "unix.sha256"]`
fn unknown(reader: &mut Reader<'_>, case: &mut Case, key: &str, value: Value<'_, '_>) {
    for (text, at) in value::strings(reader, key, value) {
        let (plugin, name) = match text.split_once('.') {
            Some((plugin, name)) => (PluginName::new(plugin), Some(KeyName::new(name))),
            None => (PluginName::new(&text), None),
        };
        let (Ok(plugin), Ok(name)) = (plugin, name.transpose()) else {
            let shown: String = text.chars().take(64).collect();
            let mistake =
                Mistake::new(ErrorKind::Value, at, key, format!("{shown:?} is no plugin or key"));
            reader.report(mistake.advise("write \"plugin\" or \"plugin.key\""));
            continue;
        };
        if !clause::known_plugin(reader, &plugin, key, at) {
            continue;
        }
        if !reader.words.vocabulary.has_plugin(plugin.as_str()) {
            case.absent.push(plugin);
            continue;
        }
        let reason = "the test says so".to_owned();
        match name {
            None => case.evidence.unknown.plugin(plugin, reason),
            Some(name) => {
                if clause::schema(reader, &plugin, &name, key, at).is_some() {
                    case.keys.push((plugin.clone(), name.clone()));
                    case.evidence.unknown.key(plugin, name, reason);
                }
            }
        }
    }
}

fn expect(reader: &mut Reader<'_>, case: &mut Case, key: &str, value: Value<'_, '_>) {
    let DeValue::Table(table) = value.get_ref() else {
        let mistake =
            Mistake::new(ErrorKind::Value, value.span().start, key, "'test.expect' is not a table");
        reader.report(mistake.advise("write expect = { decision = \"allow\" }"));
        return;
    };
    for (name, value) in table {
        let (at, name) = (name.span().start, name.get_ref().as_ref());
        expected(reader, &mut case.expected, (name, at), value);
    }
    let expected = &case.expected;
    let contradicts = match expected.decision {
        Some("allow") => expected.reason.is_some(),
        Some("deny") => expected.identity.is_some() || expected.identities.is_some(),
        Some(_) => expected != &Expected { decision: expected.decision, ..Expected::default() },
        None => false,
    };
    let at = value.span().start;
    if contradicts {
        let message = "identities go with \"allow\", a reason with \"deny\", and nothing with \"unavailable\"";
        reader.report(Mistake::new(ErrorKind::Entry, at, key, message));
    } else if !table.iter().any(|(name, _)| name.get_ref() == "decision") {
        let mistake = Mistake::new(
            ErrorKind::Missing,
            at,
            format!("{key}.decision"),
            "the test expects no decision",
        );
        reader.report(mistake.advise("add decision = \"allow\", \"deny\" or \"unavailable\""));
    }
}

fn expected(
    reader: &mut Reader<'_>,
    expected: &mut Expected,
    (name, at): (&str, usize),
    value: Value<'_, '_>,
) {
    let key = &format!("test.expect.{name}");
    let longest = witgate_identity::SpiffeId::MAX_LEN;
    match name {
        "decision" => {
            let words = ["allow", "deny", "unavailable"].map(|word| (word, word));
            expected.decision = value::word(reader, key, value, &words);
        }
        "reason" => {
            let words = DenyReason::ALL.map(|reason| (reason.as_str(), reason));
            expected.reason = value::word(reader, key, value, &words);
        }
        "identity" => expected.identity = value::text(reader, key, value, longest),
        "identities" => {
            let all = value::strings(reader, key, value);
            expected.identities = Some(all.into_iter().map(|(identity, _)| identity).collect());
        }
        "entry" => expected.entry = value::text(reader, key, value, limits::MAX_ENTRY_NAME),
        other => {
            let message = format!("'test.expect' has no field '{other}'");
            let mistake = Mistake::new(ErrorKind::UnknownField, at, key, message);
            let mistake = mistake.nearest(nearest(other, EXPECTED));
            reader.report(mistake.advise(format!("the fields are {}", EXPECTED.join(", "))));
        }
    }
}
