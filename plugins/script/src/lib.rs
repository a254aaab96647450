//! The attestor `script`: which script an interpreter runs.
//!
//! To the kernel every script is its interpreter. What it runs stands in its arguments, which it may
//! change, so all of this is claimed; `README.md` says what it is good for.

mod digest;

use witgate_sdk::{
    Attestor, Failure, Key, Manifest, Report,
    facts::{cmdline, executable},
    scripts::{Interpreter, Run, absolute},
    wants,
};

/// The attestor.
struct Script;

/// From the arguments.
const RUNS: [&str; 2] = ["path", "module"];

/// From the file.
const SHA256: &str = "sha256";

impl Attestor for Script {
    fn describe() -> Manifest {
        let runs = ["executable.info", "cmdline.arguments"];
        let file = ["executable.info", "cmdline.arguments", "files.workload"];
        let digest = "digest of the script as it is now";
        Manifest::new()
            .key(
                Key::new("interpreter", "java, node, perl, python, ruby or shell", "python")
                    .derived_from(&["executable.info"])
                    .single(),
            )
            .key(Key::new("path", "the script", "/srv/app/main.py").derived_from(&runs).single())
            .key(
                Key::new("module", "the module or class, if it runs one", "gunicorn")
                    .derived_from(&runs)
                    .single(),
            )
            .key(Key::new(SHA256, digest, EXAMPLE_SHA256).derived_from(&file).single())
    }

    fn attest() -> Result<Report, Failure> {
        let program = executable::info()?;
        let interpreter =
            Interpreter::of_executable(&program.path).ok_or(Failure::NotApplicable)?;
        let report = Report::new().selector("interpreter", interpreter.as_str());
        let sha256 = wants(SHA256);
        if !sha256 && !RUNS.into_iter().any(wants) {
            return Ok(report);
        }
        let arguments = match cmdline::arguments() {
            Ok(arguments) => arguments,
            Err(error) => return Ok(nothing(report, error)),
        };
        Ok(match interpreter.run(&arguments) {
            Ok(Run::File(file)) => script(report, file, sha256),
            Ok(Run::Module(module)) => no_file(report.selector("module", module)),
            Ok(Run::Code | Run::Input) => no_file(report),
            Err(unclear) => nothing(report, unclear.0),
        })
    }
}

const EXAMPLE_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn script(report: Report, file: &str, sha256: bool) -> Report {
    let Some(path) = absolute(file) else {
        let reason = "the script is named relative to a directory that is not known";
        return report.unknown_each(&["path", SHA256], reason);
    };
    let report = if sha256 { digest::add(report, &path) } else { report };
    report.selector("path", path)
}

/// That there is no file is known, and the daemon cannot see it: no file was read.
fn no_file(report: Report) -> Report {
    report.unknown(SHA256, "it runs no script")
}

fn nothing(report: Report, reason: impl Into<witgate_sdk::Reason>) -> Report {
    report.unknown_each(&["path", "module", SHA256], reason)
}

witgate_sdk::export!(Script, "plugin.toml");

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod tests {
    use witgate_sdk::testing::{check_fixtures, check_readme};

    use super::*;

    #[test]
    fn every_fixture_gives_its_expected_report() {
        check_fixtures::<Script>("fixtures");
    }

    #[test]
    fn the_readme_says_what_the_manifest_says() {
        check_readme::<Script>("README.md");
    }
}
