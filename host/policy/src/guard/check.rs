use std::collections::BTreeMap;

use jiff::Timestamp;

use super::guarding;
use crate::{
    Action, Entry, ErrorKind, PolicyError, Standing,
    condition::{Accepted, Topic},
};

type GuardKey<'a> = Vec<(&'a Topic, &'a Accepted)>;

/// `allow` entries of different identity whose effective guard is the same: whoever passes one can
/// pass the other, unless the rest of their conditions cannot be forged, and it can.
///
/// An entry that consists of its guard alone promises no more than that, so it may share it with
/// entries that say `weak = true`.
pub(crate) fn same_guard(entries: &[Entry], now: Timestamp) -> Vec<PolicyError> {
    let mut groups: BTreeMap<GuardKey<'_>, Vec<&Entry>> = BTreeMap::new();
    let live = entries.iter().filter(|entry| entry.standing(now) == Standing::Live);
    for entry in live.filter(|entry| entry.action == Action::Allow) {
        let key: GuardKey<'_> = guarding(entry).map(|c| (&c.topic, &c.accepted)).collect();
        if !key.is_empty() {
            groups.entry(key).or_default().push(entry);
        }
    }
    let crowded = groups.into_values().filter(|group| group.len() > 1);
    crowded.flat_map(|group| indistinct(&group)).collect()
}

/// The entries of a group that need `weak = true`, or another condition.
fn indistinct(group: &[&Entry]) -> Vec<PolicyError> {
    let promising = |entry: &Entry, other: &Entry| {
        !other.weak || guarding(entry).count() < entry.conditions.len()
    };
    // A group can be large: for each entry, only the first two identities need a look.
    let mut firsts: Vec<&Entry> = Vec::new();
    for weak in [false, true] {
        for entry in group.iter().filter(|entry| entry.weak == weak) {
            let seen = firsts.iter().filter(|e| e.weak == weak).count();
            if seen < 2 && firsts.iter().all(|e| e.weak != weak || e.identity() != entry.identity())
            {
                firsts.push(entry);
            }
        }
    }
    let mut errors = Vec::new();
    for entry in group.iter().filter(|entry| !entry.weak) {
        let rival = firsts
            .iter()
            .find(|other| other.identity() != entry.identity() && promising(entry, other));
        if let Some(rival) = rival {
            errors.push(error(entry, rival));
        }
    }
    errors
}

fn error(entry: &Entry, rival: &Entry) -> PolicyError {
    PolicyError {
        file: entry.file.to_string(),
        line: entry.line,
        column: entry.column,
        key: "entry".to_owned(),
        kind: ErrorKind::Guard,
        message: format!(
            "'{}' and '{}' ({}:{}) give different identities behind the same guard: {}",
            entry.name,
            rival.name,
            rival.file,
            rival.line,
            entry.guard()
        ),
        advice: Some(
            "add a condition of level runtime or kernel that tells them apart, or weak = true"
                .to_owned(),
        ),
        nearest: None,
    }
}
