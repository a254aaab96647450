use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use toml::{Spanned, de::DeTable};
use witgate_identity::{Assurance, KeyName, PluginName, Selector};

use super::{
    Named, Parsed,
    clause::{self, Written},
    reader::{Mistake, Reader},
    value::{self, Value},
    weakness,
};
use crate::{
    Action, Entry, ErrorKind,
    condition::{Accepted, Condition, Topic},
    glob::Glob,
    limits,
    near::nearest,
    template::Template,
};

const FIELDS: [&str; 14] = [
    "action",
    "expires",
    "hint",
    "identity",
    "like",
    "match",
    "name",
    "on",
    "priority",
    "require",
    "selectors",
    "ttl",
    "unless",
    "weak",
];

/// An entry as it was written.
#[derive(Debug, Default)]
struct Draft<'a> {
    name: Option<String>,
    identity: Option<(String, usize)>,
    literal: Vec<Written<'a>>,
    like: Vec<Written<'a>>,
    unless: Vec<Written<'a>>,
    on: BTreeMap<String, Vec<String>>,
    expires: Option<Timestamp>,
    challenged: bool,
    action: Option<Action>,
    priority: i64,
    ttl: Option<Duration>,
    hint: Option<String>,
    weak: bool,
}

/// Reads one entry that starts at byte `at`. Without a mistake it goes to `parsed.entries`.
pub(super) fn read(reader: &mut Reader<'_>, table: &DeTable<'_>, at: usize, parsed: &mut Parsed) {
    let before = reader.mistakes();
    let mut draft = Draft::default();
    for (name, value) in table {
        field(reader, &mut draft, name.get_ref(), name.span().start, value);
    }
    let (line, column) = reader.place(at);
    if let Some(name) = &draft.name {
        parsed.names.push(Named { name: name.clone(), file: reader.file.clone(), line, column });
    } else if !table.iter().any(|(name, _)| name.get_ref() == "name") {
        let mistake = Mistake::new(ErrorKind::Missing, at, "entry.name", "the entry has no name");
        reader.report(mistake.advise("give it one that is unique, it stands in every answer"));
    }
    check_fields(reader, &draft, table, at);
    let entry = draft.finish(reader, at, before);
    if reader.mistakes() == before {
        parsed.entries.push(Entry { line, column, ..entry });
    }
}

fn field<'a>(
    reader: &mut Reader<'a>,
    draft: &mut Draft<'a>,
    name: &str,
    at: usize,
    value: Value<'_, '_>,
) {
    let key = &format!("entry.{name}");
    match name {
        "name" => draft.name = entry_name(reader, key, value),
        "identity" => {
            let text = value::text(reader, key, value, witgate_identity::SpiffeId::MAX_LEN);
            draft.identity = text.map(|text| (text, value.span().start));
        }
        "match" => draft.literal.extend(clause::read(reader, key, value)),
        "selectors" => draft.literal.extend(selectors(reader, key, value)),
        "like" => draft.like = clause::read(reader, key, value),
        "unless" => draft.unless = clause::read(reader, key, value),
        "on" => draft.on = labels(reader, key, value),
        "expires" => draft.expires = value::time(reader, key, value),
        "require" => draft.challenged = require(reader, key, value),
        "action" => {
            draft.action = value::word(reader, key, value, &Action::ALL.map(|a| (a.as_str(), a)));
        }
        "priority" => draft.priority = value::integer(reader, key, value).unwrap_or_default(),
        "ttl" => draft.ttl = value::ttl(reader, key, value),
        "hint" => draft.hint = value::text(reader, key, value, limits::MAX_HINT),
        "weak" => draft.weak = value::boolean(reader, key, value).unwrap_or_default(),
        other => {
            let message = format!("an entry has no field '{other}'");
            let mistake = Mistake::new(ErrorKind::UnknownField, at, key, message);
            let mistake = mistake.nearest(nearest(other, FIELDS));
            reader.report(mistake.advise(format!("the fields are {}", FIELDS.join(", "))));
        }
    }
}

