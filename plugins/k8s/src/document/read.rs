use std::collections::BTreeSet;

use witgate_sdk::Failure;

use super::{ContainerStatus, Item, Metadata, PodList, Spec, Status, Text};
use crate::pod::{Container, Kind, Owner, Pod};

/// Reads an answer.
///
/// # Errors
/// Failed, if it is no list of pods, or none that a kubelet would write. The reason quotes nothing of
/// it: a list of pods holds what others keep to themselves.
pub(crate) fn read(body: &[u8]) -> Result<Vec<Pod<'_>>, Failure> {
    let list: PodList<'_> = serde_json::from_slice(body).map_err(|error| {
        let (what, at) = (error.classify(), error.column());
        wrong(&format!(
            "it is no list of pods ({what:?} error in line {}, column {at})",
            error.line()
        ))
    })?;
    if &*list.kind != "PodList" {
        return Err(wrong("it is of another kind than `PodList`"));
    }
    let pods: Vec<Pod<'_>> = list.items.into_iter().map(pod).collect();
    let uids: BTreeSet<&str> = pods.iter().map(|pod| &*pod.uid).collect();
    if uids.len() < pods.len() {
        return Err(wrong("it lists two pods of the same uid"));
    }
    if !uids.into_iter().all(is_plain) {
        return Err(wrong("it lists a pod with an impossible uid"));
    }
    Ok(pods)
}

fn wrong(what: &str) -> Failure {
    Failure::Failed(format!("the kubelet's answer cannot be used: {what}"))
}

/// Uids are hexadecimal digits and dashes; a static pod may bring one of its own.
fn is_plain(uid: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=128).contains(&uid.len()) && uid.bytes().all(plain)
}

fn pod(item: Item<'_>) -> Pod<'_> {
    let Item { metadata, spec, status } = item;
    let Metadata { name, namespace, uid, labels, owners } = metadata;
    let declared = declared(&spec);
    let Spec { node_name, service_account_name, host_network, host_pid, .. } = spec;
    let owners = owners.into_iter().map(|owner| {
        let super::OwnerReference { kind, name, uid } = owner;
        Owner { kind, name, uid }
    });
    let (containers, qos_class) = containers(status);
    let told = |kind| containers.iter().filter(|told| told.kind == kind).count();
    let untold = |(kind, declared): (Kind, usize)| declared.saturating_sub(told(kind));
    Pod {
        untold: declared.map(untold),
        uid,
        name,
        namespace,
        account: service_account_name,
        node: node_name,
        qos_class,
        host_network,
        host_pid,
        labels: labels.into_iter().collect(),
        owners: owners.collect(),
        containers,
    }
}

/// How many containers of each kind there are to be.
const fn declared(spec: &Spec<'_>) -> [(Kind, usize); 3] {
    [
        (Kind::Regular, spec.containers.len()),
        (Kind::Init, spec.init_containers.len()),
        (Kind::Ephemeral, spec.ephemeral_containers.len()),
    ]
}

fn containers(status: Status<'_>) -> (Vec<Container<'_>>, Text<'_>) {
    let kinds = [
        (Kind::Regular, status.container_statuses),
        (Kind::Init, status.init_container_statuses),
        (Kind::Ephemeral, status.ephemeral_container_statuses),
    ];
    let all = kinds.into_iter().flat_map(|(kind, statuses)| {
        statuses.into_iter().map(move |status| container(kind, status))
    });
    (all.collect(), status.qos_class)
}

fn container(kind: Kind, status: ContainerStatus<'_>) -> Container<'_> {
    let ContainerStatus { name, image, image_id, container_id } = status;
    // `containerd://<id>`. What has another shape is on no path of a control group.
    let id = container_id.split_once("://").map_or("", |(_, id)| id);
    let is_id =
        id.len() == 64 && id.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'));
    let id = if is_id { container_id.last(64) } else { Text::default() };
    Container { kind, name, id, image, image_id }
}
