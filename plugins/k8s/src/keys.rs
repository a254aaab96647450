use witgate_sdk::{Key, Manifest};

use crate::settings;

/// What is only known once the kubelet lists the container itself.
pub(crate) const CONTAINER: [&str; 4] =
    ["container-name", "container-kind", "container-image", "container-image-digest"];

/// Everything that can be reported. The words are SPIRE's where it has one.
pub(crate) fn manifest() -> Manifest {
    let key = |word, meaning, example| {
        Key::new(word, meaning, example).derived_from(&["cgroups.trusted", "http.response"])
    };
    // What can never be changed in a pod, or of a container.
    let fixed = |word, meaning, example| key(word, meaning, example).stable().single();
    let keys = [
        fixed("ns", "namespace of the pod", "shop"),
        fixed("sa", "service account of the pod", "checkout"),
        fixed("pod-name", "name of the pod", "checkout-7c9d6b5f4-x2x8q"),
        fixed("pod-uid", "uid of the pod, as the kubelet lists it", EXAMPLE_UID),
        fixed("node-name", "node that the pod is bound to", "node-3"),
        fixed("qos-class", "how the pod's resources are assured", "Burstable"),
        fixed("host-network", "whether the pod uses the node's network", "false"),
        fixed("host-pid", "whether the pod sees the node's processes", "false"),
        key("pod-label", "a label of the pod, by its name", "web").named().single(),
        key("pod-owner", "name of an owner of the pod, by kind", "checkout-7c9d6b5f4").named(),
        key("pod-owner-uid", "uid of an owner of the pod, by kind", EXAMPLE_OWNER).named(),
        key("pod-image", "image of a container of the pod", EXAMPLE_IMAGE),
        key("pod-init-image", "image of an init container of the pod", EXAMPLE_IMAGE),
        key("pod-ephemeral-image", "image of an ephemeral container of the pod", EXAMPLE_IMAGE),
        key("pod-image-count", "number of the pod's containers", "2").single(),
        key("pod-init-image-count", "number of its init containers", "1").single(),
        key("pod-ephemeral-image-count", "number of its ephemeral containers", "0").single(),
        fixed("container-name", "name of the container in the pod", "web"),
        fixed("container-kind", "regular, init or ephemeral", "regular"),
        key("container-image", "image of the container, by tag and by digest", EXAMPLE_IMAGE),
        fixed("container-image-digest", "digest of its image in the registry", EXAMPLE_DIGEST),
    ];
    keys.into_iter().fold(Manifest::new(), Manifest::key).config_schema(settings::SCHEMA)
}

const EXAMPLE_UID: &str = "0c5e8f2a-7b41-4d9c-a6e3-91d20f8b7c64";
const EXAMPLE_OWNER: &str = "f2b7a9d0-1c34-4e85-9b60-7de8a1c35f42";
const EXAMPLE_IMAGE: &str = "registry.example.com/shop/web:4.2";
const EXAMPLE_DIGEST: &str =
    "sha256:5e1f0a9b3c7d2864f1e0d9c8b7a6958473625140fedcba98765432100f1e2d3c";
