//! Fuzz target: the matcher of control group paths, against a slow reference that knows every
//! spelling as a whole.

use witgate_sdk::{Failure, containers::locate, facts::cgroups::TrustedEntry};
use witgate_testkit::fuzz_target;

/// A container: its id, who runs it, the pod around it.
type Found = (String, Option<&'static str>, Option<String>);

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Container(Found),
    None,
    Refused,
}

/// Each line of the input is a hierarchy: a first byte that is `m` if it is mounted, and the path.
#[test]
fn cgroup_paths() {
    let words = &[
        "\nm/",
        "\nu/",
        "/",
        "..",
        ":",
        "-",
        ".scope",
        ".slice",
        "docker-",
        "docker/",
        "crio-",
        "crio-conmon-",
        "cri-containerd",
        "libpod-",
        "libpod-payload-",
        "libpod_parent/",
        "k8s.io/",
        "kubepods/",
        "pod9b2e7c41-03d8-4f6a-8e15-d7a0c3b59f26",
        "-pod9b2e7c41_03d8_4f6a_8e15_d7a0c3b59f26.slice",
        "1f0e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "c0ffee0123456789c0ffee0123456789c0ffee0123456789c0ffee0123456789",
        "\x1b[2J",
        "\u{e9}",
    ];
    fuzz_target!("cgroup_paths").words(words).inputs(1_000).check(|input| {
        let text = String::from_utf8_lossy(input);
        let entry = |(number, line): (u32, &str)| TrustedEntry {
            hierarchy: number,
            controllers: vec![format!("c{number}")],
            prefix: line.get(1..).unwrap_or_default().to_owned(),
            delegated: false,
            mounted: line.starts_with('m'),
        };
        let entries: Vec<_> = (0..16).zip(text.split('\n')).map(entry).collect();
        let answer = match locate(&entries, None) {
            Ok(None) => Answer::None,
            Ok(Some(found)) => {
                let runtime = found.runtime.map(witgate_sdk::containers::Runtime::as_str);
                Answer::Container((found.id.to_owned(), runtime, found.pod_uid))
            }
            Err(Failure::Failed(reason) | Failure::Unavailable(reason)) => {
                // A path is quoted up to the container, twice at most.
                assert!(reason.len() <= 2 * text.len() + 256, "{reason}");
                Answer::Refused
            }
            Err(other) => panic!("{other:?}"),
        };
        assert_eq!(answer, reference(&entries));
    });
}

/// All mounted hierarchies that name a container name the same one.
fn reference(entries: &[TrustedEntry]) -> Answer {
    let mounted: Vec<_> = entries.iter().filter(|entry| entry.mounted).collect();
    if mounted.is_empty() {
        return Answer::Refused;
    }
    let paths =
        mounted.iter().filter(|entry| entry.prefix != "/").map(|entry| on_path(&entry.prefix));
    let Some(all) = paths.collect::<Option<Vec<_>>>() else { return Answer::Refused };
    let all: Vec<Found> = all.into_iter().flatten().collect();
    let Some((id, ..)) = all.first() else { return Answer::None };
    let runtime = all.iter().find_map(|(_, runtime, _)| *runtime);
    let pod = all.iter().find_map(|(_, _, pod)| pod.clone());
    let agree = |(other, its_runtime, its_pod): &Found| {
        other == id
            && its_runtime.is_none_or(|its| Some(its) == runtime)
            && its_pod.as_ref().is_none_or(|its| Some(its) == pod.as_ref())
    };
    if all.iter().all(agree) {
        Answer::Container((id.clone(), runtime, pod))
    } else {
        Answer::Refused
    }
}

/// The container nearest to the root. The outer `None` is a path that cannot be read.
fn on_path(path: &str) -> Option<Option<Found>> {
    let parts: Vec<&str> = path.split('/').collect();
    let [before, parts @ ..] = parts.as_slice() else { return None };
    if !before.is_empty() || parts.is_empty() {
        return None;
    }
    for (at, part) in parts.iter().enumerate() {
        if *part == ".." {
            return None;
        }
        let parent = if at > 0 { parts[at - 1] } else { "" };
        let Some((id, runtime, slice)) = container(part, parent, parts.get(at + 1)) else {
            continue;
        };
        let pod = parts[..at].iter().copied().chain(slice).find_map(pod);
        return Some(Some((id.to_owned(), runtime, pod)));
    }
    Some(None)
}

/// Every way to spell a container's directory, with whose it is and the slice that stands before it.
fn container<'p>(
    part: &'p str,
    parent: &str,
    below: Option<&&str>,
) -> Option<(&'p str, Option<&'static str>, Option<&'p str>)> {
    let prefixes = [
        ("cri-containerd", "containerd"),
        ("nerdctl", "containerd"),
        ("crio", "cri-o"),
        ("docker", "docker"),
        ("libpod", "podman"),
        ("libpod-payload", "podman"),
    ];
    let parents = [
        ("default", "containerd"),
        ("k8s.io", "containerd"),
        ("docker", "docker"),
        ("libpod", "podman"),
    ];
    let ids = (0..part.len())
        .filter_map(|at| part.get(at..at + 64))
        .filter(|id| id.chars().all(|c| "0123456789abcdef".contains(c)));
    for id in ids {
        if part == id {
            let podmans_pod = parent == "libpod_parent"
                && below.is_some_and(|below| below.starts_with("libpod-"));
            let runtime =
                parents.iter().find(|(name, _)| *name == parent).map(|(_, runtime)| *runtime);
            return (!podmans_pod).then_some((id, runtime, None));
        }
        if part == format!("{id}.scope") {
            return Some((id, None, None));
        }
        for (prefix, runtime) in prefixes {
            for end in ["", ".scope"] {
                if part == format!("{prefix}-{id}{end}") {
                    return Some((id, Some(runtime), None));
                }
                let slice = part.strip_suffix(&format!(":{prefix}:{id}{end}"));
                if let Some(slice) = slice.filter(|s| s.ends_with(".slice") && !s.contains(':')) {
                    return Some((id, Some(runtime), Some(slice)));
                }
            }
        }
    }
    None
}

/// The uid in `pod<uid>` or `<anything>-pod<uid>.slice`, with dashes.
fn pod(part: &str) -> Option<String> {
    let uid = match part.strip_suffix(".slice") {
        Some(slice) => {
            let start = slice.len().checked_sub(36)?;
            let (before, uid) = slice.split_at_checked(start)?;
            uid.is_ascii().then_some(())?;
            before.ends_with("-pod").then_some(uid)?
        }
        None => part.strip_prefix("pod")?,
    };
    let shape = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    let fits = |(c, shape): (char, char)| match shape {
        'x' => "0123456789abcdef".contains(c),
        _ => matches!(c, '-' | '_'),
    };
    let same = uid.len() == shape.len() && uid.chars().zip(shape.chars()).all(fits);
    same.then(|| uid.replace('_', "-"))
}
