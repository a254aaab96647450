//! Compares with what SPIRE's container locator makes of the same control groups.
//!
//! Its rules, written down here anew: on every path the right-most component with a word of 64
//! hexadecimal digits gives the id, and from there leftwards the first word `pod<uid>` the pod; a
//! line with a pod outranks lines without; otherwise all lines must agree. Where ours differ, and
//! why, stands in `README.md`; each difference has a test here.

use proptest::prelude::*;
use witgate_sdk::{
    Failure,
    containers::{locate, shallowest},
    facts::cgroups::TrustedEntry,
};

const A: &str = "1f0e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";
const B: &str = "c0ffee0123456789c0ffee0123456789c0ffee0123456789c0ffee0123456789";
const POD: &str = "9b2e7c41-03d8-4f6a-8e15-d7a0c3b59f26";
const POD_UNDERSCORES: &str = "9b2e7c41_03d8_4f6a_8e15_d7a0c3b59f26";

/// Pod and container; both empty if there is none.
type Answer = Result<(String, String), &'static str>;

fn word_bounds(text: &str, start: usize, end: usize) -> bool {
    let word = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let bytes = text.as_bytes();
    !word(start.checked_sub(1).and_then(|at| bytes.get(at))) && !word(bytes.get(end))
}

fn spire_id(component: &str) -> Option<(usize, &str)> {
    (0..component.len().checked_sub(63)?).find_map(|at| {
        let id = component.get(at..at + 64)?;
        let hex = id.bytes().all(|b| b.is_ascii_hexdigit());
        (hex && word_bounds(component, at, at + 64)).then_some((at, id))
    })
}

fn spire_pod(component: &str) -> Option<String> {
    (0..component.len().checked_sub(38)?).find_map(|at| {
        let uid = component.get(at..at + 39)?.strip_prefix("pod")?;
        let shape = uid.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-' || b == b'_',
            _ => b.is_ascii_hexdigit(),
        });
        (shape && word_bounds(component, at, at + 39)).then(|| uid.replace('_', "-"))
    })
}

fn spire_path(path: &str) -> (String, String) {
    let components: Vec<&str> = path.split('/').collect();
    for (index, component) in components.iter().enumerate().rev() {
        let Some((at, id)) = spire_id(component) else { continue };
        let left =
            std::iter::once(&component[..at]).chain(components[..index].iter().rev().copied());
        let pod = left.into_iter().find_map(spire_pod).unwrap_or_default();
        return (pod, id.to_owned());
    }
    Default::default()
}

fn spire(paths: &[&str]) -> Answer {
    let mut found = (String::new(), String::new());
    for path in paths {
        let (pod, id) = spire_path(path);
        if !found.0.is_empty() && pod.is_empty() {
            continue;
        }
        if found.0.is_empty() && !pod.is_empty() {
            found = (pod.clone(), id.clone());
        }
        if !pod.is_empty() && pod != found.0 {
            return Err("pods");
        }
        if !found.1.is_empty() && id != found.1 {
            return Err("containers");
        }
        found = (pod, id);
    }
    Ok(found)
}

fn ours(paths: &[&str]) -> Answer {
    let entry = |path: &&str| TrustedEntry {
        hierarchy: 1,
        controllers: vec!["pids".to_owned()],
        prefix: (*path).to_owned(),
        delegated: false,
        mounted: true,
    };
    let entries: Vec<TrustedEntry> = paths.iter().map(entry).collect();
    match locate(&entries, None) {
        Ok(None) => Ok(Default::default()),
        Ok(Some(located)) => Ok((located.pod_uid.unwrap_or_default(), located.id.to_owned())),
        Err(Failure::Failed(reason)) if reason.contains("disagree") => Err("disagree"),
        Err(_) => Err("refused"),
    }
}

fn found(pod: &str, id: &str) -> Answer {
    Ok((pod.to_owned(), id.to_owned()))
}

