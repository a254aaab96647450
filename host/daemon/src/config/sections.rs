//! The sections of the configuration, each beside its defaults.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use witgate_attestor::CallFilter;
use witgate_endpoints::EndpointConfig;
use witgate_facts::Credentials;
use witgate_identity::{NodeName, TrustDomain};
use witgate_peer::OtherSenders;
use witgate_protocol::limits as protocol;

use super::{
    Config, ConfigError, DEV_TRUST_DOMAIN, Layout, PluginConfig, broker::PartialBroker, endpoints,
    supply::PartialSupply, table::Table,
};
use crate::inputs::Inputs;

/// Mode of the public socket: any local process may ask about itself.
const PUBLIC_MODE: u32 = 0o666;
/// Mode of the admin socket: root and its group; the callers are checked besides.
const ADMIN_MODE: u32 = 0o660;
/// Default size of one audit file.
const AUDIT_FILE_MIB: u64 = 64;
/// Default number of audit files kept.
const AUDIT_FILES: u32 = 16;
/// Default memory of recent decisions.
const RING_MIB: u64 = 16;

/// Whether files are watched if nothing is said. What has changed then takes effect without a
/// command, which is what whoever drops a plugin into a folder expects; and nothing takes effect
/// that is not valid as a whole. Whoever rolls out several files over some time, which are only
/// right together, switches it off and reloads at the end.
const WATCH: bool = true;

/// A listening Unix socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenConfig {
    /// Its path.
    pub path: PathBuf,
    /// Its permission bits.
    pub mode: u32,
    /// What becomes of bytes that another process wrote than the one that connected.
    pub other_senders: OtherSenders,
}

/// Uids and gids that share a role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roles {
    /// User ids.
    pub uids: Vec<u32>,
    /// Group ids, primary or supplementary.
    pub gids: Vec<u32>,
}

impl Roles {
    /// Whether a process with these credentials is listed.
    pub(crate) fn list(&self, credentials: &Credentials) -> bool {
        let Credentials { uid, gid, groups } = credentials;
        self.uids.contains(uid) || self.gids.iter().any(|id| id == gid || groups.contains(id))
    }
}

/// Who may use the admin socket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AdminAccess {
    /// May look.
    pub view: Roles,
    /// May look, ask about other processes, and reload. Root and the daemon's own uid always may.
    pub admin: Roles,
}

/// How much, how many, how long. Every limit is on; these only set it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Open connections of one (uid, cgroup); a uid has four times as many.
    pub connections_per_bucket: usize,
    /// Open connections in all.
    pub connections_total: usize,
    /// New connections and requests of one (uid, cgroup) in a second.
    pub requests_per_second: u32,
    /// How many may come at once.
    pub request_burst: u32,
    /// Accept to answer.
    pub decision_timeout: Duration,
    /// Memory for recent decisions, in bytes.
    pub ring_bytes: usize,
}

/// The audit log's size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditLimits {
    /// Bytes after which a new file begins.
    pub max_file_bytes: u64,
    /// Files that are kept.
    pub max_files: u32,
}

/// What one file says; everything may be absent.
#[derive(Debug, Default)]
pub(super) struct Partial {
    trust_domain: Option<TrustDomain>,
    node: Option<NodeName>,
    labels: BTreeMap<String, String>,
    strict_plugins: Option<bool>,
    allow_legacy_kernel: Option<bool>,
    call_filter: Option<CallFilter>,
    public: PartialListen,
    admin: PartialListen,
    broker: PartialBroker,
    view: Option<Roles>,
    administer: Option<Roles>,
    connections_per_bucket: Option<usize>,
    connections_total: Option<usize>,
    requests_per_second: Option<u32>,
    request_burst: Option<u32>,
    decision_timeout_ms: Option<u64>,
    ring_mib: Option<u64>,
    audit_file_mib: Option<u64>,
    audit_files: Option<u32>,
    plugins: Vec<PluginConfig>,
    endpoints: Vec<EndpointConfig>,
    supply: PartialSupply,
    watch: Option<bool>,
}

#[derive(Debug, Default)]
pub(super) struct PartialListen {
    path: Option<PathBuf>,
    mode: Option<u32>,
    other_senders: Option<OtherSenders>,
}

