//! The compile child of this crate's own tests and benchmarks: a component on standard input,
//! machine code on standard output. The daemon uses a hidden subcommand of itself.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use witgate_attestor::{CallFilter, compile_child};

fn main() -> ExitCode {
    match compile_child(CallFilter::Required, io::stdin().lock(), io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody to tell if standard error is gone too.
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}
