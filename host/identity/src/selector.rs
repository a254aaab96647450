use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{Assurance, KeyName, NameError, PluginName};

/// One piece of evidence about a process: `unix:uid:1000`, `docker:label:tier:web`.
///
/// The order is by plugin, key, name, value, and is the order in which selectors are shown.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Selector {
    plugin: PluginName,
    key: KeyName,
    name: Option<Arc<str>>,
    value: Arc<str>,
}

/// Why something is not a selector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectorError {
    /// A control character in a name or value; it could break a log line, a page or a terminal.
    #[error("{part} holds the control character U+{code:04X}")]
    Control {
        /// `name` or `value`.
        part: &'static str,
        /// The character.
        code: u32,
    },
    /// A name or a value without any character.
    #[error("{part} is empty")]
    Empty {
        /// `name` or `value`.
        part: &'static str,
    },
    /// A plugin or key that is not a lower-case word.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The literal form needs at least `plugin:key:value`.
    #[error("{text:?} is not a selector; it reads plugin:key:value")]
    Shape {
        /// What we saw.
        text: String,
    },
    /// A name or value over the limit.
    #[error("{part} has {len} bytes, the limit is {max}")]
    TooLong {
        /// `name` or `value`.
        part: &'static str,
        /// Its length in bytes.
        len: usize,
        /// The limit in bytes.
        max: usize,
    },
}

impl Selector {
    /// Longest name in bytes; a Docker label key of a reverse-DNS form fits with room.
    pub const MAX_NAME: usize = 256;
    /// Longest value in bytes; `PATH_MAX`, because `unix:path` carries a path.
    pub const MAX_VALUE: usize = 4096;

    /// Puts a selector together.
    ///
    /// # Errors
    /// If the name or the value is empty, too long or holds a control character.
    pub fn new(
        plugin: PluginName,
        key: KeyName,
        name: Option<&str>,
        value: &str,
    ) -> Result<Self, SelectorError> {
        if let Some(name) = name {
            check("name", name, Self::MAX_NAME)?;
        }
        check("value", value, Self::MAX_VALUE)?;
        Ok(Self { plugin, key, name: name.map(Into::into), value: value.into() })
    }

    /// Reads SPIRE's literal form. `named` says whether the selectors of this plugin and key carry
    /// a name: then the first part after the key is the name (`docker:label:tier:web`).
    ///
    /// # Errors
    /// If the text has not enough parts, or a part is not valid.
    pub fn parse(text: &str, named: bool) -> Result<Self, SelectorError> {
        let shape = || SelectorError::Shape { text: text.chars().take(256).collect() };
        let (plugin, rest) = text.split_once(':').ok_or_else(shape)?;
        let (key, rest) = rest.split_once(':').ok_or_else(shape)?;
        let (name, value) = if named {
            let (name, value) = rest.split_once(':').ok_or_else(shape)?;
            (Some(name), value)
        } else {
            (None, rest)
        };
        Self::new(PluginName::new(plugin)?, KeyName::new(key)?, name, value)
    }

    /// The plugin that said so, as the operator named it.
    #[must_use]
    pub const fn plugin(&self) -> &PluginName {
        &self.plugin
    }

    /// What it is about.
    #[must_use]
    pub const fn key(&self) -> &KeyName {
        &self.key
    }

    /// Which one, for keys that have several: the label `tier` of `docker:label:tier:web`.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }
}

/// Non-ASCII is allowed (labels are people's words), control characters and the bidirectional
/// overrides that make text read as something else are not.
fn check(part: &'static str, text: &str, max: usize) -> Result<(), SelectorError> {
    if text.is_empty() {
        return Err(SelectorError::Empty { part });
    }
    if text.len() > max {
        return Err(SelectorError::TooLong { part, len: text.len(), max });
    }
    let hides = |c: &char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    match text.chars().find(hides) {
        Some(c) => Err(SelectorError::Control { part, code: c.into() }),
        None => Ok(()),
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:", self.plugin, self.key)?;
        if let Some(name) = &self.name {
            write!(f, "{name}:")?;
        }
        f.write_str(&self.value)
    }
}

/// A selector together with what it is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attested {
    /// The evidence.
    pub selector: Selector,
    /// The lowest level among the facts that it was derived from.
    pub assurance: Assurance,
}

#[derive(Serialize, Deserialize)]
struct AttestedText {
    plugin: PluginName,
    key: KeyName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    value: String,
    assurance: Assurance,
}

impl Serialize for Attested {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        AttestedText {
            plugin: self.selector.plugin.clone(),
            key: self.selector.key.clone(),
            name: self.selector.name().map(str::to_owned),
            value: self.selector.value().to_owned(),
            assurance: self.assurance,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Attested {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = AttestedText::deserialize(deserializer)?;
        let selector = Selector::new(text.plugin, text.key, text.name.as_deref(), &text.value)
            .map_err(serde::de::Error::custom)?;
        Ok(Self { selector, assurance: text.assurance })
    }
}

/// All selectors of one attestation: ordered, each once.
///
/// Said twice with different assurance, a selector keeps the **lower** level: losing information
/// must never make an answer stronger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SelectorSet(BTreeMap<Selector, Assurance>);

impl SelectorSet {
    /// No selectors.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one; see the type for what happens to a selector said twice.
    pub fn insert(&mut self, attested: Attested) {
        self.0
            .entry(attested.selector)
            .and_modify(|level| *level = (*level).min(attested.assurance))
            .or_insert(attested.assurance);
    }

