use super::*;
use crate::{Failure, facts::cgroups::TrustedEntry};

const A: &str = "a17c3e5f90b2d4681357ace02468bdf0a17c3e5f90b2d4681357ace02468bdf0";
const B: &str = "b2d4681357ace02468bdf0a17c3e5f90b2d4681357ace02468bdf0a17c3e5f90";
const POD: &str = "7d3f9a10-52c6-4e8b-b0d1-3a6c8e0f2b94";

fn entry(controllers: &[&str], prefix: &str) -> TrustedEntry {
    TrustedEntry {
        hierarchy: if controllers.is_empty() { 0 } else { 1 },
        controllers: controllers.iter().map(|&c| c.to_owned()).collect(),
        prefix: prefix.to_owned(),
        delegated: false,
        mounted: true,
    }
}

/// A process on a host with these paths, on the unified hierarchy and then some of v1.
fn entries(paths: &[&str]) -> Vec<TrustedEntry> {
    let controllers: [&[&str]; 4] = [&[], &["memory"], &["cpu", "cpuacct"], &["name=systemd"]];
    paths.iter().zip(controllers).map(|(path, controllers)| entry(controllers, path)).collect()
}

fn below(text: &str) -> NestedBelow {
    NestedBelow::try_from(text.to_owned()).unwrap()
}

fn id_of(entries: &[TrustedEntry], nested_below: Option<&str>) -> Option<String> {
    let located = locate(entries, nested_below.map(below).as_ref()).unwrap();
    located.map(|located| located.id.to_owned())
}

fn reason(entries: &[TrustedEntry]) -> String {
    match locate(entries, None) {
        Err(Failure::Failed(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn hierarchies_at_the_root_or_not_mounted_do_not_vote() {
    let docker = format!("/docker/{A}");
    assert_eq!(id_of(&entries(&["/", &docker]), None).as_deref(), Some(A));
    let mut hybrid = entries(&[&docker, &format!("/docker/{B}")]);
    hybrid[1].mounted = false;
    assert_eq!(id_of(&hybrid, None).as_deref(), Some(A));
}

#[test]
fn docker_on_a_hybrid_host_is_found_although_v2_stands_in_the_engine_s_service() {
    let docker = format!("/docker/{A}");
    let paths = ["/system.slice/containerd.service", &docker, &docker, &docker];
    assert_eq!(id_of(&entries(&paths), None).as_deref(), Some(A));
}

#[test]
fn two_containers_are_a_failure_that_names_both() {
    let (one, other) = (format!("/docker/{A}"), format!("/system.slice/docker-{B}.scope"));
    let reason = reason(&entries(&[&one, &other]));
    assert!(reason.contains("v2 is in") && reason.contains("memory is in"), "{reason}");
    assert!(reason.contains(A) && reason.contains(B), "{reason}");
}

#[test]
fn two_pods_around_one_container_are_a_failure() {
    let other = POD.replace("7d", "8e");
    let paths = [format!("/kubepods/pod{POD}/{A}"), format!("/kubepods/pod{other}/{A}")];
    reason(&entries(&[&paths[0], &paths[1]]));
}

#[test]
fn what_one_hierarchy_does_not_tell_another_does() {
    let paths = [format!("/kubepods/burstable/pod{POD}/{A}"), format!("/x/crio-{A}.scope")];
    for paths in [[&paths[0], &paths[1]], [&paths[1], &paths[0]]] {
        let entries = entries(&[paths[0], paths[1]]);
        let located = locate(&entries, None).unwrap().unwrap();
        assert_eq!(located.runtime, Some(Runtime::CriO));
        assert_eq!(located.pod_uid.as_deref(), Some(POD));
    }
}

#[test]
fn no_container_is_none_and_no_hierarchy_is_unavailable() {
    assert_eq!(id_of(&entries(&["/", "/user.slice/user-1000.slice"]), None), None);
    assert_eq!(id_of(&entries(&["/"]), None), None);
    let mut unmounted = entries(&[&format!("/docker/{A}")]);
    unmounted[0].mounted = false;
    for nothing in [&unmounted[..], &[]] {
        assert!(matches!(locate(nothing, None), Err(Failure::Unavailable(_))));
    }
}

// #38: the host hands out only the root-owned prefix, here what is left of a forgery.
#[test]
fn a_container_s_name_below_a_delegated_directory_is_not_used() {
    let mut forged = entries(&["/user.slice/user-1000.slice/user@1000.service"]);
    forged[0].delegated = true;
    assert_eq!(id_of(&forged, None), None);
}

// #39
#[test]
fn a_container_inside_a_container_is_the_outer_one() {
    let path = format!("/docker/{A}/docker/{B}");
    assert_eq!(id_of(&entries(&[&path]), None).as_deref(), Some(A));
    let scope = format!("/system.slice/docker-{A}.scope/kubepods.slice/crio-{B}.scope");
    assert_eq!(id_of(&entries(&[&scope]), None).as_deref(), Some(A));
}

// #41
#[test]
fn a_path_from_another_cgroup_namespace_is_a_failure() {
    for path in [format!("/../{A}"), format!("/../../pod{POD}/{A}"), format!("docker/{A}")] {
        assert!(reason(&entries(&["/", &path])).contains("another cgroup namespace"));
    }
}

#[test]
fn nested_below_opts_into_one_level() {
    let kind = format!("/docker/{A}/kubelet/kubepods/besteffort/pod{POD}/{B}");
    let engine = format!("/docker/{A}/system.slice/containerd.service");
    let entries_of_kind = entries(&[&engine, &kind]);
    let below = below("/docker/<id>");
    let located = locate(&entries_of_kind, Some(&below)).unwrap().unwrap();
    assert_eq!((located.id, located.pod_uid.as_deref()), (B, Some(POD)));
    // What runs in the outer container itself is still in that one.
    assert_eq!(id_of(&entries(&[&engine]), Some("/docker/<id>")).as_deref(), Some(A));
    // Not two levels.
    let deeper = format!("{kind}/docker/{A}");
    assert_eq!(id_of(&entries(&[&deeper]), Some("/docker/<id>")).as_deref(), Some(B));
    // Not elsewhere.
    for other in ["/system.slice/docker-<id>.scope", &format!("/docker/{B}"), "/x/docker/<id>"] {
        assert_eq!(id_of(&entries_of_kind, Some(other)).as_deref(), Some(A), "{other}");
    }
    let literal = format!("/docker/{A}");
    assert_eq!(id_of(&entries_of_kind, Some(&literal)).as_deref(), Some(B));
}

#[test]
fn inner_containers_must_agree_too() {
    let paths = [format!("/docker/{A}/docker/{B}"), format!("/docker/{A}/docker/{A}")];
    let entries = entries(&[&paths[0], &paths[1]]);
    assert_eq!(id_of(&entries, None).as_deref(), Some(A));
    assert!(matches!(locate(&entries, Some(&below("/docker/<id>"))), Err(Failure::Failed(_))));
}
