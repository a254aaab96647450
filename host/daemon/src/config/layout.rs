//! Where things are (`/etc`, `/run`, `/var/lib`; below one folder; below `$XDG_RUNTIME_DIR`).

use std::path::{Path, PathBuf};

/// The files and folders of one daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The configuration file; it need not be there in one-folder mode.
    pub config: PathBuf,
    /// `conf.d/*.toml`, read after it in lexical order.
    pub config_dir: PathBuf,
    /// `entries.d/*.toml`.
    pub entries: PathBuf,
    /// Plugins named by a relative path are looked for here.
    pub plugins: PathBuf,
    /// `plugins.lock`, beside the configuration: which plugin files may be loaded.
    pub lock: PathBuf,
    /// The public socket.
    pub public_socket: PathBuf,
    /// The admin socket.
    pub admin_socket: PathBuf,
    /// The socket of brokers, if there is to be one.
    pub broker_socket: PathBuf,
    /// Audit log, ahead-of-time store, lock.
    pub state: PathBuf,
    /// Everything is below one folder and works with nothing configured.
    pub one_folder: bool,
}

impl Layout {
    /// An installed daemon: `/etc/witgate`, `/run/witgate`, `/var/lib/witgate`.
    #[must_use]
    pub fn system() -> Self {
        Self {
            config: "/etc/witgate/witgate.toml".into(),
            config_dir: "/etc/witgate/conf.d".into(),
            entries: "/etc/witgate/entries.d".into(),
            plugins: "/usr/lib/witgate/plugins".into(),
            lock: "/etc/witgate/plugins.lock".into(),
            public_socket: "/run/witgate/public/api.sock".into(),
            admin_socket: "/run/witgate/admin/admin.sock".into(),
            broker_socket: "/run/witgate/broker/broker.sock".into(),
            state: "/var/lib/witgate".into(),
            one_folder: false,
        }
    }

    /// Everything below `dir`, in the same layout.
    #[must_use]
    pub fn below(dir: &Path) -> Self {
        Self {
            config: dir.join("witgate.toml"),
            config_dir: dir.join("conf.d"),
            entries: dir.join("entries.d"),
            plugins: dir.join("plugins"),
            lock: dir.join("plugins.lock"),
            public_socket: dir.join("public/api.sock"),
            admin_socket: dir.join("admin/admin.sock"),
            broker_socket: dir.join("broker/broker.sock"),
            state: dir.join("state"),
            one_folder: true,
        }
    }

    /// An unprivileged daemon without a folder of its own: below `$XDG_RUNTIME_DIR/witgate`.
    #[must_use]
    pub fn unprivileged(runtime_dir: &Path) -> Self {
        Self::below(&runtime_dir.join("witgate"))
    }
}
