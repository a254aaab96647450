//! Who gets an entry, as far as a hostile process cannot cheat.
//!
//! The *effective guard* of an entry is its conditions of level `runtime` or better, without globs
//! that everything matches. What is of level `image` or `claimed` can be forged by any process of
//! the same uid, so it does not count, and neither does `unless`.

pub(crate) mod check;

use std::fmt;

use witgate_identity::Assurance;

use crate::{Action, Entry, condition::Condition, template::Slot};

/// The effective guard of an entry, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    action: Action,
    phrases: Vec<String>,
    follows: Vec<String>,
    also_containers: bool,
}

impl Guard {
    pub(crate) fn of(entry: &Entry) -> Self {
        let slots = entry.slots();
        Self {
            action: entry.action,
            phrases: guarding(entry).map(phrase).collect(),
            follows: slots
                .filter(|slot| is_guarding(slot))
                .map(|slot| slot.topic.to_string())
                .collect(),
            also_containers: also_means_containers(entry),
        }
    }

    /// Whether anybody who can connect passes it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.phrases.is_empty()
    }

    /// Whether it is about the ids of `unix` alone, which processes in containers have too.
    #[must_use]
    pub const fn also_means_containers(&self) -> bool {
        self.also_containers
    }
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = match self.phrases.as_slice() {
            [] => "anyone who can connect".to_owned(),
            phrases => format!("anyone who {}", phrases.join(" and ")),
        };
        let containers = if self.also_containers { ", also in any container," } else { "" };
        let gets = match self.action {
            Action::Allow => "gets this",
            Action::Deny => "is refused",
            Action::Observe => "would get this",
        };
        write!(f, "{who}{containers} {gets}")?;
        if self.follows.is_empty() {
            Ok(())
        } else {
            write!(f, ", each by {}", self.follows.join(" and "))
        }
    }
}

/// The conditions that a hostile process cannot forge.
pub(crate) fn guarding(entry: &Entry) -> impl Iterator<Item = &Condition> {
    entry.conditions.iter().filter(|condition| {
        condition.level.is_some_and(Assurance::guards) && !condition.accepts_anything()
    })
}

fn is_guarding(slot: &Slot) -> bool {
    slot.level.is_some_and(Assurance::guards)
}

/// The ids of a process say nothing of where it runs; any other plugin's evidence does, or may.
fn also_means_containers(entry: &Entry) -> bool {
    let mut seen = false;
    for condition in guarding(entry) {
        let topic = &condition.topic;
        if topic.plugin.as_str() != "unix" || topic.key.as_str() == "host" {
            return false;
        }
        seen |= is_an_id(topic.key.as_str());
    }
    seen
}

fn is_an_id(key: &str) -> bool {
    matches!(key, "uid" | "user" | "gid" | "group" | "supplementary_gid" | "supplementary_group")
}

/// A condition as the second half of "anyone who …".
fn phrase(condition: &Condition) -> String {
    let topic = &condition.topic;
    let values = condition.wanted().join(" or ");
    match (topic.plugin.as_str(), topic.key.as_str(), values.as_str()) {
        ("unix", "uid", _) => format!("can run as uid {values}"),
        ("unix", "user", _) => format!("can run as user {values}"),
        ("unix", "gid", _) => format!("can run with gid {values}"),
        ("unix", "group", _) => format!("can run with group {values}"),
        ("unix", "supplementary_gid", _) => format!("is in the group with gid {values}"),
        ("unix", "supplementary_group", _) => format!("is in group {values}"),
        ("unix", "host", "true") => "is on the host, outside any container,".to_owned(),
        _ => format!("has {}", condition.describe()),
    }
}
