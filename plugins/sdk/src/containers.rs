//! Where on the path of a control group a container begins.
//!
//! A path is read from the root, component by component, and each component is matched as a whole:
//! the first that *is* a container's control group, in the spelling of one of the runtimes, is the
//! answer. What lies below it was made by whoever is inside, and may be named like anything.
//!
//! Give it only paths that nobody but root could have made, `trusted-entry.prefix` of the
//! interface `cgroups`: a name proves nothing, who made it does.

mod locate;

pub use self::locate::{Located, NestedBelow, locate};

/// A runtime that can be told from the spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runtime {
    /// containerd, under Kubernetes, nerdctl or ctr.
    Containerd,
    /// CRI-O.
    CriO,
    /// Docker.
    Docker,
    /// Podman.
    Podman,
}

impl Runtime {
    /// Its name in selectors.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Containerd => "containerd",
            Self::CriO => "cri-o",
            Self::Docker => "docker",
            Self::Podman => "podman",
        }
    }

    /// What it puts before the id of a container in `<prefix>-<id>.scope` and the like.
    fn of_prefix(prefix: &str) -> Option<Self> {
        match prefix {
            "cri-containerd" | "nerdctl" => Some(Self::Containerd),
            "crio" => Some(Self::CriO),
            "docker" => Some(Self::Docker),
            // The second under systemd with `--cgroups=split`, as every Quadlet unit has it.
            "libpod" | "libpod-payload" => Some(Self::Podman),
            _ => None,
        }
    }

    /// Whose a bare `<id>` is, by the directory above it.
    fn of_parent(parent: &str) -> Option<Self> {
        match parent {
            "default" | "k8s.io" => Some(Self::Containerd),
            "docker" => Some(Self::Docker),
            "libpod" => Some(Self::Podman),
            _ => None,
        }
    }
}

/// A container, as far as a path tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Container<'p> {
    /// 64 lower-case hexadecimal digits.
    pub id: &'p str,
    /// Who runs it; several runtimes share the spelling `<id>`.
    pub runtime: Option<Runtime>,
    /// The Kubernetes pod around it, as on the path: with dashes or with underscores. A static pod
    /// has a digest in place of a uid there, and so none here.
    pub pod: Option<&'p str>,
    /// The path up to and with the container's own component ends here.
    pub end: usize,
}

impl Container<'_> {
    /// The pod's uid as Kubernetes writes it.
    #[must_use]
    pub fn pod_uid(&self) -> Option<String> {
        self.pod.map(|pod| pod.replace('_', "-"))
    }
}

/// Why a path is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAbsolute;

/// The container nearest to the root, if the path leads into one.
///
/// # Errors
/// If the path does not begin with a slash or climbs (`/../…`): it was read from another cgroup
/// namespace, and nobody can say what it means here.
pub fn shallowest(path: &str) -> Result<Option<Container<'_>>, NotAbsolute> {
    let inside = path.strip_prefix('/').ok_or(NotAbsolute)?;
    let mut pod = None;
    let mut parent = "";
    let mut start = 1;
    for component in inside.split('/') {
        if component == ".." {
            return Err(NotAbsolute);
        }
        let end = start + component.len();
        if let Some((id, runtime)) = container(component, parent, &path[end..]) {
            pod = pod.or_else(|| pod_on_the_left(component));
            return Ok(Some(Container { id, runtime, pod, end }));
        }
        pod = pod.or_else(|| pod_of(component));
        parent = component;
        start = end + 1;
    }
    Ok(None)
}

/// Whether the path leads below the kubelet's own control group, be it into a container or not.
#[must_use]
pub fn within_kubepods(path: &str) -> bool {
    let kubelet = |component: &str| {
        let group = component.split(':').next().unwrap_or_default();
        matches!(group, "kubepods" | "kubepods.slice" | "kubelet-kubepods.slice")
            || pod_of(group).is_some()
    };
    path.split('/').any(kubelet)
}

/// Whether a component is a container's, with its id.
fn container<'p>(
    component: &'p str,
    parent: &str,
    below: &str,
) -> Option<(&'p str, Option<Runtime>)> {
    if is_id(component) {
        return (!is_podman_pod(parent, below)).then(|| (component, Runtime::of_parent(parent)));
    }
    // `docker-<id>.scope` under systemd, `crio-<id>` and `libpod-<id>` under cgroupfs, and
    // `<slice>:cri-containerd:<id>` where the runtime and the kubelet do not agree on the driver.
    let name = component.strip_suffix(".scope").unwrap_or(component);
    let (head, id) = name.split_at_checked(name.len().checked_sub(ID_LEN)?)?;
    if !is_id(id) {
        return None;
    }
    if head.is_empty() {
        return Some((id, None));
    }
    let prefix = match head.strip_suffix(':') {
        Some(scope) => scope.split_once(':').filter(|(slice, _)| slice.ends_with(".slice"))?.1,
        None => head.strip_suffix('-')?,
    };
    Runtime::of_prefix(prefix).map(|runtime| (id, Some(runtime)))
}

/// Podman on cgroupfs names a pod like a container, and its containers below it `libpod-<id>`.
fn is_podman_pod(parent: &str, below: &str) -> bool {
    parent == "libpod_parent" && below.starts_with("/libpod-")
}

/// Length of an id in hexadecimal digits.
const ID_LEN: usize = 64;

fn is_id(text: &str) -> bool {
    text.len() == ID_LEN && text.bytes().all(is_hex)
}

const fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// The pod in the same component as the container: `<slice of the pod>:cri-containerd:<id>`.
fn pod_on_the_left(component: &str) -> Option<&str> {
    pod_of(component.split_once(':')?.0)
}

/// The pod whose control group this is: `pod<uid>` under cgroupfs, `kubepods-…-pod<uid>.slice`
/// under systemd.
fn pod_of(component: &str) -> Option<&str> {
    let uid = match component.strip_suffix(".slice") {
        Some(slice) => slice.rsplit_once("-pod").map(|(_, uid)| uid)?,
        None => component.strip_prefix("pod")?,
    };
    is_uid(uid).then_some(uid)
}

/// 8-4-4-4-12 hexadecimal digits; systemd does not allow the dashes, so they are underscores there.
fn is_uid(text: &str) -> bool {
    const DASHES: [usize; 4] = [8, 13, 18, 23];
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match byte {
            b'-' | b'_' => DASHES.contains(&at),
            _ => is_hex(byte) && !DASHES.contains(&at),
        })
}

#[cfg(test)]
mod tests;
