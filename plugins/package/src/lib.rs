//! The attestor `package`: which package the program of a process belongs to, and the script that it
//! runs.
//!
//! Nothing is guessed that is not proved by the package's own list. `README.md` says what each is
//! worth.

mod debian;
mod found;
mod node;
mod places;
mod python;
mod settings;

use witgate_sdk::{
    Attestor, Failure, Key, Manifest, Reason, Report,
    facts::{cmdline, executable, executable::Program},
    scripts::{Interpreter, Run, absolute},
    wants,
};

use crate::{found::Found, settings::Settings};

/// The attestor.
struct Package;

/// From the host's database of packages.
const DEBIAN: &str = "debian";
/// From a script of Node's.
const NODE: [&str; 2] = ["node", "node_version"];
/// From a script of Python's.
const PYTHON: [&str; 2] = ["python", "python_version"];

impl Attestor for Package {
    fn describe() -> Manifest {
        let script = |word, meaning, example| {
            let facts = ["executable.info", "cmdline.arguments", "files.workload"];
            Key::new(word, meaning, example).derived_from(&facts).single()
        };
        let host = ["executable.info", "files.host"];
        Manifest::new()
            .key(
                Key::new(DEBIAN, "Debian package of the executable", "openssh-server")
                    .derived_from(&host)
                    .single(),
            )
            .key(script("node", "package of a script of Node's", "@acme/web"))
            .key(script("node_version", "its version", "1.4.2"))
            .key(script("python", "package of a script of Python's", "gunicorn"))
            .key(script("python_version", "its version", "21.2.0"))
            .config_schema(settings::SCHEMA)
    }

    fn validate(settings: &str) -> Result<(), String> {
        Settings::parse(settings).map(drop)
    }

    fn attest() -> Result<Report, Failure> {
        let settings = Settings::current().map_err(Failure::Failed)?;
        let program = executable::info()?;
        let report = Report::new();
        let report = if wants(DEBIAN) { debian(report, &program, &settings) } else { report };
        let of_node = || node::package(&script(&program, Interpreter::Node)?);
        let report = if_wanted(report, NODE, of_node);
        let of_python =
            || python::package(&script(&program, Interpreter::Python)?, version_of(&program.path));
        Ok(if_wanted(report, PYTHON, of_python))
    }
}

/// A file that is not the host's, or is no longer there, is of no package of the host's.
fn debian(report: Report, program: &Program, settings: &Settings) -> Report {
    let path = (program.same_on_host && !program.deleted).then_some(program.path.as_str());
    match debian::owner(path, &settings.debian) {
        Ok(package) => {
            let name = package.as_ref().map(debian::PackageName::without_architecture);
            report.selector_each(DEBIAN, name)
        }
        Err(reason) => report.unknown(DEBIAN, reason),
    }
}

/// The script that this interpreter runs, by its whole path.
fn script(program: &Program, interpreter: Interpreter) -> Result<String, Reason> {
    if Interpreter::of_executable(&program.path) != Some(interpreter) {
        return Err("its executable is no interpreter of this language".into());
    }
    let arguments = cmdline::arguments()?;
    match interpreter.run(&arguments).map_err(|unclear| unclear.0)? {
        Run::File(file) => absolute(file)
            .ok_or_else(|| "the script is named relative to a directory that is not known".into()),
        Run::Module(_) | Run::Code | Run::Input => Err("it runs no script".into()),
    }
}

/// That there is none is no *no*: the facts that would tell were not read.
fn if_wanted(
    report: Report,
    keys: [&str; 2],
    package: impl FnOnce() -> Result<Found, Reason>,
) -> Report {
    if !keys.into_iter().any(wants) {
        return report;
    }
    match package() {
        Ok(found) => report.selector(keys[0], found.name).selector_each(keys[1], found.version),
        Err(reason) => report.unknown_each(&keys, reason),
    }
}

/// `3.11` of `/usr/bin/python3.11`.
fn version_of(path: &str) -> &str {
    let version = path.rsplit_once("/python").map_or("", |(_, version)| version);
    if version.contains('.') { version } else { "" }
}

witgate_sdk::export!(Package, "plugin.toml");

#[cfg(test)]
mod tests {
    use witgate_sdk::testing::{check_fixtures, check_readme};

    use super::*;

    #[test]
    fn the_version_of_python_is_that_of_its_file() {
        assert_eq!(version_of("/usr/bin/python3.11"), "3.11");
        assert_eq!(version_of("/opt/python3/bin/python3.9"), "3.9");
        for none in ["/usr/bin/python3", "/usr/lib/pypy3/pypy3-c", "python3.11", ""] {
            assert_eq!(version_of(none), "", "{none}");
        }
    }

    #[test]
    fn every_fixture_gives_its_expected_report() {
        check_fixtures::<Package>("fixtures");
    }

    #[test]
    fn the_readme_says_what_the_manifest_says() {
        check_readme::<Package>("README.md");
    }
}
