//! Every spelling, against a reference that knows them as a list of patterns.

use proptest::prelude::*;
use witgate_sdk::containers::{NotAbsolute, Runtime, shallowest, within_kubepods};

const ID: &str = "e4b0c7a9135f2d68e4b0c7a9135f2d68e4b0c7a9135f2d68e4b0c7a9135f2d68";

/// What the runtimes write in place of `ID`, and who.
const SPELLINGS: [(&str, Option<Runtime>); 15] = [
    ("/docker/ID", Some(Runtime::Docker)),
    ("/docker-ID.scope", Some(Runtime::Docker)),
    ("/docker-ID", Some(Runtime::Docker)),
    ("/system.slice:docker:ID", Some(Runtime::Docker)),
    ("/default/ID", Some(Runtime::Containerd)),
    ("/k8s.io/ID", Some(Runtime::Containerd)),
    ("/nerdctl-ID.scope", Some(Runtime::Containerd)),
    ("/cri-containerd-ID.scope", Some(Runtime::Containerd)),
    ("/kubepods.slice:cri-containerd:ID", Some(Runtime::Containerd)),
    ("/crio-ID.scope", Some(Runtime::CriO)),
    ("/crio-ID", Some(Runtime::CriO)),
    ("/libpod-ID.scope", Some(Runtime::Podman)),
    ("/libpod_parent/libpod-ID", Some(Runtime::Podman)),
    ("/other/ID", None),
    ("/ID.scope", None),
];

#[test]
fn every_spelling_names_its_runtime_at_any_depth() {
    for (spelling, runtime) in SPELLINGS {
        for parents in ["", "/system.slice", "/a.slice/a-b.slice/a-b-c.slice"] {
            for below in ["", "/container", "/init.scope/x"] {
                let begin = format!("{parents}{}", spelling.replace("ID", ID));
                let path = format!("{begin}{below}");
                let found = shallowest(&path).unwrap().unwrap();
                assert_eq!((found.id, found.runtime, found.pod), (ID, runtime, None), "{path}");
                assert_eq!(found.end, begin.len(), "{path}");
            }
        }
    }
}

#[test]
fn the_pod_is_the_one_around_the_container() {
    let dashes = "5a6b7c8d-0e1f-4203-9485-a6b7c8d9e0f1";
    let underscores = dashes.replace('-', "_");
    for path in [
        format!("/kubepods/pod{dashes}/{ID}"),
        format!("/kubepods/guaranteed/pod{underscores}/crio-{ID}"),
        format!("/kubepods.slice/kubepods-burstable-pod{underscores}.slice/docker-{ID}.scope"),
        format!("/kubelet-kubepods-pod{dashes}.slice/cri-containerd-{ID}.scope"),
        format!("/kubepods-pod{underscores}.slice:cri-containerd:{ID}"),
    ] {
        let found = shallowest(&path).unwrap().unwrap();
        assert_eq!(found.pod_uid().as_deref(), Some(dashes), "{path}");
        assert!(within_kubepods(&path), "{path}");
    }
    for path in [
        format!("/docker/{ID}/kubepods/pod{dashes}"),
        format!("/kubepods/xpod{dashes}/{ID}"),
        format!("/kubepods/pod{dashes}x/{ID}"),
        format!("/kubepods/pod{}/{ID}", "ab".repeat(16)),
        format!("/kubepods/pod{}/{ID}", dashes.to_uppercase()),
    ] {
        assert_eq!(shallowest(&path).unwrap().unwrap().pod, None, "{path}");
    }
}

#[test]
fn a_podman_pod_on_cgroupfs_is_no_container_but_a_container_there_is() {
    let pod = "0".repeat(64);
    let path = format!("/libpod_parent/{pod}/libpod-{ID}");
    assert_eq!(shallowest(&path).unwrap().unwrap().id, ID);
    let path = format!("/other/{pod}/libpod-{ID}");
    assert_eq!(shallowest(&path).unwrap().unwrap().id, pod);
}

#[test]
fn what_only_resembles_a_container_is_none() {
    for path in [
        "/".to_owned(),
        "//".to_owned(),
        "/docker/latest".to_owned(),
        format!("/docker/{}", &ID[1..]),
        format!("/docker/{ID}0"),
        format!("/docker/{}", ID.to_uppercase()),
        format!("/docker-{ID}.slice"),
        format!("/docker-{ID}.scope.d"),
        format!("/xdocker-{ID}.scope"),
        format!("/docker_{ID}.scope"),
        format!("/libpod-conmon-{ID}.scope"),
        format!("/crio-conmon-{ID}.scope"),
        format!("/session-{ID}.scope"),
        format!("/system.slice:session:{ID}"),
        format!("/system:docker:{ID}"),
        format!("/a.slice:b:docker:{ID}"),
    ] {
        assert_eq!(shallowest(&path), Ok(None), "{path}");
    }
}