    /// The level of a selector, if it is there.
    #[must_use]
    pub fn assurance(&self, selector: &Selector) -> Option<Assurance> {
        self.0.get(selector).copied()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Selector, Assurance)> {
        self.0.iter().map(|(selector, level)| (selector, *level))
    }

    /// Those of one plugin, key and name (`None` for keys without names), in order of value.
    pub fn of<'a>(
        &'a self,
        plugin: &'a PluginName,
        key: &'a KeyName,
        name: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a Selector, Assurance)> {
        // The lowest possible selector of this group; it need not be a valid one.
        let first = Selector {
            plugin: plugin.clone(),
            key: key.clone(),
            name: name.map(Into::into),
            value: "".into(),
        };
        self.0
            .range(first..)
            .take_while(move |(s, _)| s.plugin == *plugin && s.key == *key && s.name() == name)
            .map(|(s, level)| (s, *level))
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Attested> for SelectorSet {
    fn from_iter<I: IntoIterator<Item = Attested>>(all: I) -> Self {
        let mut set = Self::new();
        set.extend(all);
        set
    }
}

impl Extend<Attested> for SelectorSet {
    fn extend<I: IntoIterator<Item = Attested>>(&mut self, all: I) {
        for attested in all {
            self.insert(attested);
        }
    }
}

impl Serialize for SelectorSet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(
            self.0.iter().map(|(s, level)| Attested { selector: s.clone(), assurance: *level }),
        )
    }
}

impl<'de> Deserialize<'de> for SelectorSet {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Attested>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn selector(text: &str) -> Selector {
        Selector::parse(text, false).unwrap()
    }

    #[test]
    fn a_literal_reads_back_as_it_was_written() {
        assert_eq!(selector("unix:uid:1000").to_string(), "unix:uid:1000");
        let named = Selector::parse("docker:label:tier:web:1", true).unwrap();
        assert_eq!((named.name(), named.value()), (Some("tier"), "web:1"));
        assert_eq!(named.to_string(), "docker:label:tier:web:1");
    }

    #[test]
    fn what_is_not_a_selector_is_refused() {
        for bad in
            ["", "unix", "unix:uid", "unix:uid:", "Unix:uid:1", "unix:u d:1", "unix:path:/a\nb"]
        {
            assert!(Selector::parse(bad, false).is_err(), "{bad:?}");
        }
        let long = "x".repeat(Selector::MAX_VALUE + 1);
        assert!(Selector::parse(&format!("unix:path:{long}"), false).is_err());
        assert!(Selector::parse("unix:path:/a\u{202e}b", false).is_err(), "bidirectional override");
    }

    #[test]
    fn a_selector_said_twice_keeps_the_lower_level() {
        let said = |assurance| Attested { selector: selector("unix:uid:1"), assurance };
        let both: SelectorSet =
            [said(Assurance::Kernel), said(Assurance::Claimed)].into_iter().collect();
        assert_eq!(both.len(), 1);
        assert_eq!(both.assurance(&selector("unix:uid:1")), Some(Assurance::Claimed));
    }

    #[test]
    fn a_group_is_exactly_its_members() {
        let set: SelectorSet = ["unix:gid:1", "unix:uid:1", "unix:uid:2", "unix:user:a"]
            .iter()
            .map(|text| Attested { selector: selector(text), assurance: Assurance::Kernel })
            .collect();
        let (plugin, key) = (PluginName::new("unix").unwrap(), KeyName::new("uid").unwrap());
        let values: Vec<_> = set.of(&plugin, &key, None).map(|(s, _)| s.value()).collect();
        assert_eq!(values, ["1", "2"]);
        assert_eq!(set.of(&plugin, &key, Some("x")).count(), 0);
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_survive(text in ".{0,80}", named: bool) {
            if let Ok(parsed) = Selector::parse(&text, named) {
                prop_assert_eq!(parsed.to_string(), text);
            }
        }

        #[test]
        fn json_keeps_everything(value in "[ -~]{1,40}", name in proptest::option::of("[a-z.]{1,9}")) {
            let selector = Selector::new(
                PluginName::new("docker").unwrap(), KeyName::new("label").unwrap(), name.as_deref(), &value,
            ).unwrap();
            let set: SelectorSet = [Attested { selector, assurance: Assurance::Image }].into_iter().collect();
            let text = serde_json::to_string(&set).unwrap();
            prop_assert_eq!(serde_json::from_str::<SelectorSet>(&text).unwrap(), set);
        }
    }
}
