//! What an entry must not rest on unless it says `weak = true`; see [`crate::guard`].

use witgate_identity::Assurance;

use super::{
    clause::Written,
    reader::{Mistake, Reader},
};
use crate::{Action, Entry, ErrorKind};

const ADVICE: &str = "use a key of level runtime or kernel, or add weak = true";

/// Refusals and identities that a hostile process can forge.
pub(super) fn forgeable(
    reader: &mut Reader<'_>,
    entry: &Entry,
    conditions: &[&[Written<'_>]],
    unless: &[Written<'_>],
) {
    let level = |written: &Written<'_>| written.schema.map(|schema| schema.level(entry.challenged));
    let mut refuse = |written: &Written<'_>, what: &str| {
        let Some(level) = level(written).filter(|level| !level.guards()) else { return };
        let message = format!(
            "{what} {} is of level {level}: whoever it should stop can make it read otherwise",
            written.topic
        );
        reader.report(
            Mistake::new(ErrorKind::Guard, written.at, &written.key, message).advise(ADVICE),
        );
    };
    if entry.action == Action::Deny {
        conditions.iter().copied().flatten().for_each(|written| refuse(written, "deny by"));
    }
    unless.iter().for_each(|written| refuse(written, "unless"));
}

/// An `allow` that anybody passes, or whose identity anybody who passes can choose.
pub(super) fn open(reader: &mut Reader<'_>, entry: &Entry, at: usize, identity_at: usize) {
    if entry.action != Action::Allow {
        return;
    }
    if entry.guard().is_empty() {
        let message =
            format!("{}: nothing it asks for is out of a hostile process's reach", entry.guard());
        reader.report(Mistake::new(ErrorKind::Guard, at, "entry", message).advise(ADVICE));
    }
    for slot in entry.slots() {
        let Some(level) = slot.level.filter(|level: &Assurance| !level.guards()) else { continue };
        let message = format!(
            "the identity carries {} of level {level}: whoever passes the guard can choose it",
            slot.topic
        );
        let mistake = Mistake::new(ErrorKind::Guard, identity_at, "entry.identity", message);
        reader.report(mistake.advise(ADVICE));
    }
}
