//! Facts in short, for the why.

use witgate_facts::{FactName, FactResult, FactSource};
use witgate_protocol::frame::printable;

use crate::{why::FactView, you::harmless};

/// Longest value shown; the rest is in the selectors that were made of it.
const MAX_VALUE: usize = 256;

/// Every fact that was collected, or that could not be. Those that nobody wanted are left out, and
/// so are the ones that are read only when a plugin asks: their worth shows in its selectors.
pub(crate) fn views(facts: &dyn FactSource) -> Vec<FactView> {
    let mut views = Vec::with_capacity(8);
    let mut show = |fact, value: FactResult<String>| {
        let value = match value {
            Err(witgate_facts::FactError::Unsupported) => return,
            Err(error) => format!("({error})"),
            Ok(value) => cut(value),
        };
        views.push(FactView { fact, assurance: facts.assurance(fact), value });
    };
    show(FactName::ProcessCredentials, facts.credentials().map(credentials));
    show(FactName::ProcessNames, facts.names().map(names));
    show(FactName::ProcessLabel, facts.label().map(|label| printable(label.as_bytes())));
    show(FactName::ProcessState, facts.state().map(String::from));
    show(
        FactName::ProcessStartTime,
        facts.start_time().map(|ticks| format!("{ticks} ticks after boot")),
    );
    show(FactName::ProcessComm, facts.comm().map(printable));
    show(FactName::CgroupsTrusted, facts.cgroups_trusted().map(trusted));
    show(FactName::NamespacesAll, facts.namespaces().map(namespaces));
    show(FactName::ExecutableInfo, facts.executable().map(executable));
    show(FactName::ExecutableDoubts, facts.doubts().map(doubts));
    views
}

fn cut(mut value: String) -> String {
    if value.len() > MAX_VALUE {
        let end = (0..=MAX_VALUE).rev().find(|at| value.is_char_boundary(*at)).unwrap_or_default();
        value.truncate(end);
        value.push_str("...");
    }
    value
}

fn credentials(credentials: &witgate_facts::Credentials) -> String {
    let groups: Vec<_> = credentials.groups.iter().map(u32::to_string).collect();
    format!("uid {} gid {} groups {}", credentials.uid, credentials.gid, groups.join(","))
}

fn names(names: &witgate_facts::Names) -> String {
    let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "(none)".to_owned());
    format!("user {} group {}", name(&names.user), name(&names.group))
}

fn trusted(groups: &[witgate_facts::CgroupTrust]) -> String {
    let mut paths: Vec<_> = groups
        .iter()
        .filter(|group| group.mounted && (group.prefix != "/" || group.delegated))
        .map(|group| {
            let open = if group.delegated { " and below, not root's" } else { "" };
            format!("{}{open}", printable(group.prefix.as_bytes()))
        })
        .collect();
    paths.dedup();
    if paths.is_empty() { "/".to_owned() } else { paths.join(", ") }
}

fn namespaces(all: &[witgate_facts::Namespace]) -> String {
    let foreign: Vec<_> = all.iter().filter(|ns| !ns.host).map(|ns| ns.kind.as_str()).collect();
    if foreign.is_empty() {
        "the host's".to_owned()
    } else {
        format!("its own {}", foreign.join(", "))
    }
}

fn doubts(doubts: &[witgate_facts::Doubt]) -> String {
    let words: Vec<_> = doubts.iter().map(|doubt| doubt.as_str()).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

fn executable(info: &witgate_facts::ExecutableInfo) -> String {
    let deleted = if info.deleted { ", deleted" } else { "" };
    let foreign = if info.same_on_host { "" } else { ", not the host's file of that path" };
    format!("{}{deleted}{foreign}", harmless(&info.path))
}
