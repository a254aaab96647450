//! What can be typed.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use witgate_daemon::config::{Config, Layout};

use crate::exit::Failure;

/// Tells, with kernel evidence, which workload is on the other end of a Unix socket.
#[derive(Debug, Parser)]
#[command(name = "witgate", version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Which daemon this is about.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// A daemon that keeps everything below one folder.
    #[arg(long, global = true, value_name = "DIR", env = "WITGATE_DIR", conflicts_with = "config")]
    pub(crate) dir: Option<PathBuf>,
    /// Another configuration file than /etc/witgate/witgate.toml.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The public socket [default: --dir, then /run/witgate/public/api.sock].
    #[arg(long, global = true, value_name = "PATH", env = "WITGATE_SOCKET")]
    pub(crate) socket: Option<PathBuf>,
    /// The admin socket [default: --dir, then /run/witgate/admin/admin.sock].
    #[arg(long, global = true, value_name = "PATH", env = "WITGATE_ADMIN_SOCKET")]
    pub(crate) admin_socket: Option<PathBuf>,
}

/// How to print.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Form {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Ask who this process is; exits 0 with an identity, 1 without.
    #[command(
        after_help = "Example:\n  witgate attest --dir /tmp/witgate\n\nIt is `witgate` that is attested here, not your service; for that see `witgate why --unit`."
    )]
    Attest(Form),
    /// Look at the audit log.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Compile a component from standard input to standard output, within limits.
    #[command(hide = true)]
    CompileComponent,
    /// Print completions for a shell.
    #[command(after_help = "Example:\n  witgate completions bash > /etc/bash_completion.d/witgate")]
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Say what this kernel can do and what each missing capability costs.
    #[command(after_help = "Example:\n  witgate doctor")]
    Doctor(Form),
    /// Check, test and suggest entries.
    #[command(subcommand)]
    Entry(EntryCommand),
    /// Write a commented configuration.
    #[command(
        after_help = "Example:\n  witgate init --trust-domain example.org --dir /tmp/witgate"
    )]
    Init(InitOptions),
    /// Load plugins and entries anew; on any error the old ones stay.
    #[command(after_help = "Example:\n  witgate reload --dir /tmp/witgate")]
    Reload(Form),
    /// Run the daemon.
    #[command(
        after_help = "Example:\n  witgate serve --dir /tmp/witgate\n\nSIGHUP reloads, SIGTERM drains and stops."
    )]
    Serve,
    /// Say how the daemon is; exits 0 if it is ready.
    #[command(after_help = "Example:\n  witgate status --dir /tmp/witgate")]
    Status(Form),
    /// Ask who this process is, now and on every change.
    #[command(after_help = "Example:\n  witgate watch --json --dir /tmp/witgate")]
    Watch(Form),
    /// Ask what the kernel says about this process; no entries are looked at.
    #[command(after_help = "Example:\n  witgate whoami --dir /tmp/witgate")]
    Whoami(Form),
    /// Explain a decision.
    #[command(
        after_help = "Examples:\n  witgate why --last\n  witgate why --denied --since 2h\n  witgate why --pid 4242"
    )]
    Why(WhyOptions),
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Check that no record was changed, dropped or added; names the first bad one.
    #[command(after_help = "Example:\n  witgate audit verify --dir /tmp/witgate")]
    Verify(VerifyOptions),
}

#[derive(Debug, Subcommand)]
pub(crate) enum EntryCommand {
    /// Check configuration, plugins and entries, and say who can get each identity.
    #[command(after_help = "Example:\n  witgate entry check --dir /tmp/witgate")]
    Check(Form),
    /// Print an entry that would allow a recorded decision.
    #[command(after_help = "Example:\n  witgate entry suggest node-01kb3v0h7m4q8x2y5z9w6c1d3e")]
    Suggest {
        /// The decision.
        decision: String,
    },
    /// Run the tests that stand in the entry files.
    #[command(after_help = "Example:\n  witgate entry test --dir /tmp/witgate")]
    Test(Form),
}

#[derive(Debug, Args)]
pub(crate) struct InitOptions {
    /// The root of your identities.
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) trust_domain: String,
    /// Replace a configuration that is there.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyOptions {
    /// A head that was written down earlier, as `witgate status` shows it: finds a log that was cut.
    #[arg(long, value_name = "HEAD")]
    pub(crate) head: Option<String>,
    #[command(flatten)]
    pub(crate) form: Form,
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("which").required(true).multiple(true)))]
pub(crate) struct WhyOptions {
    /// The decision's id, as every answer carries it.
    #[arg(group = "which", conflicts_with_all = ["pid", "last", "denied", "unit", "container"])]
    pub(crate) decision: Option<String>,
    /// A dry run: what would be decided about this process. For administrators.
    #[arg(long, group = "which", conflicts_with_all = ["last", "denied", "unit", "container"])]
    pub(crate) pid: Option<i32>,
    /// The last decision.
    #[arg(long, group = "which")]
    pub(crate) last: bool,
    /// Refusals only, as a list.
    #[arg(long, group = "which")]
    pub(crate) denied: bool,
    /// The last decision about a systemd unit.
    #[arg(long, group = "which", value_name = "UNIT")]
    pub(crate) unit: Option<String>,
    /// The last decision about a container.
    #[arg(long, group = "which", value_name = "ID")]
    pub(crate) container: Option<String>,
    /// Nothing older: a span such as 2h, or a moment.
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<String>,
    #[command(flatten)]
    pub(crate) form: Form,
}

impl Place {
    /// Where this daemon keeps its things.
    pub(crate) fn layout(&self) -> Result<Layout, Failure> {
        if let Some(dir) = &self.dir {
            return absolute(dir).map(|dir| Layout::below(&dir));
        }
        if let Some(config) = &self.config {
            let config = absolute(config)?;
            let dir = config.parent().map(Path::to_path_buf).unwrap_or_default();
            let (config_dir, entries) = (dir.join("conf.d"), dir.join("entries.d"));
            return Ok(Layout { config, config_dir, entries, ..Layout::system() });
        }
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty());
        match runtime {
            Some(runtime) if !rustix::process::geteuid().is_root() => {
                Ok(Layout::unprivileged(Path::new(&runtime)))
            }
            _ => Ok(Layout::system()),
        }
    }

    /// The configuration there, with every mistake in it.
    pub(crate) fn config(&self) -> Result<Config, Failure> {
        Config::read(&self.layout()?).map_err(|errors| {
            let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
            Failure::config(lines.join("\n"))
        })
    }

    /// The public sockets to try, in order.
    pub(crate) fn client(&self) -> Result<witgate_client::Client, Failure> {
        match (&self.socket, &self.dir) {
            (_, Some(dir)) => Ok(witgate_client::Client::in_dir(&absolute(dir)?)),
            (Some(socket), None) => Ok(witgate_client::Client::new(socket)),
            (None, None) => Ok(witgate_client::Client::from_env()),
        }
    }

    /// The admin socket.
    pub(crate) fn admin_socket(&self) -> Result<PathBuf, Failure> {
        match (&self.dir, &self.admin_socket) {
            (None, Some(socket)) => Ok(socket.clone()),
            _ => self.layout().map(|layout| layout.admin_socket),
        }
    }
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path)
        .map_err(|error| Failure::config(format!("{}: {error}", path.display())))
}
