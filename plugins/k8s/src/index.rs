//! Which container is in which pod, in parts small enough to be kept.
//!
//! A part is text: a line for each container, with its id and the uid of the pod that claims it, and
//! one for each pod, with its uid twice. All parts together say about everything that could be asked
//! for whether it is listed; so an index is also what tells that something is *not* listed.

use witgate_sdk::Failure;

use crate::pod::Pod;

/// Number of parts. With a thousand pods each has some 4 KiB.
const PARTS: usize = 64;

/// Longest part that can be kept, in bytes. Lines beyond it are left out, so that what they are about
/// seems not to be listed; a node has room for fewer pods than that by far.
const MAX_PART: usize = 64 << 10;

/// An index of a whole list.
#[derive(Debug)]
pub(crate) struct Index(Vec<String>);

impl Index {
    /// Of these pods.
    pub(crate) fn of(pods: &[Pod<'_>]) -> Self {
        let mut parts = vec![String::new(); PARTS];
        for pod in pods {
            add(&mut parts, &pod.uid, &pod.uid);
            for container in pod.containers.iter().filter(|container| !container.id.is_empty()) {
                add(&mut parts, &container.id, &pod.uid);
            }
        }
        Self(parts)
    }

    /// Its parts, each with its number.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (usize, &str)> {
        self.0.iter().map(String::as_str).enumerate()
    }

    /// The part that would tell about this id of a container, or uid of a pod.
    pub(crate) fn part(&self, listed: &str) -> &str {
        self.0.get(part_of(listed)).map_or("", String::as_str)
    }
}

fn add(parts: &mut [String], listed: &str, uid: &str) {
    let Some(part) = parts.get_mut(part_of(listed)) else { return };
    if part.len() + listed.len() + uid.len() + 2 <= MAX_PART {
        part.push_str(listed);
        part.push(' ');
        part.push_str(uid);
        part.push('\n');
    }
}

/// Number of the part where a container or a pod stands.
pub(crate) fn part_of(listed: &str) -> usize {
    // FNV-1a: the last digits of ids need not be spread, and those of uids are not.
    let mix = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    let hash = listed.bytes().fold(0x811c_9dc5, mix);
    usize::from(hash.to_be_bytes()[0]) % PARTS
}

/// The pod that a container is in, or the pod itself, from the part of the index that would tell; none
/// if it is not listed.
///
/// # Errors
/// If two pods claim the container.
pub(crate) fn pod_of<'p>(part: &'p str, listed: &str) -> Result<Option<&'p str>, Failure> {
    let line = |line: &'p str| line.split_once(' ').filter(|(id, _)| *id == listed);
    let mut uids = part.lines().filter_map(line).map(|(_, uid)| uid);
    let Some(first) = uids.next() else { return Ok(None) };
    match uids.find(|uid| *uid != first) {
        None => Ok(Some(first)),
        Some(other) => Err(Failure::Failed(format!(
            "the kubelet lists the container in two pods, {first} and {other}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{document, large};

    #[test]
    fn every_container_of_a_large_list_is_found_and_nothing_else() {
        let text = large::pod_list(1000);
        let index = Index::of(&document::read(text.as_bytes()).unwrap());
        let look =
            |listed: &str| pod_of(index.part(listed), listed).map(|uid| uid.map(str::to_owned));
        for pod in 0..1000 {
            let uid = large::uid(pod);
            for container in 0..3 {
                assert_eq!(look(&large::id(pod, container)), Ok(Some(uid.clone())));
            }
            assert_eq!(look(&uid), Ok(Some(uid)));
        }
        assert_eq!(look(&large::id(1000, 0)), Ok(None));
        assert_eq!(look(&large::uid(1000)), Ok(None));
        assert!(index.parts().all(|(_, part)| part.len() < 16 << 10));
    }

    #[test]
    fn a_container_that_two_pods_claim_is_nobodys() {
        let part = "a 1\nb 1\na 1\nb 2\n";
        assert_eq!(pod_of(part, "a"), Ok(Some("1")));
        assert!(
            matches!(pod_of(part, "b"), Err(Failure::Failed(reason)) if reason.contains("1 and 2"))
        );
        assert_eq!(pod_of(part, "c"), Ok(None));
        assert_eq!(pod_of("", ""), Ok(None));
    }

    #[test]
    fn a_part_never_grows_beyond_what_can_be_kept() {
        let mut parts = vec![String::new(); PARTS];
        (0..2000).for_each(|_| add(&mut parts, "same", &"u".repeat(40)));
        let longest = parts.iter().map(String::len).max().unwrap();
        assert!((MAX_PART - 64..=MAX_PART).contains(&longest), "{longest}");
    }
}
