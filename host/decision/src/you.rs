//! The process that asked, in the few words that every answer carries.

use witgate_facts::{CgroupTrust, FactName, FactSet, FactSource};
use witgate_peer::{Connected, ProcessFacts, Subject};
use witgate_protocol::{CgroupPath, WhoamiAnswer, You, frame::printable};

/// What the `you` block of every answer is made of, whatever the entries want.
pub(crate) fn facts() -> FactSet {
    // What it runs is in every summary, and its digest and worth are nobody's concern here.
    [FactName::CgroupsTrusted].into_iter().collect()
}

/// What `whoami` shows.
pub(crate) fn whoami_facts() -> FactSet {
    let more = [FactName::ProcessLabel, FactName::CgroupsClaimed, FactName::ProcessNames];
    facts()
        .union(more.into_iter().collect())
        .union([FactName::ProcessCredentials].into_iter().collect())
}

/// The block.
pub(crate) fn you<S>(subject: &Subject<S>, facts: &ProcessFacts) -> You {
    let groups = facts.cgroups_trusted().unwrap_or_default();
    You {
        gid: Some(subject.gid()),
        exe: facts.summary().exe.as_deref().map(harmless),
        user: facts.names().ok().and_then(|names| names.user.clone()),
        unit: unit(groups),
        container: container(groups),
        ..You::new(subject.pid().as_u32(), subject.uid())
    }
}

/// The answer to `whoami`.
pub(crate) fn whoami(subject: &Subject<Connected>, facts: &ProcessFacts) -> WhoamiAnswer {
    let cgroups = facts.cgroups_claimed().unwrap_or_default();
    WhoamiAnswer {
        v: witgate_protocol::VERSION,
        you: you(subject, facts),
        groups: facts.credentials().map(|c| c.groups.clone()).unwrap_or_default(),
        label: facts.label().ok().map(|label| printable(label.as_bytes())),
        cgroups: cgroups
            .iter()
            .map(|group| CgroupPath {
                controllers: group.controllers.join(","),
                path: printable(group.path.as_bytes()),
            })
            .collect(),
        tier: subject.tier().to_string(),
    }
}

/// A text whose backslashes are escapes already, without what else may move a cursor or reorder
/// text.
pub(crate) fn harmless(text: &str) -> String {
    let parts: Vec<_> = text.split('\\').map(|part| printable(part.as_bytes())).collect();
    parts.join("\\")
}

/// The systemd unit: the deepest component that reads as one, in the hierarchy systemd uses.
fn unit(groups: &[CgroupTrust]) -> Option<String> {
    let systemd = |group: &&CgroupTrust| {
        group.hierarchy == 0 || group.controllers.iter().any(|name| name == "name=systemd")
    };
    let is_unit = |part: &&str| part.ends_with(".service") || part.ends_with(".scope");
    groups
        .iter()
        .filter(systemd)
        .find_map(|group| group.prefix.rsplit('/').find(is_unit))
        .map(|unit| printable(unit.as_bytes()))
}

/// The container id, for people to read: 64 hexadecimal digits in a root-owned path. The answer to
/// "which container" that entries rest on is the `container` attestor's.
fn container(groups: &[CgroupTrust]) -> Option<String> {
    let words = groups.iter().flat_map(|group| group.prefix.split(['/', '-', '.', ':']));
    words
        .into_iter()
        .find(|word| word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit()))
        .map(str::to_owned)
}
