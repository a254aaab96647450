use std::collections::{BTreeMap, BTreeSet};

use witgate_sdk::Failure;

use crate::{
    Api,
    answer::{HostConfig, Inspected, State},
    environment::{self, EnvironmentSettings},
    findings::{Findings, Most},
    keys, mounts,
};

const LABELS: Most = Most { count: 256, bytes: 24 << 10 };
const CAPABILITIES: Most = Most { count: 64, bytes: 2 << 10 };
const SECURITY_OPTIONS: Most = Most { count: 32, bytes: 4 << 10 };

/// Checks that an answer is about this container, and that the container runs, as a process in its
/// control group says it does.
///
/// # Errors
/// Failed, with what contradicts.
pub(crate) fn agrees(answer: &Inspected, id: &str) -> Result<(), Failure> {
    let contradiction = if answer.id != id {
        Some("is about another container".to_owned())
    } else {
        stands(&answer.state).or_else(|| elsewhere(&answer.state, id))
    };
    contradiction.map_or(Ok(()), |what| {
        let asked = "the process is in the control group of the container";
        Err(Failure::Failed(format!("{asked} {id}, but the engine's answer {what}")))
    })
}

fn stands(state: &State) -> Option<String> {
    let State { running, restarting, dead, status, .. } = state;
    let runs = *running && !restarting && !dead;
    (!runs).then(|| format!("says that this one does not run; it is {status:?}"))
}

/// Podman says in which control group it started a container.
fn elsewhere(state: &State, id: &str) -> Option<String> {
    let path = state.cgroup_path.as_deref().filter(|path| !path.is_empty())?;
    (!path.contains(id)).then(|| format!("has it in the control group {path:?}"))
}

/// What an answer says that cannot change while the container runs.
pub(crate) fn findings(answer: Inspected, api: Api, environment: &EnvironmentSettings) -> Findings {
    let Inspected { image, pod, config, host_config, mounts, .. } = answer;
    let labels = config.labels;
    let compose = labels.as_ref().map(compose);
    let mounts = mounts.map(|mounts| (mounts, host_config.tmpfs.clone().unwrap_or_default()));
    let found = Findings::default()
        .one(keys::IMAGE_ID, config.image)
        .one(keys::IMAGE_CONFIG_DIGEST, image.as_deref().and_then(digest))
        .one(keys::USER, config.user)
        .named(keys::COMPOSE, LABELS, compose)
        .named(keys::LABEL, LABELS, labels);
    let found = if api == Api::Libpod {
        found.one(keys::POD_ID, pod.filter(|id| is_pod(id)))
    } else {
        found
    };
    let found = environment::add(found, config.env, environment);
    made(mounts::add(found, mounts), host_config)
}

fn made(found: Findings, made: HostConfig) -> Findings {
    let rootfs = |read_only| if read_only { "read-only" } else { "writable" };
    found
        .one(keys::PRIVILEGED, made.privileged.map(|is| is.to_string()))
        .one(keys::ROOTFS, made.readonly_rootfs.map(rootfs))
        .one(keys::NETWORK_MODE, made.network_mode)
        .one(keys::PID_MODE, made.pid_mode.map(or_private))
        .one(keys::IPC_MODE, made.ipc_mode.map(or_private))
        .several(keys::CAP_ADD, CAPABILITIES, made.cap_add.map(capabilities))
        .several(keys::SECURITY_OPT, SECURITY_OPTIONS, made.security_opt)
}

/// The id of an image is the digest of its configuration; Podman writes it without the algorithm.
pub(crate) fn digest(image: &str) -> Option<String> {
    let hex = image.strip_prefix("sha256:").unwrap_or(image);
    is_id(hex).then(|| format!("sha256:{hex}"))
}

/// Whether it can be asked for. There may be none.
fn is_pod(id: &str) -> bool {
    id.is_empty() || is_id(id)
}

fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Docker leaves it empty where Podman says it.
fn or_private(mode: String) -> String {
    if mode.is_empty() { "private".to_owned() } else { mode }
}

/// As the kernel's manual has them, whichever way they were written.
fn capabilities(added: Vec<String>) -> Vec<String> {
    let name = |written: String| {
        let lower = written.to_ascii_lowercase();
        if lower == "all" || lower.starts_with("cap_") { lower } else { format!("cap_{lower}") }
    };
    added.into_iter().map(name).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Compose says what it started by labels, and so does what imitates it for Podman.
fn compose(labels: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let of = |part: &str| {
        let ours = ["com.docker.compose", "io.podman.compose"];
        let value = ours.iter().find_map(|prefix| labels.get(&format!("{prefix}.{part}")))?;
        Some((part.to_owned(), value.clone()))
    };
    ["project", "service"].into_iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_written_in_one_way() {
        let hex = "ab".repeat(32);
        let whole = format!("sha256:{hex}");
        assert_eq!(digest(&hex).as_deref(), Some(whole.as_str()));
        assert_eq!(digest(&whole).as_deref(), Some(whole.as_str()));
        for wrong in ["", "sha256:", &hex[1..], &hex.to_uppercase(), "sha512:ab", "../../x"] {
            assert_eq!(digest(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn capabilities_are_written_in_one_way() {
        let written = ["NET_ADMIN", "CAP_NET_ADMIN", "cap_sys_time", "ALL"].map(str::to_owned);
        assert_eq!(capabilities(written.to_vec()), ["all", "cap_net_admin", "cap_sys_time"]);
    }
}