fn entry_name(reader: &mut Reader<'_>, key: &str, value: Value<'_, '_>) -> Option<String> {
    let name = value::text(reader, key, value, limits::MAX_ENTRY_NAME)?;
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_./:@".contains(&b);
    if !name.bytes().all(allowed) {
        let message = format!("{name:?} cannot name an entry");
        let mistake = Mistake::new(ErrorKind::Value, value.span().start, key, message);
        reader.report(mistake.advise("use letters, digits and - _ . / : @"));
        return None;
    }
    Some(name)
}

/// `require = ["challenged"]`
fn require(reader: &mut Reader<'_>, key: &str, value: Value<'_, '_>) -> bool {
    let mut challenged = false;
    for (word, at) in value::strings(reader, key, value) {
        if word == "challenged" {
            challenged = true;
        } else {
            let shown: String = word.chars().take(64).collect();
            let mistake =
                Mistake::new(ErrorKind::Value, at, key, format!("{shown:?} cannot be required"));
            let near = nearest(&word, ["challenged"]);
            reader.report(mistake.nearest(near).advise("the only word is \"challenged\""));
        }
    }
    challenged
}

/// `on = { role = "edge" }`, also `on` of a test.
pub(super) fn labels(
    reader: &mut Reader<'_>,
    key: &str,
    value: Value<'_, '_>,
) -> BTreeMap<String, Vec<String>> {
    let Some(table) = value.get_ref().as_table() else {
        let mistake = Mistake::new(
            ErrorKind::Value,
            value.span().start,
            key,
            format!("'{key}' is not a table"),
        );
        reader.report(mistake.advise("write on = { label = \"value\" }"));
        return BTreeMap::new();
    };
    let mut labels = BTreeMap::new();
    for (label, value) in table {
        let key = format!("{key}.{}", label.get_ref());
        let mut values: Vec<_> =
            value::scalars(reader, &key, value).into_iter().map(|(value, _)| value).collect();
        values.sort_unstable();
        values.dedup();
        labels.insert(label.get_ref().to_string(), values);
    }
    labels
}

/// SPIRE's literal form, one condition each.
fn selectors<'a>(reader: &mut Reader<'a>, key: &str, value: Value<'_, '_>) -> Vec<Written<'a>> {
    let mut written = Vec::new();
    let texts = value::strings(reader, key, value);
    if texts.is_empty() && value.get_ref().as_array().is_some_and(|array| array.is_empty()) {
        let message = "an empty list asks for nothing";
        reader.report(Mistake::new(ErrorKind::Value, value.span().start, key, message));
    }
    for (text, at) in texts {
        written.extend(literal(reader, key, &text, at));
    }
    written
}

fn literal<'a>(reader: &mut Reader<'a>, key: &str, text: &str, at: usize) -> Option<Written<'a>> {
    let mut parts = text.splitn(3, ':');
    let plugin = parts.next().and_then(|plugin| PluginName::new(plugin).ok());
    let schema = match plugin.zip(parts.next().and_then(|key| KeyName::new(key).ok())) {
        Some((plugin, name)) => {
            let known = clause::known_plugin(reader, &plugin, key, at);
            known.then(|| clause::schema(reader, &plugin, &name, key, at)).flatten()?
        }
        None => None,
    };
    match Selector::parse(text, schema.is_some_and(|schema| schema.named)) {
        Ok(selector) => {
            let topic = Topic {
                plugin: selector.plugin().clone(),
                key: selector.key().clone(),
                name: selector.name().map(Into::into),
            };
            let values = vec![(selector.value().to_owned(), at)];
            Some(Written { topic, values, at, key: key.to_owned(), schema })
        }
        Err(error) => {
            let mistake = Mistake::new(ErrorKind::Value, at, key, error.to_string());
            reader
                .report(mistake.advise("write \"plugin:key:value\", or \"plugin:key:name:value\""));
            None
        }
    }
}