impl Partial {
    /// Reads one file's top level.
    pub(super) fn read(table: &mut Table<'_>) -> Self {
        let mut partial = Self {
            trust_domain: table.convert("trust_domain", |text: String| TrustDomain::new(&text)),
            strict_plugins: table.take("strict_plugins"),
            allow_legacy_kernel: table.take("allow_legacy_kernel"),
            ..Self::default()
        };
        table.table("host", |host| {
            partial.node = host.convert("name", |text: String| NodeName::new(&text));
            partial.labels = host.take("labels").unwrap_or_default();
        });
        table.table("process", |process| {
            partial.call_filter = process.convert("seccomp", |word: String| call_filter(&word));
        });
        table.table("listen", |listen| {
            partial.public = listen.table("public", |public| PartialListen {
                other_senders: public.convert("other_senders", |word: String| other_senders(&word)),
                ..PartialListen::read(public)
            });
            listen.table("admin", |admin| {
                partial.admin = PartialListen::read(admin);
                partial.view = read_roles(admin, "view");
                partial.administer = read_roles(admin, "admin");
            });
            let broker = listen.table("broker", PartialBroker::read);
            partial.broker = if listen.has("broker") { broker } else { PartialBroker::default() };
        });
        table.table("limits", |limits| partial.read_limits(limits));
        table.table("audit", |audit| {
            partial.audit_file_mib = audit.convert("max_file_mib", positive);
            partial.audit_files = audit.convert("max_files", positive);
        });
        partial.plugins =
            table.tables("plugins", PluginConfig::read).into_iter().flatten().collect();
        partial.endpoints =
            table.tables("endpoints", endpoints::read).into_iter().flatten().collect();
        partial.supply = table.table("supply", PartialSupply::read);
        partial.watch = table.table("reload", |reload| reload.take("watch"));
        partial
    }

    fn read_limits(&mut self, limits: &mut Table<'_>) {
        self.connections_per_bucket = limits.convert("connections_per_bucket", positive);
        self.connections_total = limits.convert("connections_total", positive);
        self.requests_per_second = limits.convert("requests_per_second", positive);
        self.request_burst = limits.convert("request_burst", positive);
        self.decision_timeout_ms = limits.convert("decision_timeout_ms", positive);
        self.ring_mib = limits.convert("decision_ring_mib", positive);
    }

    /// Puts a later file over this one, key by key.
    pub(super) fn overlay(&mut self, later: Self) {
        over(&mut self.trust_domain, later.trust_domain);
        over(&mut self.node, later.node);
        self.labels.extend(later.labels);
        over(&mut self.strict_plugins, later.strict_plugins);
        over(&mut self.allow_legacy_kernel, later.allow_legacy_kernel);
        over(&mut self.call_filter, later.call_filter);
        self.public.overlay(later.public);
        self.admin.overlay(later.admin);
        self.broker.overlay(later.broker);
        over(&mut self.view, later.view);
        over(&mut self.administer, later.administer);
        over(&mut self.connections_per_bucket, later.connections_per_bucket);
        over(&mut self.connections_total, later.connections_total);
        over(&mut self.requests_per_second, later.requests_per_second);
        over(&mut self.request_burst, later.request_burst);
        over(&mut self.decision_timeout_ms, later.decision_timeout_ms);
        over(&mut self.ring_mib, later.ring_mib);
        over(&mut self.audit_file_mib, later.audit_file_mib);
        over(&mut self.audit_files, later.audit_files);
        for plugin in later.plugins {
            self.plugins.retain(|earlier| earlier.name != plugin.name);
            self.plugins.push(plugin);
        }
        for endpoint in later.endpoints {
            self.endpoints.retain(|earlier| earlier.name() != endpoint.name());
            self.endpoints.push(endpoint);
        }
        self.supply.overlay(later.supply);
        over(&mut self.watch, later.watch);
    }

    /// Fills in the defaults; only the trust domain has none, except in one folder.
    pub(super) fn complete(
        mut self,
        layout: &Layout,
        errors: &mut Vec<ConfigError>,
    ) -> Option<Config> {
        let domain = self.trust_domain.clone().or_else(|| {
            layout.one_folder.then(|| TrustDomain::new(DEV_TRUST_DOMAIN).ok()).flatten()
        });
        let Some(trust_domain) = domain else {
            // Only if nothing else is wrong: a file that could not be read may well hold it.
            if errors.is_empty() {
                errors.push(ConfigError {
                    file: layout.config.display().to_string(),
                    line: None,
                    key: "trust_domain".to_owned(),
                    message: "missing; name the root of your identities, such as example.org"
                        .to_owned(),
                });
            }
            return None;
        };
        let limits = self.limits();
        let broker = self.broker.complete(layout, errors);
        self.plugins.iter().for_each(|plugin| plugin.check(layout.one_folder, errors));
        endpoints::add_defaults(&self.plugins, &mut self.endpoints);
        // An endpoint that has a mistake is not among them, which is no second mistake.
        if errors.is_empty() {
            endpoints::check_granted(&self.plugins, &self.endpoints, errors);
        }
        Some(Config {
            trust_domain,
            node: self.node.unwrap_or_else(own_name),
            labels: self.labels,
            strict_plugins: self.strict_plugins.unwrap_or(false),
            allow_legacy_kernel: self.allow_legacy_kernel.unwrap_or(false),
            call_filter: self.call_filter.unwrap_or(CallFilter::Required),
            public: self.public.complete(&layout.public_socket, PUBLIC_MODE),
            admin: self.admin.complete(&layout.admin_socket, ADMIN_MODE),
            access: AdminAccess {
                view: self.view.unwrap_or_default(),
                admin: self.administer.unwrap_or_default(),
            },
            broker,
            limits,
            audit: AuditLimits {
                max_file_bytes: self.audit_file_mib.unwrap_or(AUDIT_FILE_MIB) << 20,
                max_files: self.audit_files.unwrap_or(AUDIT_FILES),
            },
            plugins: if self.plugins.is_empty() { builtins() } else { self.plugins },
            endpoints: self.endpoints,
            supply: self.supply.complete(errors),
            watch: self.watch.unwrap_or(WATCH),
            inputs: Inputs::default(),
            layout: layout.clone(),
        })
    }

