//! Fuzz target: answers of a kubelet, against a slow reading of all of the document.

use serde_json::{Map, Value};
use witgate_testkit::fuzz_target;

use super::read::{list, read};
use crate::{
    index::{Index, pod_of},
    pod::{Kind, Pod},
};

#[test]
fn pod_lists() {
    let words = &[
        "{",
        "}",
        "[",
        "]",
        "\"",
        "\\",
        "\\\"",
        "\\u0022",
        "null",
        "true",
        ",\"uid\":\"",
        "\"items\":[",
        "\"containerID\":\"containerd://",
        "1f0e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "\"labels\":{\"a\":\"b\"},",
        "\u{e9}",
        "\n",
    ];
    fuzz_target!("pod_lists").words(words).inputs(2_000).check(|input| {
        let ours = list(input).ok();
        if let Ok(pods) = read(input) {
            assert_found_again(&pods);
        }
        let Ok(value) = serde_json::from_slice::<Value>(input) else { return };
        let compact = serde_json::to_vec(&value).unwrap();
        // Of what is there twice, a `Value` has one. And no kubelet writes an escape into the name of a
        // field.
        let comparable = compact.len() == input.trim_ascii().len();
        if comparable && (ours.is_some() || !input.contains(&b'\\')) {
            assert_eq!(ours.map(|pods| pods.iter().map(summary).collect()), reference(&value));
        }
    });
}

/// Every pod survives being kept, and every container is found.
fn assert_found_again(pods: &[Pod<'_>]) {
    let index = Index::of(pods);
    for pod in pods {
        let text = serde_json::to_string(pod).unwrap();
        assert_eq!(serde_json::from_str::<Pod<'_>>(&text).unwrap(), *pod);
        assert_eq!(pod_of(index.part(&pod.uid), &pod.uid), Ok(Some(&*pod.uid)));
        for container in pod.containers.iter().filter(|container| !container.id.is_empty()) {
            assert_ne!(pod_of(index.part(&container.id), &container.id), Ok(None));
        }
    }
}

/// All that is read of a pod, as text.
fn summary(pod: &Pod<'_>) -> String {
    let mut lines = vec![format!(
        "{:?}",
        [&*pod.uid, &*pod.name, &*pod.namespace, &*pod.account, &*pod.node, &*pod.qos_class]
    )];
    lines.push(format!("{} {} {:?}", pod.host_network, pod.host_pid, pod.untold));
    lines.extend(pod.labels.iter().map(|(name, value)| format!("{:?}", [&**name, &**value])));
    let owner =
        |owner: &crate::pod::Owner<'_>| format!("{:?}", [&*owner.kind, &*owner.name, &*owner.uid]);
    lines.extend(pod.owners.iter().map(owner));
    for kind in Kind::ALL {
        for found in pod.of_kind(kind) {
            let texts = [kind.as_str(), &found.name, &found.image, &found.image_id, &found.id];
            lines.push(format!("{texts:?}"));
        }
    }
    lines.join("\n")
}

type Object = Map<String, Value>;

fn reference(list: &Value) -> Option<Vec<String>> {
    let list = list.as_object()?;
    if list.get("kind")?.as_str()? != "PodList" {
        return None;
    }
    entries(Some(list.get("items")?))?.iter().map(pod).collect()
}

fn pod(value: &Value) -> Option<String> {
    let pod = object(Some(value))?;
    let (metadata, spec) = (object(pod.get("metadata"))?, object(pod.get("spec"))?);
    let status = object(pod.get("status"))?;
    let [uid, name, namespace] = ["uid", "name", "namespace"].map(|key| text(&metadata, key));
    let [account, node] = ["serviceAccountName", "nodeName"].map(|key| text(&spec, key));
    let first = [uid?, name?, namespace?, account?, node?, text(&status, "qosClass")?];
    if first[..3].iter().any(String::is_empty) {
        return None;
    }
    let mut untold = [0; 3];
    let mut containers = Vec::new();
    let kinds = [
        ("containers", "containerStatuses"),
        ("initContainers", "initContainerStatuses"),
        ("ephemeralContainers", "ephemeralContainerStatuses"),
    ];
    for (at, (declared, told)) in kinds.into_iter().enumerate() {
        let (declared, told) = (entries(spec.get(declared))?, entries(status.get(told))?);
        untold[at] = declared.len().saturating_sub(told.len());
        for status in told {
            containers.push(container(Kind::ALL[at], &status)?);
        }
    }
    let host =
        ["hostNetwork", "hostPID"].map(|key| spec.get(key).map_or(Some(false), Value::as_bool));
    let mut lines = vec![format!("{first:?}"), format!("{} {} {untold:?}", host[0]?, host[1]?)];
    for (name, value) in object(metadata.get("labels"))? {
        lines.push(format!("{:?}", [name.as_str(), value.as_str()?]));
    }
    for owner in entries(metadata.get("ownerReferences"))? {
        let owner = object(Some(&owner))?;
        let texts: Option<Vec<_>> =
            ["kind", "name", "uid"].iter().map(|key| text(&owner, key)).collect();
        lines.push(format!("{:?}", texts?));
    }
    lines.extend(containers);
    Some(lines.join("\n"))
}

fn container(kind: Kind, status: &Value) -> Option<String> {
    let status = object(Some(status))?;
    let id = text(&status, "containerID")?;
    let id = id.split_once("://").map_or("", |(_, id)| id);
    let is_id = id.len() == 64 && id.chars().all(|c| "0123456789abcdef".contains(c));
    let texts = ["name", "image", "imageID"].map(|key| text(&status, key));
    let [name, image, image_id] = texts;
    let (name, image, image_id) = (name?, image?, image_id?);
    let id = if is_id { id } else { "" };
    Some(format!("{:?}", [kind.as_str(), &name, &image, &image_id, id]))
}

/// Empty if it is not there or nothing.
fn object(value: Option<&Value>) -> Option<Object> {
    match value {
        None | Some(Value::Null) => Some(Object::new()),
        Some(value) => value.as_object().cloned(),
    }
}

fn entries(value: Option<&Value>) -> Option<Vec<Value>> {
    match value {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(value) => value.as_array().cloned(),
    }
}

fn text(object: &Object, key: &str) -> Option<String> {
    object.get(key).map_or(Some(String::new()), |value| value.as_str().map(str::to_owned))
}
