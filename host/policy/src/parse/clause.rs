//! `match`, `like`, `unless` and `given`: tables of plugin, key and, for some keys, name.

use toml::{
    Spanned,
    de::{DeString, DeTable},
};
use witgate_identity::{KeyName, PluginName, Selector};

use super::{
    reader::{Mistake, Reader},
    value::{Value, scalars},
};
use crate::{ErrorKind, KeySchema, condition::Topic, near::nearest};

/// One condition as it was written.
#[derive(Debug)]
pub(super) struct Written<'a> {
    pub(super) topic: Topic,
    /// Each with its place.
    pub(super) values: Vec<(String, usize)>,
    pub(super) at: usize,
    /// As errors name it: `entry.match.unix.uid`.
    pub(super) key: String,
    /// None if no plugin of this name is loaded.
    pub(super) schema: Option<&'a KeySchema>,
}

impl Written<'_> {
    /// Its values as selectors. Reports those that no selector can have.
    pub(super) fn selectors(&self, reader: &mut Reader<'_>) -> Vec<Selector> {
        let Topic { plugin, key, name } = &self.topic;
        let mut selectors = Vec::with_capacity(self.values.len());
        for (value, at) in &self.values {
            match Selector::new(plugin.clone(), key.clone(), name.as_deref(), value) {
                Ok(selector) => selectors.push(selector),
                Err(error) => {
                    reader.report(Mistake::new(
                        ErrorKind::Value,
                        *at,
                        &self.key,
                        error.to_string(),
                    ));
                }
            }
        }
        selectors
    }
}

type Keyed<'t, 'i> = (&'t Spanned<DeString<'i>>, Value<'t, 'i>);

/// Reads a clause; `path` is how errors name it.
pub(super) fn read<'a>(
    reader: &mut Reader<'a>,
    path: &str,
    value: Value<'_, '_>,
) -> Vec<Written<'a>> {
    let mut written = Vec::new();
    let Some(plugins) = table(reader, path, value) else { return written };
    for (name, keys) in plugins {
        let path = format!("{path}.{}", name.get_ref());
        let plugin = match PluginName::new(name.get_ref().as_ref()) {
            Ok(plugin) => plugin,
            Err(error) => {
                let mistake =
                    Mistake::new(ErrorKind::Value, name.span().start, &path, error.to_string());
                reader.report(mistake);
                continue;
            }
        };
        if known_plugin(reader, &plugin, &path, name.span().start) {
            for keyed in table(reader, &path, keys).into_iter().flatten() {
                key(reader, &plugin, &path, keyed, &mut written);
            }
        }
    }
    written
}

fn table<'t, 'i>(
    reader: &mut Reader<'_>,
    path: &str,
    value: Value<'t, 'i>,
) -> Option<&'t DeTable<'i>> {
    let found = value.get_ref().as_table();
    if found.is_none() {
        let message = format!("'{path}' is not a table");
        let mistake = Mistake::new(ErrorKind::Value, value.span().start, path, message);
        reader.report(mistake.advise("write plugin.key = value"));
    }
    found
}

/// Whether a plugin may be spoken of: one that is not loaded may, unless `strict_plugins` says not.
pub(super) fn known_plugin(
    reader: &mut Reader<'_>,
    plugin: &PluginName,
    path: &str,
    at: usize,
) -> bool {
    let words = reader.words;
    if words.vocabulary.has_plugin(plugin.as_str()) || !words.options.strict_plugins {
        return true;
    }
    let near = nearest(plugin.as_str(), words.vocabulary.plugins().map(PluginName::as_str));
    let mistake =
        Mistake::new(ErrorKind::UnknownPlugin, at, path, format!("no plugin '{plugin}' is loaded"));
    reader.report(mistake.nearest(near).advise("load it, or turn strict_plugins off"));
    false
}

/// What is known of a key: `Some(None)` if its plugin is not loaded, nothing if there is no such key.
pub(super) fn schema<'a>(
    reader: &mut Reader<'a>,
    plugin: &PluginName,
    key: &KeyName,
    path: &str,
    at: usize,
) -> Option<Option<&'a KeySchema>> {
    let vocabulary = reader.words.vocabulary;
    if !vocabulary.has_plugin(plugin.as_str()) {
        return Some(None);
    }
    if let Some(schema) = vocabulary.key(plugin, key) {
        return Some(Some(schema));
    }
    let own: Vec<_> = vocabulary
        .keys()
        .filter(|(p, _, _)| *p == plugin)
        .map(|(_, key, _)| key.as_str())
        .collect();
    // The right word after the wrong plugin is likelier than another word.
    let same = vocabulary.keys().find(|(_, other, _)| *other == key);
    let near = match same {
        Some((elsewhere, _, _)) => Some(format!("{elsewhere}.{key}")),
        None => nearest(key.as_str(), own.iter().copied()).map(|near| format!("{plugin}.{near}")),
    };
    let message = format!("plugin '{plugin}' has no key '{key}'");
    let mistake = Mistake::new(ErrorKind::UnknownKey, at, path, message).nearest(near.as_deref());
    let advice = if own.is_empty() {
        "it has none".to_owned()
    } else {
        format!("it has {}", own.join(", "))
    };
    reader.report(mistake.advise(advice));
    None
}

fn key<'a>(
    reader: &mut Reader<'a>,
    plugin: &PluginName,
    path: &str,
    (name, value): Keyed<'_, '_>,
    written: &mut Vec<Written<'a>>,
) {
    let (at, path) = (name.span().start, format!("{path}.{}", name.get_ref()));
    let key = match KeyName::new(name.get_ref().as_ref()) {
        Ok(key) => key,
        Err(error) => {
            reader.report(Mistake::new(ErrorKind::Value, at, path, error.to_string()));
            return;
        }
    };
    let Some(schema) = schema(reader, plugin, &key, &path, at) else { return };
    let names = value.get_ref().as_table();
    let named = schema.map_or_else(|| names.is_some(), |schema| schema.named);
    let topic = Topic { plugin: plugin.clone(), key, name: None };
    match (named, names) {
        (false, None) => {
            let values = scalars(reader, &path, value);
            written.push(Written { topic, values, at, key: path, schema });
        }
        (true, Some(names)) => {
            for (name, value) in names {
                let path = format!("{path}.\"{}\"", name.get_ref());
                let topic = Topic { name: Some(name.get_ref().as_ref().into()), ..topic.clone() };
                if value.get_ref().is_table() {
                    let message = format!("the name '{}' is followed by another", name.get_ref());
                    let mistake = Mistake::new(ErrorKind::Value, name.span().start, path, message);
                    let advice = "put a name with dots in quotes, as label.\"a.b\" = \"value\"";
                    reader.report(mistake.advise(advice));
                    continue;
                }
                let values = scalars(reader, &path, value);
                written.push(Written { topic, values, at: name.span().start, key: path, schema });
            }
        }
        (true, None) => {
            let mistake = Mistake::new(ErrorKind::Value, at, path, format!("{topic} needs a name"));
            reader.report(mistake.advise(format!("write {topic}.\"name\" = \"value\"")));
        }
        (false, Some(_)) => {
            let mistake = Mistake::new(ErrorKind::Value, at, path, format!("{topic} has no names"));
            reader.report(mistake.advise(format!("write {topic} = \"value\"")));
        }
    }
}
