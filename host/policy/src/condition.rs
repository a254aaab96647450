use std::sync::Arc;

use serde::{Deserialize, Serialize};
use witgate_identity::{Assurance, KeyName, PluginName, Selector};

use crate::{Evidence, glob::Glob};

/// Whether something holds, where attestors may not have been able to say.
///
/// The order is that of Kleene's logic: *and* is the minimum, *or* the maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Truth {
    /// It does not hold.
    False,
    /// Nobody could say.
    Unknown,
    /// It holds.
    True,
}

impl std::ops::Not for Truth {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
            Self::True => Self::False,
        }
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// What a condition is about: a plugin's key, and a name for keys that have names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Topic {
    pub(crate) plugin: PluginName,
    pub(crate) key: KeyName,
    pub(crate) name: Option<Arc<str>>,
}

impl std::fmt::Display for Topic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.plugin, self.key)?;
        self.name.as_ref().map_or(Ok(()), |name| write!(f, "[{name}]"))
    }
}

/// The values that a condition accepts; any one of them will do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Accepted {
    /// Exactly these, each once, in order.
    Literal(Vec<Selector>),
    /// Whatever one of these matches.
    Like(Vec<Glob>),
}

/// One condition of an entry: `unix.uid = 1000`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) topic: Topic,
    pub(crate) accepted: Accepted,
    /// What a selector of this key is worth on the requests of this entry; `None` if its plugin is
    /// not loaded.
    pub(crate) level: Option<Assurance>,
    /// The values must not be shown.
    pub(crate) secret: bool,
    /// The entry relies on selectors of this condition being of level `runtime` or better: one
    /// attested below it leaves the condition unknown. Not so in `unless` and in `deny` entries,
    /// where any evidence counts against the workload.
    pub(crate) relied_on: bool,
}

impl Condition {
    /// Whether it holds.
    pub(crate) fn truth(&self, evidence: &Evidence) -> Truth {
        let topic = &self.topic;
        let unknown = evidence.unknown.is_unknown(&topic.plugin, &topic.key);
        let floor = if unknown { Truth::Unknown } else { Truth::False };
        let found = match &self.accepted {
            Accepted::Literal(selectors) => selectors
                .iter()
                .filter_map(|selector| evidence.selectors.assurance(selector))
                .map(|level| self.worth(level))
                .max(),
            Accepted::Like(globs) => evidence
                .selectors
                .of(&topic.plugin, &topic.key, topic.name.as_deref())
                .filter(|(selector, _)| globs.iter().any(|glob| glob.matches(selector.value())))
                .map(|(_, level)| self.worth(level))
                .max(),
        };
        found.map_or(floor, |found| found.max(floor))
    }

    /// What a selector of the right value says, given the level that it was attested with.
    pub(crate) fn worth(&self, level: Assurance) -> Truth {
        if self.relied_on && !level.guards() { Truth::Unknown } else { Truth::True }
    }

    /// Why it is unknown, if it is: `unix.sha256: executable too large`.
    pub(crate) fn unknown_because(&self, evidence: &Evidence) -> Option<String> {
        let topic = &self.topic;
        if self.truth(evidence) != Truth::Unknown {
            return None;
        }
        if let Some(reason) = evidence.unknown.reason(&topic.plugin, &topic.key) {
            return Some(format!("{topic}: {reason}"));
        }
        let found = evidence.selectors.of(&topic.plugin, &topic.key, topic.name.as_deref());
        found.map(|(_, level)| level).min().map(|level| too_weak(topic, level))
    }

    /// The accepted values as they are shown, in order.
    pub(crate) fn wanted(&self) -> Vec<String> {
        match &self.accepted {
            Accepted::Literal(selectors) => {
                selectors.iter().map(|s| show(s.value(), self.secret)).collect()
            }
            Accepted::Like(globs) => {
                globs.iter().map(|glob| show(glob.as_str(), self.secret)).collect()
            }
        }
    }

    /// Whether it is a glob that everything matches, and so says nothing.
    pub(crate) fn accepts_anything(&self) -> bool {
        matches!(&self.accepted, Accepted::Like(globs) if globs.iter().any(Glob::matches_all))
    }

    /// As a person would say it: `unix.uid = 1000`, `docker.image like shop/web:*`.
    pub(crate) fn describe(&self) -> String {
        let word = match self.accepted {
            Accepted::Literal(_) => "=",
            Accepted::Like(_) => "like",
        };
        format!("{} {word} {}", self.topic, self.wanted().join(" or "))
    }
}

/// A value as it may be shown: a secret one only by its length.
pub(crate) fn show(value: &str, secret: bool) -> String {
    if secret { format!("(secret, {} bytes)", value.len()) } else { value.to_owned() }
}

/// The sentence for a selector that is attested below what an entry was checked with.
pub(crate) fn too_weak(topic: &Topic, level: Assurance) -> String {
    format!("{topic}: attested as {level} only, this entry relies on runtime or better")
}
