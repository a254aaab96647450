//! The first-party attestors, embedded as components.
//!
//! `builtin:unix` in the configuration means [`find("unix")`](find). A built-in is a plugin like
//! any other: it goes through the same sandbox, grants and limits. This crate holds bytes and what
//! the default configuration says about them, and no logic; `build.rs` compiles `plugins/`.

/// One embedded attestor.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Builtin {
    /// What follows `builtin:` in the configuration, and the name it has if none is configured.
    pub name: &'static str,
    /// The component.
    pub wasm: &'static [u8],
    /// Interfaces that the default configuration grants it; all that its `plugin.toml` requests.
    pub default_grants: &'static [&'static str],
    /// The settings of the default configuration, a JSON object.
    pub default_settings_json: &'static str,
    /// `max_assurance` of the default configuration: the level that the plugin's selectors are
    /// capped at. Raising it above the lowest level among its grants is sound for these plugins,
    /// because each key names the facts it is derived from and their source is ours.
    pub max_assurance: Option<&'static str>,
    /// Endpoints of the default configuration, for those of its requests that lead to the same place
    /// on every host. One that the operator configures under the same name comes in their place.
    pub default_endpoints: &'static [DefaultEndpoint],
}

/// A Unix socket that an attestor asks.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct DefaultEndpoint {
    /// What follows `http:` in the grant.
    pub name: &'static str,
    /// Path of the socket.
    pub unix: &'static str,
    /// What may be asked of it, as patterns.
    pub paths: &'static [&'static str],
}

impl std::fmt::Debug for Builtin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builtin")
            .field("name", &self.name)
            .field("wasm_bytes", &self.wasm.len())
            .field("default_grants", &self.default_grants)
            .field("default_settings_json", &self.default_settings_json)
            .field("max_assurance", &self.max_assurance)
            .field("default_endpoints", &self.default_endpoints)
            .finish()
    }
}

/// All of them, by name.
pub const ALL: &[Builtin] = &[
    Builtin {
        name: "ancestry",
        wasm: include_bytes!(concat!(env!("OUT_DIR"), "/ancestry.wasm")),
        default_grants: &["ancestry"],
        default_settings_json: "{}",
        max_assurance: Some("claimed"),
        default_endpoints: &[],
    },
    Builtin {
        name: "container",
        wasm: include_bytes!(concat!(env!("OUT_DIR"), "/container.wasm")),
        default_grants: &[],
        default_settings_json: "{}",
        max_assurance: Some("kernel"),
        default_endpoints: &[],
    },
    Builtin {
        name: "docker",
        wasm: include_bytes!(concat!(env!("OUT_DIR"), "/docker.wasm")),
        default_grants: &["cache:cgroup", "http:docker"],
        default_settings_json: "{}",
        max_assurance: Some("runtime"),
        default_endpoints: &[DefaultEndpoint {
            name: "docker",
            unix: "/run/docker.sock",
            paths: &["/containers/*/json", "/images/*/json"],
        }],
    },
    Builtin {
        name: "k8s",
        wasm: include_bytes!(concat!(env!("OUT_DIR"), "/k8s.wasm")),
        default_grants: &["cache:plugin", "http:kubelet"],
        default_settings_json: "{}",
        max_assurance: Some("runtime"),
        default_endpoints: &[],
    },
    Builtin {
        name: "lsm",
        wasm: include_bytes!(concat!(env!("OUT_DIR"), "/lsm.wasm")),
        default_grants: &[],
        default_settings_json: "{}",
        max_assurance: Some("kernel"),
        default_endpoints: &[],
    },
    Builtin {
        name: "package",
        wasm: include_bytes!(concat!(env!("OUT_DIR"), "/package.wasm")),
        default_grants: &[
            "cmdline",
            "executable",
            "files.host:/var/lib/dpkg/diversions",
            "files.host:/var/lib/dpkg/info/",
            "files.workload:/app/",
            "files.workload:/home/",
            "files.workload:/opt/",
            "files.workload:/srv/",
            "files.workload:/usr/",
            "files.workload:/var/",
        ],
        default_settings_json: "{}",
        max_assurance: Some("image"),
        default_endpoints: &[],
    },
    Builtin {
        name: "podman",
        wasm: include_bytes!(concat!(env!("OUT_DIR"), "/podman.wasm")),
        default_grants: &["cache:cgroup", "http:podman"],
        default_settings_json: "{}",
        max_assurance: Some("runtime"),
        default_endpoints: &[DefaultEndpoint {
            name: "podman",
            unix: "/run/podman/podman.sock",
            paths: &[
                "/v4.0.0/libpod/containers/*/json",
                "/v4.0.0/libpod/images/*/json",
                "/v4.0.0/libpod/pods/*/json",
            ],
        }],
    },
    Builtin {
        name: "podman-rootless",
        wasm: include_bytes!(concat!(env!("OUT_DIR"), "/podman-rootless.wasm")),
        default_grants: &["cache:process", "http:podman-rootless"],
        default_settings_json: "{}",
        max_assurance: Some("claimed"),
        default_endpoints: &[],
    },
    Builtin {
        name: "privileges",
        wasm: include_bytes!(concat!(env!("OUT_DIR"), "/privileges.wasm")),
        default_grants: &[],
        default_settings_json: "{}",
        max_assurance: Some("kernel"),
        default_endpoints: &[],
    },
    Builtin {
        name: "script",
        wasm: include_bytes!(concat!(env!("OUT_DIR"), "/script.wasm")),
        default_grants: &[
            "cmdline",
            "executable",
            "files.workload:/app/",
            "files.workload:/home/",
            "files.workload:/opt/",
            "files.workload:/srv/",
            "files.workload:/usr/",
            "files.workload:/var/",
        ],
        default_settings_json: "{}",
        max_assurance: Some("image"),
        default_endpoints: &[],
    },
    Builtin {
        name: "slurm",
        wasm: include_bytes!(concat!(env!("OUT_DIR"), "/slurm.wasm")),
        default_grants: &[],
        default_settings_json: "{}",
        max_assurance: Some("kernel"),
        default_endpoints: &[],
    },
    Builtin {
        name: "systemd",
        wasm: include_bytes!(concat!(env!("OUT_DIR"), "/systemd.wasm")),
        default_grants: &[],
        default_settings_json: "{}",
        max_assurance: Some("kernel"),
        default_endpoints: &[],
    },
    Builtin {
        name: "unix",
        wasm: include_bytes!(concat!(env!("OUT_DIR"), "/unix.wasm")),
        default_grants: &["executable"],
        default_settings_json: "{}",
        max_assurance: Some("kernel"),
        default_endpoints: &[],
    },
];

/// The component of a plugin that does next to nothing: what `witgate plugin bench` compares with. No
/// built-in, so no configuration can name it.
pub const EMPTY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/empty.wasm"));

/// The built-in of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Builtin> {
    ALL.iter().find(|builtin| builtin.name == name)
}

/// The guests of `plugins/fixtures`, each of which misbehaves in one way, for tests.
#[cfg(feature = "fixtures")]
pub mod fixtures {
    /// Name and component of each, by name.
    pub const ALL: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/fixtures.rs"));

    /// The component of the fixture of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static [u8]> {
        ALL.iter().find(|(fixture, _)| *fixture == name).map(|(_, wasm)| *wasm)
    }
}
