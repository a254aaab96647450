//! What an engine says about a container, as far as anything here is made of it.
//!
//! Docker and Podman write the same document, Podman with some fields more. Every field may be
//! missing, and a missing one is not the same as one that is empty.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use witgate_sdk::Failure;

/// The answer to `containers/<id>/json`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Inspected {
    pub(crate) id: String,
    pub(crate) state: State,
    pub(crate) name: Option<String>,
    pub(crate) image: Option<String>,
    pub(crate) pod: Option<String>,
    pub(crate) config: Config,
    pub(crate) host_config: HostConfig,
    #[serde(default, deserialize_with = "nil")]
    pub(crate) mounts: Option<Vec<Mount>>,
}

/// How a container stands.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct State {
    pub(crate) running: bool,
    #[serde(default)]
    pub(crate) restarting: bool,
    #[serde(default)]
    pub(crate) dead: bool,
    #[serde(default)]
    pub(crate) status: String,
    /// Podman's only.
    pub(crate) cgroup_path: Option<String>,
}

/// What a container was made of.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Config {
    pub(crate) image: Option<String>,
    pub(crate) user: Option<String>,
    #[serde(default, deserialize_with = "nil")]
    pub(crate) env: Option<Vec<String>>,
    #[serde(default, deserialize_with = "nil")]
    pub(crate) labels: Option<BTreeMap<String, String>>,
}

/// How a container was made.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct HostConfig {
    pub(crate) network_mode: Option<String>,
    pub(crate) pid_mode: Option<String>,
    pub(crate) ipc_mode: Option<String>,
    pub(crate) privileged: Option<bool>,
    pub(crate) readonly_rootfs: Option<bool>,
    #[serde(default, deserialize_with = "nil")]
    pub(crate) cap_add: Option<Vec<String>>,
    #[serde(default, deserialize_with = "nil")]
    pub(crate) security_opt: Option<Vec<String>>,
    /// Docker leaves it out if there is none.
    #[serde(default, deserialize_with = "nil")]
    pub(crate) tmpfs: Option<BTreeMap<String, String>>,
}

/// One mount.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Mount {
    #[serde(rename = "Type")]
    pub(crate) kind: String,
    pub(crate) destination: String,
    #[serde(rename = "RW")]
    pub(crate) writable: bool,
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) source: String,
}

/// The answer to `images/<id>/json`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Image {
    pub(crate) id: String,
    #[serde(default, deserialize_with = "nil")]
    pub(crate) repo_digests: Option<Vec<String>>,
}

/// The answer to `pods/<id>/json`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Pod {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// Reads a document.
///
/// # Errors
/// Failed, if it is not what was asked for; what is in it is not repeated.
pub(crate) fn parse<T: DeserializeOwned>(what: &str, body: &[u8]) -> Result<T, Failure> {
    let wrong = |error: serde_json::Error| {
        let (line, column) = (error.line(), error.column());
        let why =
            if error.is_data() { "lacks or has a field that it should not" } else { "is no JSON" };
        Failure::Failed(format!("the answer about {what} {why} (line {line}, column {column})"))
    };
    // serde also reads a struct from an array, which no engine writes.
    match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => serde_json::from_slice(body).map_err(wrong),
        _ => Err(Failure::Failed(format!("the answer about {what} is no JSON object"))),
    }
}

/// Go writes `null` for a list or map without elements.
fn nil<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::<T>::deserialize(deserializer).map(|found| Some(found.unwrap_or_default()))
}
