//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use witgate_endpoints::EndpointConfig;

use crate::{plugin::args::PluginCommand, process::endpoint};

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
    /// A daemon that keeps everything below one folder [env: WITGATE_DIR].
    #[arg(long, global = true, value_name = "DIR", conflicts_with = "config")]
    pub(crate) dir: Option<PathBuf>,
    /// Another configuration file than /etc/witgate/witgate.toml.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The public socket [env: WITGATE_SOCKET] [default: as configured].
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    /// The admin socket [env: WITGATE_ADMIN_SOCKET] [default: as configured].
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) admin_socket: Option<PathBuf>,
}

/// How to print.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Form {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Whom to ask about.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct AttestOptions {
    /// Ask about the process that this descriptor of ours leads to: a pidfd, or a connected Unix socket.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    pub(crate) for_fd: Option<i32>,
    #[command(flatten)]
    pub(crate) form: Form,
}

/// How to begin.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct ServeOptions {
    /// Go on in the place of the daemon that serves here: it answers who has asked, and exits; nobody
    /// who connects meanwhile is turned away. Starts as usual if there is none.
    #[arg(long)]
    pub(crate) take_over: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Ask who this process is; exits 0 with an identity, 1 without.
    #[command(
        after_help = "Example:\n  witgate attest --dir /tmp/witgate\n\nIt is `witgate` that is attested here, not your service; for that see `witgate why --unit`.\n--for-fd asks about another process, for those who are listed in [listen.broker]; --socket names that socket then."
    )]
    Attest(AttestOptions),
    /// Look at the audit log.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Compile a component from standard input to standard output, within limits.
    #[command(hide = true)]
    CompileComponent {
        /// Leave calls of the kernel unfiltered.
        #[arg(long)]
        unfiltered: bool,
    },
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
    /// Record processes, to test plugins with.
    #[command(subcommand)]
    Fixture(FixtureCommand),
    /// Write a commented configuration.
    #[command(
        after_help = "Example:\n  witgate init --trust-domain example.org --dir /tmp/witgate"
    )]
    Init(InitOptions),
    /// Write, test, look at and add plugins.
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Load plugins and entries anew; on any error the old ones stay.
    #[command(after_help = "Example:\n  witgate reload --dir /tmp/witgate")]
    Reload(Form),
    /// Run the daemon.
    #[command(
        after_help = "Example:\n  witgate serve --dir /tmp/witgate\n\nSIGHUP reloads, SIGTERM drains and stops."
    )]
    Serve(ServeOptions),
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
        #[command(flatten)]
        form: Form,
    },
    /// Run the tests that stand in the entry files.
    #[command(after_help = "Example:\n  witgate entry test --dir /tmp/witgate")]
    Test(Form),
}

#[derive(Debug, Subcommand)]
pub(crate) enum FixtureCommand {
    /// Write everything that a plugin may know about a process to a file, secrets taken out.
    #[command(
        after_help = "Examples:\n  witgate fixture record --pid 4242 --plugin . -o fixtures/nginx.json\n  witgate fixture record --listen /tmp/record.sock -o fixtures/app.json"
    )]
    Record(RecordOptions),
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("who").required(true)))]
pub(crate) struct RecordOptions {
    /// This process.
    #[arg(long, group = "who", value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pub(crate) pid: Option<i32>,
    /// Whoever connects next to a socket that is made for it.
    #[arg(long, group = "who", value_name = "PATH")]
    pub(crate) listen: Option<PathBuf>,
    /// Record what this plugin asks for, and what endpoints answer it [default: every fact that
    /// takes no name].
    #[arg(long, value_name = "FILE|DIR")]
    pub(crate) plugin: Option<PathBuf>,
    /// Where an endpoint is that the plugin asks: NAME=unix:/PATH.
    #[arg(long, value_name = "NAME=PLACE", value_parser = endpoint, requires = "plugin")]
    pub(crate) endpoint: Vec<EndpointConfig>,
    /// The fixture [default: standard output].
    #[arg(short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Keep what looks like a secret.
    #[arg(long)]
    pub(crate) keep_secrets: bool,
    /// Replace a file that is there.
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) form: Form,
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
    #[arg(long, group = "which", conflicts_with_all = ["last", "denied", "unit", "container"], value_parser = clap::value_parser!(i32).range(1..))]
    pub(crate) pid: Option<i32>,
    /// The last decision.
    #[arg(long, group = "which")]
    pub(crate) last: bool,
    /// Refusals only, as a list.
    #[arg(long, group = "which")]
    pub(crate) denied: bool,
    /// The last decision about a systemd unit, by its whole name.
    #[arg(long, group = "which", value_name = "UNIT")]
    pub(crate) unit: Option<String>,
    /// The last decision about a container, by its whole id.
    #[arg(long, group = "which", value_name = "ID")]
    pub(crate) container: Option<String>,
    /// Nothing older: a span such as 2h, or a moment.
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<String>,
    #[command(flatten)]
    pub(crate) form: Form,
}
