//! The container below what root gave away.

use witgate_sdk::{
    Failure,
    containers::{Runtime, locate},
    facts::cgroups::{ClaimedEntry, TrustedEntry},
};

/// Whether root gave a part of the path to somebody else, and did not put the process into a
/// container before that: in a container of root's, whoever is inside decides what lies below.
///
/// # Errors
/// As [`locate`].
pub(crate) fn may_be_anybodys(trusted: &[TrustedEntry]) -> Result<bool, Failure> {
    let in_roots_container = locate(trusted, None)?.is_some();
    Ok(!in_roots_container && trusted.iter().any(given_away))
}

/// The container of Podman's that the rest of the path leads into. The nearest counts: what lies
/// below that was made by whoever is inside.
///
/// # Errors
/// Failed, if hierarchies contradict.
pub(crate) fn container(
    trusted: &[TrustedEntry],
    claimed: &[ClaimedEntry],
) -> Result<Option<String>, Failure> {
    let below = trusted.iter().filter(|entry| given_away(entry)).filter_map(|entry| {
        let claim = claimed.iter().find(|claim| claim.hierarchy == entry.hierarchy)?;
        let prefix = below_of(&entry.prefix, &claim.path)?.to_owned();
        Some(TrustedEntry { prefix, ..entry.clone() })
    });
    let below: Vec<_> = below.collect();
    if below.is_empty() {
        return Ok(None);
    }
    let located = locate(&below, None)?;
    let ours = located.filter(|located| located.runtime == Some(Runtime::Podman));
    Ok(ours.map(|located| located.id.to_owned()))
}

const fn given_away(entry: &TrustedEntry) -> bool {
    entry.mounted && entry.delegated
}

/// The rest of a path below a directory, from its slash on.
fn below_of<'p>(directory: &str, path: &'p str) -> Option<&'p str> {
    let rest = path.strip_prefix(directory.strip_suffix('/').unwrap_or(directory))?;
    rest.starts_with('/').then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_below_begins_at_a_slash() {
        assert_eq!(below_of("/user.slice", "/user.slice/a/b"), Some("/a/b"));
        assert_eq!(below_of("/", "/a/b"), Some("/a/b"));
        assert_eq!(below_of("/user.slice", "/user.slice2/a"), None);
        assert_eq!(below_of("/user.slice", "/user.slice"), None);
        assert_eq!(below_of("/a", "/b/a/c"), None);
    }
}
