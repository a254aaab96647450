use std::collections::{BTreeMap, BTreeSet};

use witgate_sdk::Failure;

use super::{
    Text,
    scan::{Scan, Wrong},
};
use crate::pod::{Container, Kind, Owner, Pod};

type Read<T = ()> = Result<T, Wrong>;

/// Reads an answer.
///
/// # Errors
/// Failed, if it is no list of pods, or none that a kubelet would write. The reason quotes nothing of
/// it: a list of pods holds what others keep to themselves.
pub(crate) fn read(body: &[u8]) -> Result<Vec<Pod<'_>>, Failure> {
    let pods = list(body).map_err(|Wrong(at)| {
        wrong(&format!("byte {at} of {} is not what it is in a list of pods", body.len()))
    })?;
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

/// The list. One without `items` is wrong: an object of another kind is no empty list.
pub(super) fn list(body: &[u8]) -> Read<Vec<Pod<'_>>> {
    let mut scan = Scan::new(body);
    let (mut kind, mut pods) = (Text::default(), None);
    scan.object(|scan, name| match name {
        b"kind" => fill(&mut kind, scan),
        b"items" if pods.is_none() => items(scan).map(|items| pods = Some(items)),
        b"items" => Err(scan.wrong()),
        _ => scan.skip(),
    })?;
    scan.end()?;
    pods.filter(|_| &*kind == "PodList").ok_or_else(|| scan.wrong())
}

fn items<'a>(scan: &mut Scan<'a>) -> Read<Vec<Pod<'a>>> {
    let mut pods = Vec::new();
    scan.array(|scan| pod(scan).map(|pod| pods.push(pod)))?;
    Ok(pods)
}

fn pod<'a>(scan: &mut Scan<'a>) -> Read<Pod<'a>> {
    let (mut pod, mut declared) = (Pod::default(), [0; 3]);
    scan.object(|scan, name| match name {
        b"metadata" => metadata(scan, &mut pod),
        b"spec" => spec(scan, &mut pod, &mut declared),
        b"status" => status(scan, &mut pod),
        _ => scan.skip(),
    })?;
    if [&pod.uid, &pod.name, &pod.namespace].into_iter().any(|text| text.is_empty()) {
        return Err(scan.wrong());
    }
    for (untold, (kind, declared)) in pod.untold.iter_mut().zip(Kind::ALL.into_iter().zip(declared))
    {
        let told = pod.containers.iter().filter(|container| container.kind == kind).count();
        *untold = usize::saturating_sub(declared, told);
    }
    Ok(pod)
}

fn metadata<'a>(scan: &mut Scan<'a>, pod: &mut Pod<'a>) -> Read {
    scan.object(|scan, name| match name {
        b"name" => fill(&mut pod.name, scan),
        b"namespace" => fill(&mut pod.namespace, scan),
        b"uid" => fill(&mut pod.uid, scan),
        b"labels" => labels(scan).map(|labels| pod.labels = labels),
        b"ownerReferences" => scan.array(|scan| owner(scan).map(|owner| pod.owners.push(owner))),
        _ => scan.skip(),
    })
}

/// Of a name that is there twice the last counts, as everywhere in Kubernetes.
fn labels<'a>(scan: &mut Scan<'a>) -> Read<Vec<(Text<'a>, Text<'a>)>> {
    let mut labels = BTreeMap::new();
    scan.pairs(|name, value| drop(labels.insert(name, value)))?;
    Ok(labels.into_iter().collect())
}

fn owner<'a>(scan: &mut Scan<'a>) -> Read<Owner<'a>> {
    let mut owner = Owner::default();
    scan.object(|scan, name| match name {
        b"kind" => fill(&mut owner.kind, scan),
        b"name" => fill(&mut owner.name, scan),
        b"uid" => fill(&mut owner.uid, scan),
        _ => scan.skip(),
    })?;
    Ok(owner)
}

/// What the pod is to be. `declared` counts its containers by kind.
fn spec<'a>(scan: &mut Scan<'a>, pod: &mut Pod<'a>, declared: &mut [usize; 3]) -> Read {
    let [regular, init, ephemeral] = declared;
    scan.object(|scan, name| match name {
        b"nodeName" => fill(&mut pod.node, scan),
        b"serviceAccountName" => fill(&mut pod.account, scan),
        b"hostNetwork" => scan.boolean().map(|holds| pod.host_network = holds),
        b"hostPID" => scan.boolean().map(|holds| pod.host_pid = holds),
        b"containers" => count(scan, regular),
        b"initContainers" => count(scan, init),
        b"ephemeralContainers" => count(scan, ephemeral),
        _ => scan.skip(),
    })
}

fn count(scan: &mut Scan<'_>, entries: &mut usize) -> Read {
    scan.array(|scan| scan.skip().map(|()| *entries += 1))
}

/// What became of it.
fn status<'a>(scan: &mut Scan<'a>, pod: &mut Pod<'a>) -> Read {
    scan.object(|scan, name| {
        let kind = match name {
            b"qosClass" => return fill(&mut pod.qos_class, scan),
            b"containerStatuses" => Kind::Regular,
            b"initContainerStatuses" => Kind::Init,
            b"ephemeralContainerStatuses" => Kind::Ephemeral,
            _ => return scan.skip(),
        };
        scan.array(|scan| container(scan, kind).map(|container| pod.containers.push(container)))
    })
}

fn container<'a>(scan: &mut Scan<'a>, kind: Kind) -> Read<Container<'a>> {
    let mut container = Container::of(kind);
    scan.object(|scan, name| match name {
        b"name" => fill(&mut container.name, scan),
        b"image" => fill(&mut container.image, scan),
        b"imageID" => fill(&mut container.image_id, scan),
        b"containerID" => fill(&mut container.id, scan),
        _ => scan.skip(),
    })?;
    container.id = bare(container.id);
    Ok(container)
}

/// The id in `containerd://<id>`. What has another shape is on no path of a control group.
fn bare(id: Text<'_>) -> Text<'_> {
    let digits = id.split_once("://").map_or("", |(_, digits)| digits);
    let is_hex = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f');
    let is_id = digits.len() == 64 && digits.bytes().all(is_hex);
    if is_id { id.last(64) } else { Text::default() }
}

/// Reads text into its place, which must be free: what is there twice means nothing.
fn fill<'a>(place: &mut Text<'a>, scan: &mut Scan<'a>) -> Read {
    if !place.is_empty() {
        return Err(scan.wrong());
    }
    *place = scan.text()?;
    Ok(())
}
