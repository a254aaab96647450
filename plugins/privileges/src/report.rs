use witgate_sdk::{
    Reason, Report,
    facts::{FactError, namespaces::Namespace, process::PrivilegeSet},
};

use crate::{
    capabilities::names,
    keys::{LIMITS, NAMESPACE, SETS},
};

/// A fact, if it was asked for.
type Asked<T> = Option<Result<T, FactError>>;

/// What this attestor looks at.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) privileges: Asked<PrivilegeSet>,
    pub(crate) namespaces: Asked<Vec<Namespace>>,
}

impl Facts {
    /// What follows from them.
    pub(crate) fn report(&self) -> Report {
        let report = match &self.privileges {
            None => Report::new(),
            Some(Ok(found)) => limits(found),
            Some(Err(error)) => Report::new().unknown_each(&LIMITS, error),
        };
        let report = match &self.namespaces {
            None => report,
            Some(Ok(found)) => report.selector_each(NAMESPACE, foreign(found)),
            Some(Err(error)) => report.unknown(NAMESPACE, error),
        };
        match (&self.privileges, &self.namespaces) {
            (Some(Ok(privileges)), Some(Ok(namespaces))) => sets(report, privileges, namespaces),
            (Some(Err(error)), Some(_)) | (Some(_), Some(Err(error))) => no_sets(report, error),
            _ => report,
        }
    }
}

fn limits(found: &PrivilegeSet) -> Report {
    let report = match found.seccomp {
        0 => Report::new().selector("seccomp", "none"),
        1 => Report::new().selector("seccomp", "strict"),
        2 => Report::new().selector("seccomp", "filter"),
        other => Report::new().unknown("seccomp", format!("the kernel has a mode {other}")),
    };
    if found.no_new_privs { report.selector("no_new_privs", "true") } else { report }
}

fn foreign(namespaces: &[Namespace]) -> impl Iterator<Item = &str> {
    namespaces.iter().filter(|namespace| !namespace.host).map(|namespace| namespace.kind.as_str())
}

/// Capabilities count in the user namespace of the process. Anybody can make one and have them all
/// in it, so what is held there must not look like what is held on the host.
fn sets(report: Report, privileges: &PrivilegeSet, namespaces: &[Namespace]) -> Report {
    let user = namespaces.iter().find(|namespace| namespace.kind == "user");
    let [host, nested] = SETS;
    let keys = match user {
        Some(namespace) if namespace.host => host,
        Some(_) => nested,
        None => return no_sets(report, "the user namespace of the process is not known"),
    };
    let PrivilegeSet { effective, permitted, inheritable, bounding, ambient, .. } = *privileges;
    let sets = [effective, permitted, inheritable, bounding, ambient];
    keys.into_iter()
        .zip(sets)
        .fold(report, |report, (key, set)| report.selector_each(key, names(set)))
}

fn no_sets(report: Report, reason: impl Into<Reason>) -> Report {
    report.unknown_each(SETS.as_flattened(), reason)
}
