//! What can be typed behind `witgate plugin`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use witgate_endpoints::EndpointConfig;
use witgate_identity::{Assurance, NameError, PluginName};
use witgate_registry::Reference;
use witgate_workbench::Language;

use crate::{args::Form, process::endpoint};

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// Add a plugin to a daemon: shows what it asks for, pins it, and takes it into effect.
    #[command(after_help = "Example:\n  witgate plugin add build/os.wasm --dir /tmp/witgate")]
    Add(AddOptions),
    /// Measure a plugin beside one that does nothing.
    #[command(after_help = "Example:\n  witgate plugin bench . --fixture debian --calls 5000")]
    Bench(BenchOptions),
    /// Build the component of a project.
    #[command(after_help = "Example:\n  witgate plugin build os")]
    Build(ProjectOptions),
    /// Say whether everything is there and in order to build and load a plugin.
    #[command(after_help = "Example:\n  witgate plugin check os")]
    Check(TargetOptions),
    /// On every save: build, test, and load into a daemon of your own (--dir).
    #[command(after_help = "Example:\n  witgate plugin dev os --dir /tmp/witgate")]
    Dev(DevOptions),
    /// Show what a plugin is, asks for, reports, and may do. Nothing is added anywhere.
    #[command(after_help = "Example:\n  witgate plugin inspect build/os.wasm")]
    Inspect(InspectOptions),
    /// Show what a plugin of a running daemon writes.
    #[command(after_help = "Example:\n  witgate plugin logs os --follow --dir /tmp/witgate")]
    Logs(LogsOptions),
    /// List the plugins of a running daemon.
    #[command(after_help = "Example:\n  witgate plugin ls --dir /tmp/witgate")]
    Ls(Form),
    /// Write a new plugin that builds at once.
    #[command(after_help = "Example:\n  witgate plugin new os --lang python")]
    New(NewOptions),
    /// Fetch a plugin from an OCI registry.
    #[command(after_help = "Example:\n  witgate plugin pull registry.example/attestors/os:1.2.0")]
    Pull(PullOptions),
    /// Put a plugin into an OCI registry.
    #[command(
        after_help = "Example:\n  witgate plugin push build/os.wasm registry.example/attestors/os:1.2.0"
    )]
    Push(PushOptions),
    /// Ask a plugin about a process, without a daemon.
    #[command(after_help = "Example:\n  witgate plugin run build/os.wasm --pid 4242")]
    Run(RunOptions),
    /// Ask a plugin about its recorded processes, and compare with what is expected.
    #[command(
        after_help = "Examples:\n  witgate plugin test\n  witgate plugin test --update\n  witgate plugin test os.wasm --fixtures fixtures"
    )]
    Test(TestOptions),
}

#[derive(Debug, Args)]
pub(crate) struct AddOptions {
    /// The component.
    pub(crate) file: PathBuf,
    /// Its name in this daemon, which is stamped in front of its selectors [default: the author's].
    #[arg(long, value_parser = name)]
    pub(crate) name: Option<PluginName>,
    /// Do not ask.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Make decisions unavailable without its answer.
    #[arg(long)]
    pub(crate) required: bool,
    /// The best that any of its selectors can be worth: claimed, image, runtime or kernel.
    #[arg(long, value_name = "LEVEL")]
    pub(crate) max_assurance: Option<Assurance>,
    /// With --yes: let it take the place of another plugin of that name, with what that was given.
    #[arg(long)]
    pub(crate) replace: bool,
    /// Let it replace a higher version.
    #[arg(long)]
    pub(crate) allow_downgrade: bool,
    #[command(flatten)]
    pub(crate) form: Form,
}

#[derive(Debug, Args)]
pub(crate) struct BenchOptions {
    /// A component, or a project.
    #[arg(value_name = "FILE|DIR", default_value = ".")]
    pub(crate) target: PathBuf,
    /// The recorded process [default: the first].
    #[arg(long, value_name = "NAME")]
    pub(crate) fixture: Option<String>,
    /// How many calls of each.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..1_000_000))]
    pub(crate) calls: u32,
    #[command(flatten)]
    pub(crate) form: Form,
}

