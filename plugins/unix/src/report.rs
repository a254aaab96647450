use witgate_sdk::facts::{
    FactError,
    cgroups::TrustedEntry,
    executable::Program,
    namespaces::Namespace,
    process::{CredentialSet, NameSet},
};

use crate::{answer::Answer, keys, keys::Wanted, on_host::on_host};

/// A fact, if it was asked for.
pub(crate) type Asked<T> = Option<Result<T, FactError>>;

/// What this attestor looks at.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    pub(crate) credentials: Asked<CredentialSet>,
    pub(crate) names: Asked<NameSet>,
    pub(crate) namespaces: Asked<Vec<Namespace>>,
    pub(crate) cgroups: Asked<Vec<TrustedEntry>>,
    pub(crate) doubts: Asked<Vec<String>>,
    pub(crate) program: Asked<Program>,
    pub(crate) sha256: Asked<String>,
}

/// Most supplementary groups that are reported. The daemon takes 1024 selectors; twice these, ids
/// and names, and one of every other key fit.
const MOST_GROUPS: usize = 500;

/// Most bytes of their names. The daemon takes 128 KiB of values; a path may have 4 KiB of them.
const MOST_NAME_BYTES: usize = 64 << 10;

impl Facts {
    /// What follows from them for the keys that are wanted.
    pub(crate) fn answer(self, wanted: &Wanted) -> Answer<'_> {
        let answer = Answer::new(wanted);
        let answer = add(answer, keys::CREDENTIALS, self.credentials, credentials);
        let answer = add(answer, keys::NAMES, self.names, names);
        let answer = add(answer, keys::HOST, both(self.namespaces, self.cgroups), host);
        let answer = add(answer, keys::DOUBTS, self.doubts, |answer, doubts| {
            answer.selector_each("doubt", doubts)
        });
        let answer = add(answer, keys::PROGRAM, self.program, program);
        add(answer, keys::SHA256, self.sha256, |answer, digest| answer.selector("sha256", digest))
    }
}

/// Adds what follows from one fact; if it cannot be read, all that would is unknown.
fn add<'a, T>(
    answer: Answer<'a>,
    keys: keys::Keys,
    fact: Asked<T>,
    follows: fn(Answer<'a>, T) -> Answer<'a>,
) -> Answer<'a> {
    match fact {
        None => answer,
        Some(Ok(fact)) => follows(answer, fact),
        Some(Err(error)) => answer.unknown_each(keys, error),
    }
}

fn both<A, B>(left: Asked<A>, right: Asked<B>) -> Asked<(A, B)> {
    left.zip(right).map(|(left, right)| Ok((left?, right?)))
}

fn credentials(answer: Answer<'_>, found: CredentialSet) -> Answer<'_> {
    let answer = answer.selector("uid", found.uid).selector("gid", found.gid);
    match too_many(found.groups.len()) {
        None => answer.selector_each("supplementary_gid", found.groups),
        Some(reason) => answer.unknown("supplementary_gid", reason),
    }
}

/// An id without a name in the host's database has none; that is a no, not an unknown.
fn names(answer: Answer<'_>, found: NameSet) -> Answer<'_> {
    let answer = answer.selector_each("user", found.user).selector_each("group", found.group);
    match too_many(found.groups.len()).or_else(|| too_long(&found.groups)) {
        None => answer.selector_each("supplementary_group", found.groups.into_iter().flatten()),
        Some(reason) => answer.unknown("supplementary_group", reason),
    }
}

/// The daemon refuses a whole report that is too large, so what is too much for it costs its own
/// key here. Some of the groups would be worse than none: the others would be a no.
fn too_many(groups: usize) -> Option<String> {
    (groups > MOST_GROUPS).then(|| format!("too many groups: {groups}, the limit is {MOST_GROUPS}"))
}

fn too_long(names: &[Option<String>]) -> Option<String> {
    let bytes: usize = names.iter().flatten().map(String::len).sum();
    (bytes > MOST_NAME_BYTES)
        .then(|| format!("group names of {bytes} bytes, the limit is {MOST_NAME_BYTES}"))
}

fn host(
    answer: Answer<'_>,
    (namespaces, cgroups): (Vec<Namespace>, Vec<TrustedEntry>),
) -> Answer<'_> {
    match on_host(&namespaces, &cgroups) {
        Ok(true) => answer.selector("host", "true"),
        Ok(false) => answer,
        Err(reason) => answer.unknown_each(keys::HOST, reason),
    }
}

/// A path in somebody else's mount namespace, or of a file that is no longer there, says nothing
/// about the file of that name on the host, so it never is a `path`.
fn program(answer: Answer<'_>, found: Program) -> Answer<'_> {
    let key = if found.same_on_host && !found.deleted { "path" } else { "foreign_path" };
    answer.selector(key, found.path)
}

#[cfg(test)]
mod tests;