    fn limits(&self) -> Limits {
        let ring = self.ring_mib.unwrap_or(RING_MIB) << 20;
        Limits {
            connections_per_bucket: self
                .connections_per_bucket
                .unwrap_or(protocol::CONNECTIONS_PER_BUCKET),
            connections_total: self.connections_total.unwrap_or(protocol::CONNECTIONS_TOTAL),
            requests_per_second: self.requests_per_second.unwrap_or(protocol::REQUESTS_PER_SECOND),
            request_burst: self.request_burst.unwrap_or(protocol::REQUESTS_BURST),
            decision_timeout: self
                .decision_timeout_ms
                .map_or(protocol::DECISION_DEADLINE, Duration::from_millis),
            ring_bytes: usize::try_from(ring).unwrap_or(usize::MAX),
        }
    }
}

/// Puts what a later file says over what an earlier one does, if it says anything.
pub(super) fn over<T>(this: &mut Option<T>, later: Option<T>) {
    if later.is_some() {
        *this = later;
    }
}

impl PartialListen {
    pub(super) fn overlay(&mut self, later: Self) {
        over(&mut self.path, later.path);
        over(&mut self.mode, later.mode);
        over(&mut self.other_senders, later.other_senders);
    }

    pub(super) fn read(table: &mut Table<'_>) -> Self {
        Self {
            path: table.convert("path", |path: PathBuf| {
                path.is_absolute().then_some(path).ok_or("the path of a socket must be absolute")
            }),
            mode: table.convert("mode", |text: String| {
                u32::from_str_radix(&text, 8)
                    .ok()
                    .filter(|mode| *mode <= 0o777)
                    .ok_or("permission bits are a string of octal digits, such as \"0666\"")
            }),
            other_senders: None,
        }
    }

    pub(super) fn complete(self, path: &std::path::Path, mode: u32) -> ListenConfig {
        ListenConfig {
            path: self.path.unwrap_or_else(|| path.to_path_buf()),
            mode: self.mode.unwrap_or(mode),
            other_senders: self.other_senders.unwrap_or_default(),
        }
    }
}

fn other_senders(word: &str) -> Result<OtherSenders, &'static str> {
    match word {
        "refuse" => Ok(OtherSenders::Refused),
        "allow" => Ok(OtherSenders::Allowed),
        _ => Err("it is \"refuse\" or \"allow\""),
    }
}

fn call_filter(word: &str) -> Result<CallFilter, &'static str> {
    match word {
        "required" => Ok(CallFilter::Required),
        "off" => Ok(CallFilter::Off),
        _ => Err("it is \"required\" or \"off\""),
    }
}

fn read_roles(table: &mut Table<'_>, key: &'static str) -> Option<Roles> {
    table.table(key, |roles| {
        let uids: Option<Vec<u32>> = roles.take("uids");
        let gids: Option<Vec<u32>> = roles.take("gids");
        (uids.is_some() || gids.is_some())
            .then(|| Roles { uids: uids.unwrap_or_default(), gids: gids.unwrap_or_default() })
    })
}

/// No limit can be switched off, so none can be zero.
fn positive<T: Default + PartialEq>(number: T) -> Result<T, &'static str> {
    if number == T::default() {
        Err("must be at least 1; no limit can be switched off")
    } else {
        Ok(number)
    }
}

/// The first-party attestors, if no plugin is configured at all.
fn builtins() -> Vec<PluginConfig> {
    ["unix", "container"].iter().filter_map(|name| PluginConfig::builtin(name).ok()).collect()
}

fn own_name() -> NodeName {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    NodeName::from_hostname(name.trim())
}
