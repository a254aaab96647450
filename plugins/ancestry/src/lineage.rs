use witgate_sdk::facts::ancestry::Ancestor;

/// The parents, as far as the daemon climbed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lineage<'a>(pub(crate) &'a [Ancestor]);

/// Most parents that the daemon reads: where there are so many there may be more.
const MOST: usize = 16;

/// Why what is not found may still be there.
pub(crate) const CUT: &str = "there may be more parents than the daemon looks at";

/// Where the privileged part of OpenSSH's server is installed, before and since its version 9.8.
const SSH_SERVERS: [&str; 6] = [
    "/usr/bin/sshd",
    "/usr/lib/openssh/sshd-session",
    "/usr/lib/ssh/sshd-session",
    "/usr/libexec/openssh/sshd-session",
    "/usr/libexec/sshd-session",
    "/usr/sbin/sshd",
];

/// What the runtimes leave running between themselves and a container.
const SHIMS: [&str; 4] = ["conmon", "conmonrs", "containerd-shim", "containerd-shim-runc-v1"];

/// The one of today, and those of other makes that follow its rule for names.
const SHIM_PREFIX: &str = "containerd-shim-";

impl<'a> Lineage<'a> {
    /// Why not all parents are known, if so: then what is not found may still be there.
    pub(crate) fn gap(self) -> Option<&'static str> {
        if self.is_cut() {
            return Some(CUT);
        }
        let unreadable = self.0.iter().any(|ancestor| ancestor.executable.is_none());
        unreadable.then_some("the program of a parent cannot be read")
    }

    /// Whether the daemon stopped climbing before the first process.
    pub(crate) const fn is_cut(self) -> bool {
        self.0.len() >= MOST
    }

    /// Whether one of them is the privileged part of an SSH server.
    pub(crate) fn within_ssh(self) -> bool {
        let server = |ancestor: &Ancestor| {
            let path = ancestor.executable.as_deref();
            ancestor.uid == 0 && path.is_some_and(|path| SSH_SERVERS.contains(&path))
        };
        self.0.iter().any(server)
    }

    /// What the runtime nearest to the first process started, if there is one.
    pub(crate) fn runtime_child(self) -> Option<RuntimeChild<'a>> {
        let shim = self.0.iter().rposition(is_shim)?;
        let Some(child) = shim.checked_sub(1) else { return Some(RuntimeChild::Itself) };
        self.0.get(child).map(RuntimeChild::Ancestor)
    }
}

/// What a container runtime started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RuntimeChild<'a> {
    /// The process that is attested.
    Itself,
    /// One of its parents.
    Ancestor(&'a Ancestor),
}

fn is_shim(ancestor: &Ancestor) -> bool {
    let Some(path) = ancestor.executable.as_deref() else { return false };
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    SHIMS.contains(&name) || name.starts_with(SHIM_PREFIX)
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn ancestor(uid: u32, path: &str) -> Ancestor {
        let executable = (!path.is_empty()).then(|| path.to_owned());
        Ancestor { uid, gid: uid, comm: Vec::new(), executable, start_time: 1 }
    }

    fn lineage(paths: &[&str]) -> Vec<Ancestor> {
        paths.iter().map(|path| ancestor(0, path)).collect()
    }

    fn child(paths: &[&str]) -> Option<String> {
        let ancestors = lineage(paths);
        Lineage(&ancestors).runtime_child().map(|child| match child {
            RuntimeChild::Itself => "itself".to_owned(),
            RuntimeChild::Ancestor(ancestor) => ancestor.executable.clone().unwrap_or_default(),
        })
    }

    #[test]
    fn an_ssh_server_is_roots() {
        for (uid, path, is) in [
            (0, "/usr/sbin/sshd", true),
            (0, "/usr/lib/openssh/sshd-session", true),
            (1000, "/usr/sbin/sshd", false),
            (0, "/home/x/usr/sbin/sshd", false),
            (0, "/usr/sbin/sshd (deleted)", false),
            (0, "", false),
        ] {
            let ancestors = [ancestor(1000, "/bin/bash"), ancestor(uid, path)];
            assert_eq!(Lineage(&ancestors).within_ssh(), is, "{uid} {path}");
        }
    }

    #[test]
    fn the_outermost_runtime_counts() {
        let shim = "/usr/bin/containerd-shim-runc-v2";
        assert_eq!(child(&[shim, "/lib/systemd/systemd"]).as_deref(), Some("itself"));
        assert_eq!(child(&["/bin/sh", "/bin/tini", shim]).as_deref(), Some("/bin/tini"));
        let nested = ["/app", "/usr/bin/conmon", "/sbin/init", shim, "/lib/systemd/systemd"];
        assert_eq!(child(&nested).as_deref(), Some("/sbin/init"));
        for none in ["/usr/bin/conmon2", "/x/conmon/y", "/usr/bin/containerd", "", "(deleted)"] {
            assert_eq!(child(&["/bin/sh", none]), None, "{none}");
        }
    }

    #[test]
    fn what_was_not_seen_is_a_gap() {
        assert_eq!(Lineage(&[]).gap(), None);
        assert_eq!(Lineage(&lineage(&["/a"; 15])).gap(), None);
        assert!(Lineage(&lineage(&["/a"; 16])).gap().is_some());
        assert!(Lineage(&lineage(&["/a", "", "/b"])).gap().is_some());
    }
}