// #41
#[test]
fn a_path_that_is_not_one_from_the_root_is_an_error() {
    for path in ["", "docker", "/..", "/../x", "/a/../b"] {
        assert_eq!(shallowest(path), Err(NotAbsolute), "{path}");
    }
    for path in ["/...", "/a..", "/..a/b"] {
        assert_eq!(shallowest(path), Ok(None), "{path}");
    }
}

#[test]
fn the_kubelet_s_own_groups_are_told_from_others() {
    for path in ["/kubepods", "/kubepods.slice/kubepods-burstable.slice", "/x/kubepods/besteffort"]
    {
        assert!(within_kubepods(path), "{path}");
    }
    for path in ["/", "/user.slice", "/kubepods-like", "/system.slice/kubelet.service"] {
        assert!(!within_kubepods(path), "{path}");
    }
}

/// Slow and obvious: for every component, from the root, every spelling with every id that stands
/// in it.
fn reference(path: &str) -> Result<Option<(String, Option<Runtime>)>, NotAbsolute> {
    let components: Vec<&str> = path.split('/').collect();
    for (index, component) in components.iter().enumerate().skip(1) {
        if *component == ".." {
            return Err(NotAbsolute);
        }
        let above = components[index - 1];
        let below = components.get(index + 1).copied().unwrap_or_default();
        for id in component.as_bytes().windows(64).filter_map(|id| std::str::from_utf8(id).ok()) {
            if !id.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')) {
                continue;
            }
            let podman_pod = above == "libpod_parent" && below.starts_with("libpod-");
            if *component == id && podman_pod {
                continue;
            }
            if let Some(runtime) = reference_component(component, above, id) {
                return Ok(Some((id.to_owned(), runtime)));
            }
        }
    }
    Ok(None)
}

fn reference_component(component: &str, above: &str, id: &str) -> Option<Option<Runtime>> {
    let known = [
        ("docker", Runtime::Docker),
        ("cri-containerd", Runtime::Containerd),
        ("nerdctl", Runtime::Containerd),
        ("crio", Runtime::CriO),
        ("libpod", Runtime::Podman),
    ];
    for (prefix, runtime) in known {
        for ending in ["", ".scope"] {
            let colons = format!(":{prefix}:{id}{ending}");
            let slice = component.strip_suffix(&colons);
            let after_slice = slice.is_some_and(|s| s.ends_with(".slice") && !s.contains(':'));
            if *component == format!("{prefix}-{id}{ending}") || after_slice {
                return Some(Some(runtime));
            }
        }
    }
    if *component == format!("{id}.scope") {
        return Some(None);
    }
    let parents = [
        ("docker", Runtime::Docker),
        ("default", Runtime::Containerd),
        ("k8s.io", Runtime::Containerd),
        ("libpod", Runtime::Podman),
    ];
    let runtime = parents.iter().find(|(parent, _)| *parent == above).map(|(_, runtime)| *runtime);
    (component == id).then_some(runtime)
}

fn piece() -> impl Strategy<Value = String> {
    let words = [
        "/",
        "/",
        "docker",
        "docker-",
        "cri-containerd-",
        "nerdctl-",
        "crio-",
        "libpod-",
        ":docker:",
        "libpod_parent",
        "libpod",
        "default",
        "k8s.io",
        ".scope",
        ".slice",
        "kubepods",
        "-",
        ":",
        "conmon-",
        "..",
        "pod",
        "é",
        "\u{1b}",
        "a",
    ];
    prop_oneof![
        3 => prop::sample::select(words.to_vec()).prop_map(str::to_owned),
        2 => "[0-9a-f]{64}",
        1 => "[0-9a-f]{63,65}",
        1 => "\\PC{0,6}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn any_path_is_read_as_the_reference_reads_it(
        pieces in prop::collection::vec(piece(), 0..12),
    ) {
        let path = format!("/{}", pieces.concat());
        let _ = within_kubepods(&path);
        let found = shallowest(&path).map(|found| found.map(|f| (f.id.to_owned(), f.runtime)));
        prop_assert_eq!(found, reference(&path));
    }

    #[test]
    fn any_text_at_all_is_read_without_a_panic(text in "\\PC*", bytes: Vec<u8>) {
        let _ = shallowest(&text);
        let _ = shallowest(&String::from_utf8_lossy(&bytes));
    }
}
