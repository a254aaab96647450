use witgate_sdk::{
    Failure,
    containers::{locate, within_kubepods},
    facts::cgroups::TrustedEntry,
};

use crate::settings::Settings;

/// Where a process of a pod stands, as its control groups tell.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place<'e> {
    /// Id of the container, 64 lower-case hexadecimal digits.
    pub(crate) id: &'e str,
    /// Uid of the pod. A static pod has a digest in its place, and some runtimes tell nothing.
    pub(crate) pod_uid: Option<String>,
}

impl<'e> Place<'e> {
    /// The container that the kubelet can be asked about.
    ///
    /// # Errors
    /// `NotApplicable`, if there is none; whatever else keeps it from being known.
    pub(crate) fn of(entries: &'e [TrustedEntry], settings: &Settings) -> Result<Self, Failure> {
        let located = locate(entries, settings.nested_below.as_ref())?;
        let located = located.ok_or(Failure::NotApplicable)?;
        // What is below the container was made inside it.
        let above = |entry: &TrustedEntry| {
            let above = entry.prefix.split_once(located.id).map(|(above, _)| above);
            entry.mounted && above.is_some_and(kubelets)
        };
        if settings.outside_kubepods || located.pod_uid.is_some() || entries.iter().any(above) {
            Ok(Self { id: located.id, pod_uid: located.pod_uid })
        } else {
            Err(Failure::NotApplicable)
        }
    }
}

/// Whether a path leads below the kubelet's control group. Where runtime and kubelet do not agree on
/// the driver, the slice of a pod stands alone: `kubepods-burstable-pod….slice:cri-containerd:…`.
fn kubelets(path: &str) -> bool {
    let alone = |component: &str| {
        let slice = component.split(':').next().and_then(|group| group.strip_suffix(".slice"));
        let slice = slice.map(|slice| slice.strip_prefix("kubelet-").unwrap_or(slice));
        slice.is_some_and(|slice| slice.starts_with("kubepods-"))
    };
    within_kubepods(path) || path.split('/').any(alone)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "1f0e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";
    const UID: &str = "9b2e7c41-03d8-4f6a-8e15-d7a0c3b59f26";

    fn entries(path: &str) -> [TrustedEntry; 1] {
        [TrustedEntry {
            hierarchy: 0,
            controllers: Vec::new(),
            prefix: path.to_owned(),
            delegated: false,
            mounted: true,
        }]
    }

    fn place(path: &str, settings: &str) -> Result<Option<String>, Failure> {
        let settings = Settings::parse(settings).unwrap();
        Place::of(&entries(path), &settings).map(|place| place.pod_uid)
    }

    #[test]
    fn a_container_outside_of_the_kubelets_control_group_is_none_of_its_own() {
        let outside = r#"{"outside_kubepods": true}"#;
        for path in [format!("/system.slice/docker-{ID}.scope"), format!("/docker/{ID}/kubepods")] {
            assert_eq!(place(&path, "{}"), Err(Failure::NotApplicable), "{path}");
            assert_eq!(place(&path, outside), Ok(None), "{path}");
        }
        for path in ["/kubepods.slice", "/system.slice/kubelet.service"] {
            assert_eq!(place(path, outside), Err(Failure::NotApplicable), "{path}");
        }
    }

    #[test]
    fn a_pod_without_a_uid_on_the_path_is_known_by_the_kubelets_control_group() {
        let digest = &ID[..32];
        for path in [
            format!("/kubepods/burstable/pod{digest}/{ID}"),
            format!("/kubepods.slice/kubepods-pod{digest}.slice/cri-containerd-{ID}.scope"),
            format!("/kubepods/crio-{ID}"),
            format!("/kubepods-burstable-pod{digest}.slice:cri-containerd:{ID}"),
            format!("/kubelet.slice/kubelet-kubepods-pod{digest}.slice/crio-{ID}.scope"),
        ] {
            assert_eq!(place(&path, "{}"), Ok(None), "{path}");
        }
        let path = format!("/kubepods/pod{UID}/{ID}");
        assert_eq!(place(&path, "{}"), Ok(Some(UID.to_owned())));
    }
}
