//! `witgate plugin`: what authors and operators do with plugins.

mod add;
pub(crate) mod args;
mod bench;
mod build;
mod cases;
mod check;
mod configuration;
mod dev;
mod inspect;
mod install;
mod logs;
mod ls;
mod new;
mod pull;
mod push;
mod replaced;
mod run;
pub(crate) mod source;
mod test;
mod words;
pub(crate) mod workshop;

use self::args::PluginCommand;
use crate::{
    args::Place,
    exit::{Exit, Failure},
};

/// Does what was asked for.
pub(crate) fn run(place: &Place, command: PluginCommand) -> Result<Exit, Failure> {
    match command {
        PluginCommand::Add(options) => add::add(place, &options),
        PluginCommand::Bench(options) => bench::bench(&options),
        PluginCommand::Build(options) => build::build(&options),
        PluginCommand::Check(options) => check::check(&options),
        PluginCommand::Dev(options) => dev::dev(place, &options),
        PluginCommand::Inspect(options) => inspect::inspect(place, &options),
        PluginCommand::Logs(options) => logs::logs(place, &options),
        PluginCommand::Ls(form) => ls::ls(place, form),
        PluginCommand::New(options) => new::new(&options),
        PluginCommand::Pull(options) => pull::pull(options),
        PluginCommand::Push(options) => push::push(&options),
        PluginCommand::Run(options) => run::run(&options),
        PluginCommand::Test(options) => test::test(&options),
    }
}
