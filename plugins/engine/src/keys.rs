//! What is reported of a container, the same words for every engine.

use witgate_sdk::{Key, Manifest};

use crate::Api;

pub(crate) const CAP_ADD: &str = "cap_add";
pub(crate) const COMPOSE: &str = "compose";
pub(crate) const ENV: &str = "env";
pub(crate) const ENV_SHA256: &str = "env_sha256";
pub(crate) const IMAGE_CONFIG_DIGEST: &str = "image_config_digest";
pub(crate) const IMAGE_DIGEST: &str = "image_digest";
pub(crate) const IMAGE_ID: &str = "image_id";
pub(crate) const IPC_MODE: &str = "ipc_mode";
pub(crate) const LABEL: &str = "label";
pub(crate) const MOUNT: &str = "mount";
pub(crate) const NAME: &str = "name";
pub(crate) const NETWORK_MODE: &str = "network_mode";
pub(crate) const PID_MODE: &str = "pid_mode";
pub(crate) const POD: &str = "pod";
pub(crate) const POD_ID: &str = "pod_id";
pub(crate) const PRIVILEGED: &str = "privileged";
pub(crate) const ROOTFS: &str = "rootfs";
pub(crate) const SECURITY_OPT: &str = "security_opt";
pub(crate) const USER: &str = "user";

/// Whose word it is.
#[derive(Debug, Clone, Copy)]
pub struct Worth {
    /// The facts that every key is derived from.
    pub facts: &'static [&'static str],
    /// Whether the engine can be relied on to say tomorrow what it says today.
    pub stable: bool,
}

/// All keys of an engine.
#[must_use]
pub fn manifest(api: Api, worth: Worth) -> Manifest {
    let keys = image(worth).into_iter().chain(pod(api, worth)).chain(settings(worth));
    keys.fold(Manifest::new(), Manifest::key)
}

fn image(worth: Worth) -> Vec<Key> {
    let digest = concat_digest("sha256:");
    vec![
        worth
            .steady(IMAGE_ID, "image, as it was named when the container was made", "nginx:1.27")
            .single(),
        worth.steady(IMAGE_CONFIG_DIGEST, "id of the image", &digest).single(),
        worth.key(
            IMAGE_DIGEST,
            "image and digest, as it is in a registry",
            &concat_digest("nginx@sha256:"),
        ),
        worth.steady(LABEL, "label of the container or its image", "web").named().single(),
        worth.steady(COMPOSE, "project and service, by Compose's labels", "shop").named().single(),
        worth.key(NAME, "name of the container", "shop-web-1").single(),
    ]
}

fn concat_digest(prefix: &str) -> String {
    format!("{prefix}9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")
}

fn pod(api: Api, worth: Worth) -> Vec<Key> {
    if api == Api::Docker {
        return Vec::new();
    }
    vec![
        worth.steady(POD, "name of the pod around it", "shop").single(),
        worth.steady(POD_ID, "id of the pod around it", &concat_digest("")).single(),
    ]
}

fn settings(worth: Worth) -> Vec<Key> {
    vec![
        worth.key(ENV, "variable that it was configured with", "web").named().single(),
        worth.key(ENV_SHA256, "digest of its value", &concat_digest("")).named().single().secret(),
        worth.steady(USER, "user that it was configured with", "1000:1000").single(),
        worth.steady(PRIVILEGED, "whether it has all privileges: true or false", "false").single(),
        worth.steady(ROOTFS, "read-only or writable", "read-only").single(),
        worth.steady(MOUNT, "what is mounted there", "ro:bind:/srv/www").named().single(),
        worth.steady(NETWORK_MODE, "which network it was made with", "bridge").single(),
        worth.steady(PID_MODE, "whose processes it sees", "private").single(),
        worth.steady(IPC_MODE, "whose shared memory it sees", "private").single(),
        worth.steady(CAP_ADD, "capability that was added", "cap_net_admin"),
        worth.steady(SECURITY_OPT, "security option", "no-new-privileges"),
    ]
}

impl Worth {
    fn key(self, word: &str, meaning: &str, example: &str) -> Key {
        Key::new(word, meaning, example).derived_from(self.facts)
    }

    /// One that does not change while the container runs.
    fn steady(self, word: &str, meaning: &str, example: &str) -> Key {
        let key = self.key(word, meaning, example);
        if self.stable { key.stable() } else { key }
    }
}
