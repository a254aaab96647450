use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

use crate::{ClientError, Tried};

/// The environment variable that names the socket: a path, or `unix://` and a path.
pub const SOCKET_VARIABLE: &str = "WITGATE_SOCKET";
/// Where the system's daemon listens.
pub const SYSTEM_SOCKET: &str = "/run/witgate/public/api.sock";
/// Where the system's daemon listens for brokers, if it is configured to.
pub const SYSTEM_BROKER_SOCKET: &str = "/run/witgate/broker/broker.sock";
/// Where that socket is below a one-folder daemon's folder.
pub const BROKER_SOCKET: &str = "broker/broker.sock";
/// Where the socket is below a one-folder daemon's folder or a runtime folder.
pub const PUBLIC_SOCKET: &str = "public/api.sock";

/// The places where a daemon may be, in the order in which they are tried.
///
/// The next place is tried only if there is nothing at one. A socket on which nobody listens, or
/// that we may not use, ends the search: the daemon that belongs there is the one meant, and
/// another's answer would come from another set of entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sockets(Vec<PathBuf>);

impl Sockets {
    /// Exactly this one.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(vec![path.into()])
    }

    /// The one-folder daemon's (`witgate serve --dir DIR`).
    #[must_use]
    pub fn in_dir(dir: &Path) -> Self {
        Self::at(dir.join(PUBLIC_SOCKET))
    }

    /// The first of these at which there is anything.
    #[must_use]
    pub fn first_of(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        Self(paths.into_iter().collect())
    }

    /// What the environment says, else the system's daemon, else this user's.
    #[must_use]
    pub fn from_env() -> Self {
        Self::from_variables(std::env::var_os(SOCKET_VARIABLE), std::env::var_os("XDG_RUNTIME_DIR"))
    }

    /// The same of given values; an empty one counts as absent.
    #[must_use]
    pub fn from_variables(socket: Option<OsString>, runtime_dir: Option<OsString>) -> Self {
        if let Some(socket) = socket.filter(|value| !value.is_empty()) {
            let path = socket.to_str().and_then(|text| text.strip_prefix("unix://"));
            return Self(vec![path.map_or_else(|| PathBuf::from(&socket), PathBuf::from)]);
        }
        let user = runtime_dir.filter(|value| !value.is_empty());
        let user = user.map(|dir| Path::new(&dir).join("witgate").join(PUBLIC_SOCKET));
        Self([Some(PathBuf::from(SYSTEM_SOCKET)), user].into_iter().flatten().collect())
    }

    /// The places.
    #[must_use]
    pub fn paths(&self) -> &[PathBuf] {
        &self.0
    }
}

/// What to do about a connect that failed: `Ok` to go on with the next place.
pub(crate) fn go_on(
    tried: &mut Vec<Tried>,
    path: &Path,
    source: io::Error,
) -> Result<(), ClientError> {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            tried.push(Tried { path, source });
            Ok(())
        }
        io::ErrorKind::ConnectionRefused => {
            tried.push(Tried { path, source });
            Err(ClientError::NotRunning { tried: std::mem::take(tried) })
        }
        io::ErrorKind::PermissionDenied => Err(ClientError::NoPermission { path }),
        _ => Err(ClientError::Io { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(socket: &str, runtime: &str) -> Vec<String> {
        let value = |text: &str| Some(OsString::from(text)).filter(|_| text != "-");
        let found = Sockets::from_variables(value(socket), value(runtime));
        found.paths().iter().map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn the_environment_wins_then_the_system_then_the_user() {
        let system = SYSTEM_SOCKET.to_owned();
        assert_eq!(paths("/x/s", "/run/user/1"), ["/x/s"]);
        assert_eq!(paths("unix:///x/s", "-"), ["/x/s"]);
        let user = "/run/user/1/witgate/public/api.sock".to_owned();
        assert_eq!(paths("-", "/run/user/1"), [system, user]);
        for (socket, runtime) in [("", ""), ("-", "-")] {
            assert_eq!(paths(socket, runtime), [SYSTEM_SOCKET]);
        }
        let dir = Sockets::in_dir(Path::new("/d"));
        assert_eq!(dir.paths(), [PathBuf::from("/d/public/api.sock")]);
    }
}
