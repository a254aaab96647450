use witgate_sdk::{Key, Manifest};

use crate::settings;

/// Keys that are derived from one and the same fact.
pub(crate) type Keys = &'static [&'static str];

/// From `process.credentials`.
pub(crate) const CREDENTIALS: Keys = &["uid", "gid", "supplementary_gid"];
/// From `process.names`.
pub(crate) const NAMES: Keys = &["user", "group", "supplementary_group"];
/// From `namespaces.all` and `cgroups.trusted`.
pub(crate) const HOST: Keys = &["host"];
/// From `executable.doubts`.
pub(crate) const DOUBTS: Keys = &["doubt"];
/// From `executable.info`.
pub(crate) const PROGRAM: Keys = &["path", "foreign_path"];
/// From `executable.sha256`.
pub(crate) const SHA256: Keys = &["sha256"];

/// All that say something about the executable.
pub(crate) const EXECUTABLE: [Keys; 3] = [DOUBTS, PROGRAM, SHA256];

const ALL: [Keys; 6] = [CREDENTIALS, NAMES, HOST, DOUBTS, PROGRAM, SHA256];

/// The keys that somebody wants in this call.
#[derive(Debug, Clone)]
pub(crate) struct Wanted(Vec<&'static str>);

impl Wanted {
    /// Those of which `wants` says so.
    pub(crate) fn new(wants: impl Fn(&str) -> bool) -> Self {
        Self(ALL.into_iter().flatten().copied().filter(|key| wants(key)).collect())
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.0.contains(&key)
    }

    pub(crate) fn has_any(&self, keys: Keys) -> bool {
        keys.iter().any(|key| self.has(key))
    }
}

/// Everything that can be reported.
pub(crate) fn manifest() -> Manifest {
    let credentials = |key: Key| key.derived_from(&["process.credentials"]).stable();
    let names = |key: Key| key.derived_from(&["process.names"]).stable();
    let program = |key: Key| key.derived_from(&["executable.info"]).single();
    [
        credentials(Key::new("uid", "effective user id", "1000")).single(),
        names(Key::new("user", "its name in the host's user database", "www-data")).single(),
        credentials(Key::new("gid", "effective group id", "1000")).single(),
        names(Key::new("group", "its name in the host's group database", "www-data")).single(),
        credentials(Key::new("supplementary_gid", "a supplementary group's id", "998")),
        names(Key::new("supplementary_group", "a supplementary group's name", "docker")),
        Key::new("host", "in no container: the host's own pid and user namespace", "true")
            .derived_from(&["namespaces.all", "cgroups.trusted"])
            .single(),
        Key::new("doubt", "what speaks against taking it for its executable", "traced")
            .derived_from(&["executable.doubts"]),
        program(Key::new("path", "executable, if it is the host's own file", "/usr/sbin/nginx")),
        program(Key::new("foreign_path", "executable, if it is another file", "/usr/sbin/nginx")),
        Key::new("sha256", "digest of the executable", EXAMPLE_SHA256)
            .derived_from(&["executable.sha256"])
            .single(),
    ]
    .into_iter()
    .fold(Manifest::new(), Manifest::key)
    .config_schema(settings::SCHEMA)
}

const EXAMPLE_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_declared_once_and_belongs_to_a_fact() {
        let declared: Vec<String> =
            manifest().keys().iter().map(|key| key.word().to_owned()).collect();
        let mut derived: Vec<&str> = ALL.into_iter().flatten().copied().collect();
        derived.sort_unstable();
        let mut sorted = declared.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, derived);
    }
}
