use witgate_sdk::{
    containers::{shallowest, within_kubepods},
    facts::{cgroups::TrustedEntry, namespaces::Namespace},
};

/// Whether the process runs on the host itself: in the host's own pid and user namespace, and on no
/// hierarchy in the control group of a container or pod.
///
/// # Errors
/// If these facts do not tell.
pub(crate) fn on_host(
    namespaces: &[Namespace],
    hierarchies: &[TrustedEntry],
) -> Result<bool, &'static str> {
    let own = |kind: &str| {
        let found = namespaces.iter().find(|namespace| namespace.kind == kind);
        found.map(|namespace| namespace.host).ok_or("a namespace of the process is not known")
    };
    // A namespace of its own is enough for a no, whatever else is not known.
    let (pid, user) = (own("pid"), own("user"));
    if pid == Ok(false) || user == Ok(false) {
        return Ok(false);
    }
    pid.and(user)?;
    let mut mounted = hierarchies.iter().filter(|entry| entry.mounted).peekable();
    if mounted.peek().is_none() {
        return Err("no control group hierarchy is mounted where the daemon runs");
    }
    let mut foreign = false;
    for entry in mounted {
        match shallowest(&entry.prefix) {
            Ok(None) if !within_kubepods(&entry.prefix) => {}
            Ok(_) => return Ok(false),
            Err(_) => foreign = true,
        }
    }
    if foreign { Err("its control group was read from another cgroup namespace") } else { Ok(true) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespaces(pid: bool, user: bool) -> Vec<Namespace> {
        let one = |kind: &str, host| Namespace { kind: kind.to_owned(), inode: 1, host };
        vec![one("mnt", false), one("pid", pid), one("user", user)]
    }

    fn mounted(prefixes: &[&str]) -> Vec<TrustedEntry> {
        let entry = |prefix: &&str| TrustedEntry {
            hierarchy: 0,
            controllers: Vec::new(),
            prefix: (*prefix).to_owned(),
            delegated: false,
            mounted: true,
        };
        prefixes.iter().map(entry).collect()
    }

    #[test]
    fn a_service_and_a_session_are_on_the_host_whatever_their_mount_namespace() {
        let own = namespaces(true, true);
        for path in ["/", "/system.slice/nginx.service", "/user.slice/user-1000.slice"] {
            assert_eq!(on_host(&own, &mounted(&["/", path])), Ok(true), "{path}");
        }
    }

    #[test]
    fn a_namespace_of_its_own_is_not_the_host() {
        let anywhere = mounted(&["/"]);
        for (pid, user) in [(false, true), (true, false), (false, false)] {
            assert_eq!(on_host(&namespaces(pid, user), &anywhere), Ok(false));
        }
        let only_user = &namespaces(true, false)[2..];
        assert_eq!(on_host(only_user, &anywhere), Ok(false));
    }

    #[test]
    fn a_container_with_the_host_s_namespaces_is_not_the_host() {
        let id = "4d".repeat(32);
        for path in [
            format!("/docker/{id}"),
            format!("/machine.slice/libpod-{id}.scope"),
            "/kubepods.slice/kubepods-burstable.slice".to_owned(),
            format!("/kubepods/pod{}", "ab".repeat(16)),
        ] {
            let hierarchies = mounted(&["/", &path]);
            assert_eq!(on_host(&namespaces(true, true), &hierarchies), Ok(false), "{path}");
        }
    }

    #[test]
    fn what_cannot_be_told_is_not_guessed() {
        let own = namespaces(true, true);
        assert!(on_host(&own[..2], &mounted(&["/"])).is_err());
        assert!(on_host(&[], &mounted(&["/"])).is_err());
        assert!(on_host(&own, &[]).is_err());
        assert!(on_host(&own, &mounted(&["/", "/../x"])).is_err());
        let mut unmounted = mounted(&["/"]);
        unmounted[0].mounted = false;
        assert!(on_host(&own, &unmounted).is_err());
        let container = format!("/docker/{}", "0".repeat(64));
        assert_eq!(on_host(&own, &mounted(&["/../x", &container])), Ok(false));
    }
}
