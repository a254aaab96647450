use witgate_sdk::{Failure, Report};

use crate::{
    keys::CONTAINER,
    place::Place,
    pod::{Container, Kind, Pod},
    settings::Settings,
};

/// Most selectors of one key, and most bytes of them. With these, all keys together stay below what the
/// daemon takes in one report; a pod that has more loses that key and no other.
const MAX_EACH: usize = 128;
const MAX_EACH_BYTES: usize = 12 << 10;

/// What is known about the container, from its pod as it is kept.
///
/// # Errors
/// Failed, if the pod does not have the container, or has it twice.
pub(crate) fn report(
    pod: &Pod<'_>,
    place: &Place<'_>,
    settings: &Settings,
) -> Result<Report, Failure> {
    let report = pod_images(labelled(identity(pod), pod), pod);
    if !settings.container_selectors {
        return Ok(report.unknown_each(&CONTAINER, "`container_selectors` is off"));
    }
    let mut claimed = pod.containers.iter().filter(|container| &*container.id == place.id);
    match (claimed.next(), claimed.next()) {
        (Some(container), None) => Ok(container_keys(report, container)),
        (Some(_), Some(_)) => {
            Err(Failure::Failed("the kubelet lists the container under two names".to_owned()))
        }
        (None, _) => Err(Failure::Failed("the pod does not have the container".to_owned())),
    }
}

/// What a pod is from its first day to its last.
fn identity(pod: &Pod<'_>) -> Report {
    let there = |text| Some(text).filter(|text: &&str| !text.is_empty());
    Report::new()
        .selector("ns", &*pod.namespace)
        .selector_each("sa", there(&pod.account))
        .selector("pod-name", &*pod.name)
        .selector("pod-uid", &*pod.uid)
        .selector_each("node-name", there(&pod.node))
        .selector_each("qos-class", there(&pod.qos_class))
        .selector("host-network", pod.host_network)
        .selector("host-pid", pod.host_pid)
}

fn labelled(report: Report, pod: &Pod<'_>) -> Report {
    let labels = pod.labels.iter().map(|(name, value)| (&**name, &**value));
    let owners = || pod.owners.iter();
    let report = each_named(report, "pod-label", labels);
    let report = each_named(report, "pod-owner", owners().map(|o| (&*o.kind, &*o.name)));
    each_named(report, "pod-owner-uid", owners().map(|o| (&*o.kind, &*o.uid)))
}

fn pod_images(report: Report, pod: &Pod<'_>) -> Report {
    Kind::ALL.into_iter().zip(pod.untold).fold(report, |report, (kind, untold)| {
        let (image, count) = match kind {
            Kind::Regular => ("pod-image", "pod-image-count"),
            Kind::Init => ("pod-init-image", "pod-init-image-count"),
            Kind::Ephemeral => ("pod-ephemeral-image", "pod-ephemeral-image-count"),
        };
        let images: Vec<&str> = pod.of_kind(kind).flat_map(images).collect();
        let report = each(report, image, &images);
        if untold > 0 {
            let reason = "the kubelet does not tell of all these containers yet";
            return report.unknown_each(&[image, count], reason);
        }
        let report = report.selector(count, pod.of_kind(kind).count());
        if pod.of_kind(kind).any(|container| container.image_id.is_empty()) {
            return report.unknown(image, "an image is not there yet");
        }
        report
    })
}

/// An image as the runtime has it: mostly once by a tag, and once by digest.
fn images<'c>(container: &'c Container<'_>) -> impl Iterator<Item = &'c str> {
    [&*container.image, &*container.image_id].into_iter().filter(|image| !image.is_empty())
}

fn container_keys(report: Report, container: &Container<'_>) -> Report {
    let report = report
        .selector("container-name", &*container.name)
        .selector("container-kind", container.kind.as_str())
        .selector_each("container-image", images(container));
    match digest(&container.image_id) {
        Some(digest) => report.selector("container-image-digest", digest),
        None => {
            report.unknown("container-image-digest", "the runtime tells no digest of a registry")
        }
    }
}

/// `sha256:<hex>` of `<repository>@sha256:<hex>`. A digest alone is that of the image's configuration
/// on this node.
fn digest(image_id: &str) -> Option<&str> {
    let (_, digest) = image_id.rsplit_once('@')?;
    let hex = digest.strip_prefix("sha256:")?;
    (hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit())).then_some(digest)
}

fn each(report: Report, key: &str, values: &[&str]) -> Report {
    if too_many(values.len(), values.iter().map(|value| value.len()).sum()) {
        return report.unknown(key, TOO_MANY);
    }
    report.selector_each(key, values)
}

fn each_named<'v>(
    report: Report,
    key: &str,
    values: impl Iterator<Item = (&'v str, &'v str)> + Clone,
) -> Report {
    let bytes = values.clone().map(|(name, value)| name.len() + value.len()).sum();
    if too_many(values.clone().count(), bytes) {
        return report.unknown(key, TOO_MANY);
    }
    values.fold(report, |report, (name, value)| report.named(key, name, value))
}

const TOO_MANY: &str = "the pod has more of them than fit into a report";

const fn too_many(values: usize, bytes: usize) -> bool {
    values > MAX_EACH || bytes > MAX_EACH_BYTES
}
