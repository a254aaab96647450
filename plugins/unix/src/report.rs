use witgate_sdk::{
    Report,
    facts::{
        FactError,
        cgroups::TrustedEntry,
        executable::Program,
        namespaces::Namespace,
        process::{CredentialSet, NameSet},
    },
};

use crate::{keys, on_host::on_host};

/// A fact, if it was asked for.
pub(crate) type Asked<T> = Option<Result<T, FactError>>;

/// What this attestor looks at.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    pub(crate) credentials: Asked<CredentialSet>,
    pub(crate) names: Asked<NameSet>,
    pub(crate) namespaces: Asked<Vec<Namespace>>,
    pub(crate) cgroups: Asked<Vec<TrustedEntry>>,
    pub(crate) program: Asked<Program>,
    pub(crate) sha256: Asked<String>,
}

impl Facts {
    /// What follows from them.
    pub(crate) fn report(self) -> Report {
        let report = Report::new();
        let report = add(report, keys::CREDENTIALS, self.credentials, credentials);
        let report = add(report, keys::NAMES, self.names, names);
        let report = add(report, keys::HOST, both(self.namespaces, self.cgroups), host);
        let report = add(report, keys::PROGRAM, self.program, program);
        add(report, keys::SHA256, self.sha256, |report, digest| report.selector("sha256", digest))
    }
}

/// Adds what follows from one fact; if it cannot be read, all that would is unknown.
fn add<T>(
    report: Report,
    keys: keys::Keys,
    fact: Asked<T>,
    follows: fn(Report, T) -> Report,
) -> Report {
    match fact {
        None => report,
        Some(Ok(fact)) => follows(report, fact),
        Some(Err(error)) => report.unknown_each(keys, error),
    }
}

fn both<A, B>(left: Asked<A>, right: Asked<B>) -> Asked<(A, B)> {
    left.zip(right).map(|(left, right)| Ok((left?, right?)))
}

fn credentials(report: Report, found: CredentialSet) -> Report {
    report
        .selector("uid", found.uid)
        .selector("gid", found.gid)
        .selector_each("supplementary_gid", found.groups)
}

/// An id without a name in the host's database has none; that is a no, not an unknown.
fn names(report: Report, found: NameSet) -> Report {
    report
        .selector_each("user", found.user)
        .selector_each("group", found.group)
        .selector_each("supplementary_group", found.groups.into_iter().flatten())
}

fn host(report: Report, (namespaces, cgroups): (Vec<Namespace>, Vec<TrustedEntry>)) -> Report {
    match on_host(&namespaces, &cgroups) {
        Ok(true) => report.selector("host", "true"),
        Ok(false) => report,
        Err(reason) => report.unknown_each(keys::HOST, reason),
    }
}

/// A path in somebody else's mount namespace, or of a file that is no longer there, says nothing
/// about the file of that name on the host, so it never is a `path`.
fn program(report: Report, found: Program) -> Report {
    let key = if found.same_on_host && !found.deleted { "path" } else { "foreign_path" };
    report.selector(key, found.path)
}

#[cfg(test)]
mod tests;