#[test]
fn single_paths_come_out_equal() {
    let cases = [
        (format!("/docker/{A}"), ""),
        (format!("/system.slice/docker-{A}.scope"), ""),
        (format!("/one.slice/one-two.slice/a-b_c.slice/docker-{A}.scope"), ""),
        (format!("/system.slice/{A}.scope"), ""),
        (format!("/{A}"), ""),
        (format!("/machine.slice/libpod-{A}.scope"), ""),
        (format!("/machine.slice/libpod-{A}.scope/container"), ""),
        (format!("/libpod_parent/libpod-{A}"), ""),
        (format!("/libpod_parent/{B}/libpod-{A}"), ""),
        (format!("/machine.slice/machine-libpod_pod_{B}.slice/libpod-{A}.scope"), ""),
        (format!("/user.slice/libpod/{A}"), ""),
        (format!("/system.slice/shop.service/libpod-payload-{A}"), ""),
        (format!("/kubepods/pod{POD}/{A}"), POD),
        (format!("/kubepods/pod{POD_UNDERSCORES}/{A}"), POD),
        (format!("/kubepods/burstable/pod{POD}/{A}"), POD),
        (format!("/kubepods/kubepods/besteffort/pod{POD}/{A}"), POD),
        (format!("/kubepods/besteffort/pod{POD}/crio-{A}"), POD),
        (format!("/something/pod{POD}/{A}"), POD),
        (format!("/pod{POD}/{A}"), POD),
        (format!("/kubepods/{A}"), ""),
        (format!("/kubepods/pod{}/{A}", "0f".repeat(16)), ""),
        (format!("/kubepods-besteffort-pod{POD_UNDERSCORES}.slice:cri-containerd:{A}"), POD),
        (
            format!(
                "/system.slice/containerd.service/kubepods-pod{POD_UNDERSCORES}.slice:cri-containerd:{A}"
            ),
            POD,
        ),
        (
            format!(
                "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{POD}.slice/docker-{A}.scope"
            ),
            POD,
        ),
        (
            format!(
                "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{POD_UNDERSCORES}.slice/crio-{A}.scope"
            ),
            POD,
        ),
        (
            format!(
                "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{POD_UNDERSCORES}.slice/cri-containerd-{A}.scope"
            ),
            POD,
        ),
    ];
    for (path, pod) in &cases {
        assert_eq!(spire(&[path]), found(pod, A), "{path}");
        assert_eq!(ours(&[path]), found(pod, A), "{path}");
    }
}

#[test]
fn paths_outside_containers_come_out_equal() {
    let cases = [
        "/".to_owned(),
        "/user.slice/user-1000.slice/session-2.scope".to_owned(),
        "/docker".to_owned(),
        "/docker/".to_owned(),
        "/not-a-match".to_owned(),
        format!("/kubepods/pod{POD}"),
        format!("/kubepods/pod{}", "0f".repeat(16)),
        format!("/docker/{}", &A[1..]),
        format!("/docker/{A}0"),
        format!("/machine.slice/machine-libpod_pod_{A}.slice"),
        "/system.slice/slurmstepd.scope/job_3/step_0".to_owned(),
    ];
    for path in &cases {
        assert_eq!(spire(&[path]), found("", ""), "{path}");
        assert_eq!(ours(&[path]), found("", ""), "{path}");
    }
}

#[test]
fn several_hierarchies_come_out_equal() {
    let pod_a = format!("/kubepods/pod{POD}/{A}");
    let pod_b = format!("/kubepods/kubepods/besteffort/pod{POD}/{B}");
    let other_pod = format!("/kubepods/pod{}/{A}", POD.replace('9', "8"));
    let docker = format!("/docker/{A}");
    let scope = format!("/system.slice/docker-{B}.scope");
    let rhel = format!("/system.slice/docker-{A}.scope");

    for paths in [["/user.slice", &pod_a], [&pod_a, "/user.slice"], [&pod_a, &pod_a]] {
        assert_eq!(spire(&paths), found(POD, A));
        assert_eq!(ours(&paths), found(POD, A));
    }
    for paths in [["/", &docker], ["/user.slice", &docker], [&docker, &rhel]] {
        assert_eq!(spire(&paths), found("", A));
        assert_eq!(ours(&paths), found("", A));
    }
    for paths in [[&pod_a, &pod_b], [&pod_a, &other_pod], [&docker, &scope]] {
        assert!(spire(&paths.map(String::as_str)).is_err());
        assert!(ours(&paths.map(String::as_str)).is_err());
    }
}

/// SPIRE's answer hangs on the order of the lines; ours is the one that it gives in the other.
#[test]
fn difference_order() {
    let docker = format!("/docker/{A}");
    for idle in ["/", "/system.slice/containerd.service"] {
        assert_eq!(spire(&[idle, &docker]), found("", A));
        assert_eq!(spire(&[&docker, idle]), Err("containers"));
        assert_eq!(ours(&[idle, &docker]), found("", A));
        assert_eq!(ours(&[&docker, idle]), found("", A));
    }
}

/// Nesting: the outer container, until the operator opts in; and a pod does not outrank.
#[test]
fn difference_nesting() {
    let kind = format!("/docker/{A}/kubepods/besteffort/pod{POD}/{B}");
    let engine = format!("/docker/{A}/system.slice/containerd.service");
    assert_eq!(spire(&[&kind, &engine]), found(POD, B));
    assert_eq!(ours(&[&kind, &engine]), found("", A));

    let twice = format!("/docker/{A}/docker/{B}/system.slice/containerd.service");
    assert_eq!((spire(&[&twice]), ours(&[&twice])), (found("", B), found("", A)));

    let pod = format!("/kubelet.slice/kubelet-kubepods-pod{POD_UNDERSCORES}.slice/crio-{A}.scope");
    let stray = format!("/somewhere/else/crio-{B}.scope");
    assert_eq!(spire(&[&pod, &stray]), found(POD, A));
    assert_eq!(ours(&[&pod, &stray]), Err("disagree"));
}

