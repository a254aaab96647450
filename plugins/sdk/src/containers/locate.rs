use super::{Container, Runtime, shallowest};
use crate::{Failure, facts::cgroups::TrustedEntry};

/// The container that all hierarchies agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<'e> {
    /// 64 lower-case hexadecimal digits.
    pub id: &'e str,
    /// Who runs it, if a path tells.
    pub runtime: Option<Runtime>,
    /// Uid of the pod around it, if there is one.
    pub pod_uid: Option<String>,
}

/// The control group of a container that itself runs containers, such as a node of kind. `<id>`
/// stands for any container's id.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "settings", derive(serde::Deserialize), serde(try_from = "String"))]
pub struct NestedBelow(String);

impl NestedBelow {
    /// Whether this container, on this path, is the one that the operator means.
    fn matches(&self, path: &str, container: &Container<'_>) -> bool {
        path.get(..container.end) == Some(self.0.replace("<id>", container.id).as_str())
    }
}

impl TryFrom<String> for NestedBelow {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let example = text.replace("<id>", &"0".repeat(64));
        match shallowest(&example) {
            Ok(Some(container)) if container.end == example.len() => Ok(Self(text)),
            _ => Err(format!(
                "nested_below = {text:?} is not the path of a container's control group; it reads \
                 like \"/docker/<id>\" or \"/system.slice/docker-<id>.scope\""
            )),
        }
    }
}

/// A hierarchy that names a container.
struct Vote<'e> {
    entry: &'e TrustedEntry,
    container: Container<'e>,
}

/// Finds the container that the process runs in; `None` if it runs in none.
///
/// A hierarchy that is not mounted, or where the process stands at the root, says nothing. One
/// where it stands in no container does not contradict: on a host with both cgroup versions Docker
/// leaves the v2 entry at `/system.slice/containerd.service`. All that name a container must name
/// the same one.
///
/// # Errors
/// Unavailable if no hierarchy is mounted where the daemon runs; failed if two of them name
/// different containers, or a path was read from another cgroup namespace.
pub fn locate<'e>(
    entries: &'e [TrustedEntry],
    nested_below: Option<&NestedBelow>,
) -> Result<Option<Located<'e>>, Failure> {
    if !entries.iter().any(|entry| entry.mounted) {
        let reason = "no control group hierarchy is mounted where the daemon runs";
        return Err(Failure::Unavailable(reason.to_owned()));
    }
    let votes = votes(entries)?;
    let outer = agree(&votes)?;
    let inner = match nested_below {
        Some(nested_below) => agree(&nested(&votes, nested_below))?,
        None => None,
    };
    Ok(inner.or(outer))
}

fn votes(entries: &[TrustedEntry]) -> Result<Vec<Vote<'_>>, Failure> {
    let mut votes = Vec::new();
    for entry in entries.iter().filter(|entry| entry.mounted && entry.prefix != "/") {
        let found = shallowest(&entry.prefix).map_err(|_| foreign(entry))?;
        votes.extend(found.map(|container| Vote { entry, container }));
    }
    Ok(votes)
}

fn foreign(entry: &TrustedEntry) -> Failure {
    let name = name(entry);
    Failure::Failed(format!("the path in {name} was read from another cgroup namespace"))
}

/// The containers one level deeper, of those votes that the operator opted in.
fn nested<'e>(votes: &[Vote<'e>], nested_below: &NestedBelow) -> Vec<Vote<'e>> {
    let deeper = |vote: &Vote<'e>| {
        let path: &'e str = &vote.entry.prefix;
        let opted_in = nested_below.matches(path, &vote.container);
        let below = path.get(vote.container.end..).filter(|_| opted_in)?;
        // An error is not possible but for an empty path: the whole path was looked at before.
        let container = shallowest(below).ok()??;
        Some(Vote { entry: vote.entry, container })
    };
    votes.iter().filter_map(deeper).collect()
}

fn agree<'e>(votes: &[Vote<'e>]) -> Result<Option<Located<'e>>, Failure> {
    let Some((first, others)) = votes.split_first() else { return Ok(None) };
    let start = &first.container;
    let mut all = Located { id: start.id, runtime: start.runtime, pod_uid: start.pod_uid() };
    for other in others {
        let container = &other.container;
        let pod_uid = container.pod_uid();
        let same = container.id == all.id
            && compatible(all.runtime.as_ref(), container.runtime.as_ref())
            && compatible(all.pod_uid.as_ref(), pod_uid.as_ref());
        if !same {
            return Err(disagreement(first, other));
        }
        all.runtime = all.runtime.or(container.runtime);
        all.pod_uid = all.pod_uid.or(pod_uid);
    }
    Ok(Some(all))
}

/// What one hierarchy does not tell, another may.
fn compatible<T: PartialEq>(left: Option<&T>, right: Option<&T>) -> bool {
    left.is_none() || right.is_none() || left == right
}

fn disagreement(first: &Vote<'_>, other: &Vote<'_>) -> Failure {
    let place = |vote: &Vote<'_>| {
        let path = vote.entry.prefix.get(..vote.container.end).unwrap_or_default();
        format!("{} is in {path}", name(vote.entry))
    };
    Failure::Failed(format!("the hierarchies disagree: {}, {}", place(first), place(other)))
}

fn name(entry: &TrustedEntry) -> String {
    if entry.controllers.is_empty() { "v2".to_owned() } else { entry.controllers.join(",") }
}
