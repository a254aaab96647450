//! The `witgate` command: every subcommand is a few lines over a library.

mod admin_client;
mod args;
mod ask;
mod audit;
mod doctor;
mod entry;
mod exit;
mod fixture;
mod init;
mod operate;
mod output;
mod place;
mod plugin;
mod process;
mod put;
mod serve;
mod why;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _, error::ErrorKind};
use witgate_attestor::CallFilter;

use self::{
    args::{Arguments, AuditCommand, Command, EntryCommand, FixtureCommand},
    exit::{Exit, Failure},
};

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help goes to standard output and is no error; clap knows which is which.
            let _ = error.print();
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return if asked { Exit::Ok.into() } else { Exit::Usage.into() };
        }
    };
    match run(arguments) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            output::complain(&failure.to_string());
            failure.exit.into()
        }
    }
}

fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let place = &arguments.place;
    match arguments.command {
        Command::Attest(options) => ask::attest(place, options),
        Command::Audit(AuditCommand::Verify(options)) => audit::verify(place, &options),
        Command::CompileComponent { unfiltered: false } => {
            serve::compile_component(CallFilter::Required)
        }
        Command::CompileComponent { unfiltered: true } => serve::compile_component(CallFilter::Off),
        Command::Completions { shell } => {
            // Into memory: whoever reads may go away, and this would panic.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "witgate", &mut script);
            output::say(&String::from_utf8_lossy(&script));
            Ok(Exit::Ok)
        }
        Command::Doctor(form) => doctor::doctor(place, form),
        Command::Entry(EntryCommand::Check(form)) => entry::check(place, form),
        Command::Entry(EntryCommand::Suggest { decision, form }) => {
            entry::suggest(place, &decision, form)
        }
        Command::Entry(EntryCommand::Test(form)) => entry::test(place, form),
        Command::Fixture(FixtureCommand::Record(options)) => fixture::record(&options),
        Command::Init(options) => init::init(place, &options),
        Command::Plugin(command) => plugin::run(place, command),
        Command::Reload(form) => operate::reload(place, form),
        Command::Serve(options) => serve::serve(place, options),
        Command::Status(form) => operate::status(place, form),
        Command::Watch(form) => ask::watch(place, form),
        Command::Whoami(form) => ask::whoami(place, form),
        Command::Why(options) => why::why(place, &options),
    }
}