/// Fields that must be there, or must not be there together.
fn check_fields(reader: &mut Reader<'_>, draft: &Draft<'_>, table: &DeTable<'_>, at: usize) {
    let place = |field: &str| {
        table
            .iter()
            .find(|(name, _)| name.get_ref() == field)
            .map(|(name, _): (&Spanned<_>, _)| name.span().start)
    };
    if draft.action == Some(Action::Deny) {
        for field in ["identity", "ttl", "hint", "require"] {
            let Some(at) = place(field) else { continue };
            let message = format!("an entry with action \"deny\" has no '{field}'");
            let mistake = Mistake::new(ErrorKind::Entry, at, format!("entry.{field}"), message);
            reader.report(mistake.advise(match field {
                "require" => "whoever must be refused would not take the challenge; leave it out",
                _ => "it gives nothing; leave it out",
            }));
        }
    } else if place("identity").is_none() {
        let mistake =
            Mistake::new(ErrorKind::Missing, at, "entry.identity", "the entry has no identity");
        reader.report(mistake.advise("add identity = \"/…\", or action = \"deny\""));
    }
    let asks = ["match", "like", "selectors"];
    if draft.literal.is_empty()
        && draft.like.is_empty()
        && asks.iter().all(|field| {
            place(field).is_none()
                || table.iter().any(|(name, value)| {
                    name.get_ref() == field
                        && value.get_ref().as_table().is_some_and(DeTable::is_empty)
                })
        })
    {
        let message = "the entry asks for nothing, so everybody would match";
        let mistake = Mistake::new(ErrorKind::Entry, at, "entry", message);
        reader.report(mistake.advise("add match, like or selectors"));
    }
    let conditions = draft.literal.len() + draft.like.len() + draft.unless.len();
    if conditions > limits::MAX_CONDITIONS {
        let message = format!(
            "the entry has {conditions} conditions, the limit is {}",
            limits::MAX_CONDITIONS
        );
        reader.report(Mistake::new(ErrorKind::Limit, at, "entry", message));
    }
}

impl<'a> Draft<'a> {
    /// `before` counts the mistakes before this entry.
    fn finish(self, reader: &mut Reader<'a>, at: usize, before: usize) -> Entry {
        let action = self.action.unwrap_or(Action::Allow);
        let identity =
            self.identity.as_ref().and_then(|(text, at)| self.template(reader, text, *at));
        let absent = self.absent(identity.as_ref());
        let relied_on = action != Action::Deny;
        let literal =
            self.literal.iter().filter_map(|w| self.literal_condition(reader, w, relied_on));
        let mut conditions: Vec<_> = literal.collect();
        let like: Vec<_> =
            self.like.iter().filter_map(|w| self.like_condition(reader, w, relied_on)).collect();
        conditions.extend(like);
        let unless =
            self.unless.iter().filter_map(|w| self.literal_condition(reader, w, false)).collect();
        let entry = Entry {
            name: self.name.as_deref().unwrap_or_default().into(),
            file: reader.file.clone(),
            line: 0,
            column: 0,
            action,
            identity,
            conditions: ordered(conditions),
            unless: ordered(unless),
            here: true,
            on: self.on.clone(),
            expires: self.expires,
            challenged: self.challenged,
            priority: self.priority,
            ttl: self.ttl.unwrap_or(limits::DEFAULT_TTL),
            hint: self.hint.clone(),
            weak: self.weak,
            absent,
        };
        if !entry.weak && entry.absent.is_empty() {
            weakness::forgeable(reader, &entry, &[&self.literal, &self.like], &self.unless);
            // A condition that could not be read would have been part of the guard.
            if reader.mistakes() == before {
                weakness::open(reader, &entry, at, self.identity.map_or(at, |(_, at)| at));
            }
        }
        let here = entry.is_on(&reader.words.options.host_labels);
        Entry { here, ..entry }
    }

    fn level(&self, written: &Written<'_>) -> Option<Assurance> {
        written.schema.map(|schema| schema.level(self.challenged))
    }