#[derive(Debug, Args)]
pub(crate) struct ProjectOptions {
    /// The project.
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) project: PathBuf,
    #[command(flatten)]
    pub(crate) form: Form,
}

#[derive(Debug, Args)]
pub(crate) struct TargetOptions {
    /// A project, or a component.
    #[arg(value_name = "DIR|FILE", default_value = ".")]
    pub(crate) target: PathBuf,
    #[command(flatten)]
    pub(crate) form: Form,
}

#[derive(Debug, Args)]
pub(crate) struct InspectOptions {
    /// A component, or a project.
    #[arg(value_name = "FILE|DIR")]
    pub(crate) target: PathBuf,
    /// Take a project's component as it is.
    #[arg(long)]
    pub(crate) no_build: bool,
    #[command(flatten)]
    pub(crate) form: Form,
}

#[derive(Debug, Args)]
pub(crate) struct DevOptions {
    /// The project.
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) project: PathBuf,
    /// One round, and end.
    #[arg(long)]
    pub(crate) once: bool,
    #[command(flatten)]
    pub(crate) form: Form,
}

#[derive(Debug, Args)]
pub(crate) struct LogsOptions {
    /// The plugin.
    #[arg(value_parser = name)]
    pub(crate) name: PluginName,
    /// Go on until interrupted.
    #[arg(long, short)]
    pub(crate) follow: bool,
    #[command(flatten)]
    pub(crate) form: Form,
}

#[derive(Debug, Args)]
pub(crate) struct NewOptions {
    /// Its name.
    pub(crate) name: String,
    /// What to write it in: rust, go, c, python, js or ts.
    #[arg(long, value_name = "LANGUAGE")]
    pub(crate) lang: Language,
    /// The new folder [default: ./NAME].
    #[arg(long = "in", value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) form: Form,
}

#[derive(Debug, Args)]
pub(crate) struct PullOptions {
    /// Where it lies: registry.example/attestors/os:1.2.0, or with @sha256:….
    pub(crate) reference: Reference,
    /// Where to write the component [default: the last part of its name, with .wasm].
    #[arg(short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) form: Form,
}

#[derive(Debug, Args)]
pub(crate) struct PushOptions {
    /// The component; FILE.minisig goes with it if it is there.
    pub(crate) file: PathBuf,
    /// Where to: registry.example/attestors/os:1.2.0; without a tag, under its version.
    pub(crate) reference: Reference,
    #[command(flatten)]
    pub(crate) form: Form,
}

#[derive(Debug, Args)]
pub(crate) struct RunOptions {
    /// A component, or a project.
    #[arg(value_name = "FILE|DIR")]
    pub(crate) target: PathBuf,
    /// The process.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pub(crate) pid: i32,
    /// Where an endpoint is that it asks: NAME=unix:/PATH.
    #[arg(long, value_name = "NAME=PLACE", value_parser = endpoint)]
    pub(crate) endpoint: Vec<EndpointConfig>,
    /// Take a project's component as it is.
    #[arg(long)]
    pub(crate) no_build: bool,
    #[command(flatten)]
    pub(crate) form: Form,
}

#[derive(Debug, Args)]
pub(crate) struct TestOptions {
    /// A project, or a component.
    #[arg(value_name = "DIR|FILE", default_value = ".")]
    pub(crate) target: PathBuf,
    /// Expect from now on what it says today.
    #[arg(long)]
    pub(crate) update: bool,
    /// Only this one.
    #[arg(long, value_name = "NAME")]
    pub(crate) fixture: Option<String>,
    /// Fixtures of another folder than the project's own, or than those in the component.
    #[arg(long, value_name = "DIR")]
    pub(crate) fixtures: Option<PathBuf>,
    /// Take a project's component as it is.
    #[arg(long)]
    pub(crate) no_build: bool,
    #[command(flatten)]
    pub(crate) form: Form,
}

fn name(text: &str) -> Result<PluginName, NameError> {
    PluginName::new(text)
}
