//! The kubelet's answer to `GET /pods`: what is used of a `PodList` of the API's version 1.
//!
//! It may have 16 MiB, most of it about who set which field and what is mounted where. That is
//! passed over without being taken apart, and text is borrowed from the answer.

mod read;
mod text;

#[cfg(test)]
mod fuzz;

use serde::{Deserialize, Deserializer, de::IgnoredAny};

pub(crate) use self::{read::read, text::Text};

/// The list. A missing `items` is an error: an object of another kind is no empty list.
#[derive(Debug, Deserialize)]
struct PodList<'a> {
    #[serde(borrow)]
    kind: Text<'a>,
    #[serde(borrow, deserialize_with = "nullable")]
    items: Vec<Item<'a>>,
}

#[derive(Debug, Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
    #[serde(borrow, default)]
    spec: Spec<'a>,
    #[serde(borrow, default)]
    status: Status<'a>,
}

#[derive(Debug, Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    namespace: Text<'a>,
    #[serde(borrow)]
    uid: Text<'a>,
    #[serde(borrow, default, deserialize_with = "nullable")]
    labels: text::Pairs<'a>,
    #[serde(borrow, default, deserialize_with = "nullable", rename = "ownerReferences")]
    owners: Vec<OwnerReference<'a>>,
}

#[derive(Debug, Deserialize)]
struct OwnerReference<'a> {
    #[serde(borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    uid: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec<'a> {
    #[serde(borrow)]
    node_name: Text<'a>,
    #[serde(borrow)]
    service_account_name: Text<'a>,
    host_network: bool,
    #[serde(rename = "hostPID")]
    host_pid: bool,
    #[serde(deserialize_with = "nullable")]
    containers: Vec<IgnoredAny>,
    #[serde(deserialize_with = "nullable")]
    init_containers: Vec<IgnoredAny>,
    #[serde(deserialize_with = "nullable")]
    ephemeral_containers: Vec<IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status<'a> {
    #[serde(borrow)]
    qos_class: Text<'a>,
    #[serde(borrow, deserialize_with = "nullable")]
    container_statuses: Vec<ContainerStatus<'a>>,
    #[serde(borrow, deserialize_with = "nullable")]
    init_container_statuses: Vec<ContainerStatus<'a>>,
    #[serde(borrow, deserialize_with = "nullable")]
    ephemeral_container_statuses: Vec<ContainerStatus<'a>>,
}

#[derive(Debug, Deserialize)]
struct ContainerStatus<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow, default)]
    image: Text<'a>,
    #[serde(borrow, default, rename = "imageID")]
    image_id: Text<'a>,
    #[serde(borrow, default, rename = "containerID")]
    container_id: Text<'a>,
}

/// Go writes a list without entries as `null` where it does not leave it out.
fn nullable<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}