    fn literal_condition(
        &self,
        reader: &mut Reader<'_>,
        written: &Written<'_>,
        relied_on: bool,
    ) -> Option<Condition> {
        let mut selectors = written.selectors(reader);
        selectors.sort_unstable();
        selectors.dedup();
        (!selectors.is_empty())
            .then(|| self.condition(written, Accepted::Literal(selectors), relied_on))
    }

    fn like_condition(
        &self,
        reader: &mut Reader<'_>,
        written: &Written<'_>,
        relied_on: bool,
    ) -> Option<Condition> {
        let mut globs = Vec::with_capacity(written.values.len());
        for (text, at) in &written.values {
            match Glob::new(text) {
                Some(glob) => globs.push(glob),
                None => {
                    let message = format!(
                        "a pattern has 1 to {} bytes, this one {}",
                        limits::MAX_GLOB,
                        text.len()
                    );
                    reader.report(Mistake::new(ErrorKind::Limit, *at, &written.key, message));
                }
            }
        }
        globs.sort_unstable();
        globs.dedup();
        (!globs.is_empty()).then(|| self.condition(written, Accepted::Like(globs), relied_on))
    }

    fn condition(&self, written: &Written<'_>, accepted: Accepted, relied_on: bool) -> Condition {
        let level = self.level(written);
        Condition {
            topic: written.topic.clone(),
            accepted,
            level,
            secret: written.schema.is_some_and(|schema| schema.secret),
            relied_on: relied_on && level.is_some_and(Assurance::guards),
        }
    }

    /// The identity, if its placeholders can be relied upon.
    fn template(&self, reader: &mut Reader<'_>, text: &str, at: usize) -> Option<Template> {
        let key = "entry.identity";
        let mut template = match Template::parse(text, &reader.words.options.trust_domain) {
            Ok(template) => template,
            Err(error) => {
                let mistake = Mistake::new(ErrorKind::Template, at, key, error.to_string());
                reader.report(mistake.advise(error.advice()));
                return None;
            }
        };
        for slot in template.slots_mut() {
            let topic = &slot.topic;
            if !clause::known_plugin(reader, &topic.plugin, key, at) {
                continue;
            }
            let schema = clause::schema(reader, &topic.plugin, &topic.key, key, at);
            let Some(Some(schema)) = schema else { continue };
            slot.level = Some(schema.level(self.challenged));
            slot.secret = schema.secret;
            let (message, advice) = if schema.named && topic.name.is_none() {
                (format!("{topic} needs a name"), format!("write {{{topic}[name]}}"))
            } else if !schema.named && topic.name.is_some() {
                (
                    format!("{}.{} has no names", topic.plugin, topic.key),
                    format!("write {{{}.{}}}", topic.plugin, topic.key),
                )
            } else if !schema.stable {
                (
                    format!("{topic} can change while the process lives"),
                    "an identity must not; use another key".to_owned(),
                )
            } else if !schema.single {
                (
                    format!("there can be several {topic}"),
                    "an identity needs the one value; use another key".to_owned(),
                )
            } else if schema.secret {
                (
                    format!("{topic} is a secret"),
                    "an identity is public; use another key".to_owned(),
                )
            } else {
                continue;
            };
            reader.report(Mistake::new(ErrorKind::Template, at, key, message).advise(advice));
        }
        Some(template)
    }

    fn absent(&self, identity: Option<&Template>) -> Vec<PluginName> {
        let written = self.literal.iter().chain(&self.like).chain(&self.unless);
        let mut absent: Vec<_> =
            written.filter(|w| w.schema.is_none()).map(|w| w.topic.plugin.clone()).collect();
        let slots = identity.into_iter().flat_map(Template::slots);
        absent.extend(
            slots.filter(|slot| slot.level.is_none()).map(|slot| slot.topic.plugin.clone()),
        );
        absent.sort_unstable();
        absent.dedup();
        absent
    }
}

fn ordered(mut conditions: Vec<Condition>) -> Vec<Condition> {
    conditions.sort_by(|a, b| (&a.topic, &a.accepted).cmp(&(&b.topic, &b.accepted)));
    conditions.dedup_by(|a, b| a.topic == b.topic && a.accepted == b.accepted);
    conditions
}