/// Ownership: who made a path seen from another cgroup namespace cannot be checked; a monitor
/// beside a container is not in it; and a name that no runtime gives is nobody's.
#[test]
fn difference_ownership() {
    for path in [format!("/../{A}"), format!("/../crio-{A}.scope")] {
        assert_eq!((spire(&[&path]), ours(&[&path])), (found("", A), Err("refused")));
    }
    let relative = format!("/../../../burstable/pod{POD}/{A}");
    assert_eq!((spire(&[&relative]), ours(&[&relative])), (found(POD, A), Err("refused")));

    let beside = [
        format!("/machine.slice/libpod-conmon-{A}.scope"),
        format!("/kubepods.slice/crio-conmon-{A}.scope"),
        format!("/system.slice/backup-{A}.scope"),
        format!("/docker/{}", A.to_uppercase()),
    ];
    for path in &beside {
        assert_eq!(spire(&[path]).map(|(_, id)| id.to_lowercase()), Ok(A.to_owned()), "{path}");
        assert_eq!(ours(&[path]), found("", ""), "{path}");
    }
}

fn id() -> impl Strategy<Value = String> {
    "[0-9a-f]{64}"
}

fn uid() -> impl Strategy<Value = String> {
    "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
}

/// A container's component as the runtimes write it.
fn container() -> impl Strategy<Value = String> {
    let spelling = prop::sample::select(vec![
        "ID",
        "ID.scope",
        "docker-ID.scope",
        "cri-containerd-ID.scope",
        "nerdctl-ID.scope",
        "crio-ID.scope",
        "crio-ID",
        "libpod-ID.scope",
        "libpod-ID",
        "libpod-payload-ID",
        "system.slice:docker:ID",
    ]);
    (spelling, id()).prop_map(|(spelling, id)| spelling.replace("ID", &id))
}

/// Directories that are no container's, with or without a pod among them.
fn parents() -> impl Strategy<Value = String> {
    let plain = "(/[a-z]{1,9}(\\.slice|\\.service)?){0,4}";
    let pod = prop::option::of((any::<bool>(), uid()).prop_map(|(systemd, uid)| match systemd {
        true => format!("/kubepods-burstable-pod{}.slice", uid.replace('-', "_")),
        false => format!("/kubepods/pod{uid}"),
    }));
    (plain, pod).prop_map(|(plain, pod)| plain + &pod.unwrap_or_default())
}

/// Pieces that a hostile or unlucky path may be made of.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        container(),
        parents(),
        id(),
        uid().prop_map(|uid| format!("pod{uid}")),
        "\\PC{0,8}",
        prop::sample::select(vec![
            "/", "..", ":", "-", ".scope", ".slice", "docker", "\u{1b}", "é"
        ])
        .prop_map(str::to_owned),
    ]
}

proptest! {
    #[test]
    fn one_container_below_any_parents_comes_out_equal(
        parents in parents(),
        container in container(),
        rest in "(/[a-z]{1,9}(\\.service)?){0,3}",
    ) {
        let path = format!("{parents}/{container}{rest}");
        prop_assert_ne!(&spire(&[&path]).unwrap().1, "");
        prop_assert_eq!(ours(&[&path]), spire(&[&path]));
    }

    #[test]
    fn the_order_of_hierarchies_does_not_matter(
        paths in prop::collection::vec((parents(), prop::option::of(container())), 1..5),
    ) {
        let text = |(parents, container): &(String, Option<String>)| match container {
            Some(container) => format!("{parents}/{container}"),
            None => format!("{parents}/"),
        };
        let paths: Vec<String> = paths.iter().map(text).collect();
        let there: Vec<&str> = paths.iter().map(String::as_str).collect();
        let back: Vec<&str> = there.iter().rev().copied().collect();
        prop_assert_eq!(ours(&there), ours(&back));
    }

    #[test]
    fn whatever_the_path_we_find_no_container_that_spire_does_not_see(
        pieces in prop::collection::vec(piece(), 0..12),
    ) {
        let path = format!("/{}", pieces.concat());
        if let Ok(Some(found)) = shallowest(&path) {
            prop_assert!(path[..found.end].contains(found.id));
            prop_assert!(path[..found.end].ends_with(found.id) || path[..found.end].ends_with(".scope"));
            prop_assert_ne!(&spire_path(&path[..found.end]).1, "");
        }
    }
}
