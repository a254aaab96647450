//! Where the daemon is that a command is about: a flag beats the environment, both beat what is
//! configured.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use witgate_client::{Client, Sockets};
use witgate_daemon::config::{Config, Layout};

use crate::{args::Place, exit::Failure};

/// Names the folder of a one-folder daemon.
const DIR_VARIABLE: &str = "WITGATE_DIR";
/// Names the public socket.
const SOCKET_VARIABLE: &str = "WITGATE_SOCKET";
/// Names the admin socket.
const ADMIN_SOCKET_VARIABLE: &str = "WITGATE_ADMIN_SOCKET";
/// There as long as the system's daemon is.
const SYSTEM_RUNTIME: &str = "/run/witgate";

impl Place {
    /// The folder of a one-folder daemon, if it is one.
    pub(crate) fn folder(&self) -> Result<Option<PathBuf>, Failure> {
        let dir = match (&self.dir, &self.config) {
            (Some(dir), _) => Some(dir.clone()),
            (None, Some(_)) => None,
            (None, None) => variable(DIR_VARIABLE).map(PathBuf::from),
        };
        dir.map(|dir| absolute(&dir)).transpose()
    }

    /// Where this daemon keeps its things.
    pub(crate) fn layout(&self) -> Result<Layout, Failure> {
        Ok(self.named_layout()?.unwrap_or_else(|| own_layout().unwrap_or_else(Layout::system)))
    }

    /// The configuration there, with every mistake in it.
    pub(crate) fn config(&self) -> Result<Config, Failure> {
        Config::read(&self.layout()?).map_err(|errors| {
            let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
            Failure::config(lines.join("\n"))
        })
    }

    /// A client of the public socket.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let named = self.socket_of(self.socket.as_deref(), SOCKET_VARIABLE);
        // The client knows how the value of its variable may be written.
        let sockets = match named {
            Some(socket) => Sockets::from_variables(Some(socket), None),
            None => Sockets::at(self.sockets()?.0),
        };
        Ok(Client::of(sockets))
    }

    /// A client of the socket of brokers: the one that is named, or as configured.
    pub(crate) fn broker_client(&self) -> Result<Client, Failure> {
        if let Some(socket) = &self.socket {
            return Ok(Client::new(socket));
        }
        let layout = self.named_layout()?.unwrap_or_else(running_layout);
        let configured = Config::read(&layout).ok().and_then(|config| config.broker);
        Ok(Client::new(configured.map_or(layout.broker_socket, |broker| broker.listen.path)))
    }

    /// The admin socket.
    pub(crate) fn admin_socket(&self) -> Result<PathBuf, Failure> {
        match self.socket_of(self.admin_socket.as_deref(), ADMIN_SOCKET_VARIABLE) {
            Some(socket) => Ok(socket.into()),
            None => Ok(self.sockets()?.1),
        }
    }

    /// A socket that is named itself: by its flag, or by its variable if no flag says which daemon.
    fn socket_of(&self, flag: Option<&Path>, name: &str) -> Option<OsString> {
        let no_flag = self.dir.is_none() && self.config.is_none();
        flag.map(OsString::from).or_else(|| variable(name).filter(|_| no_flag))
    }

    /// The public socket and the admin socket, as configured if that can be read.
    fn sockets(&self) -> Result<(PathBuf, PathBuf), Failure> {
        let layout = self.named_layout()?.unwrap_or_else(running_layout);
        Ok(match Config::read(&layout) {
            Ok(config) => (config.public.path, config.admin.path),
            Err(_) => (layout.public_socket, layout.admin_socket),
        })
    }

    /// What flags and the environment say.
    fn named_layout(&self) -> Result<Option<Layout>, Failure> {
        if let Some(dir) = self.folder()? {
            return Ok(Some(Layout::below(&dir)));
        }
        let Some(config) = &self.config else { return Ok(None) };
        let config = absolute(config)?;
        let dir = config.parent().map(Path::to_path_buf).unwrap_or_default();
        let (config_dir, entries) = (dir.join("conf.d"), dir.join("entries.d"));
        let lock = dir.join("plugins.lock");
        Ok(Some(Layout { config, config_dir, entries, lock, ..Layout::system() }))
    }
}

/// The daemon that a command without a word about it means: the system's if it is there, else this
/// user's own.
fn running_layout() -> Layout {
    own_layout().filter(|_| !Path::new(SYSTEM_RUNTIME).exists()).unwrap_or_else(Layout::system)
}

/// Where a daemon of this user's own is; root's is the system's.
fn own_layout() -> Option<Layout> {
    let runtime = variable("XDG_RUNTIME_DIR")?;
    let root = rustix::process::geteuid().is_root();
    (!root).then(|| Layout::unprivileged(Path::new(&runtime)))
}

/// A variable of the environment; an empty one counts as absent.
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path)
        .map_err(|error| Failure::config(format!("{}: {error}", path.display())))
}
