//! What is said about a plugin, for people: what a request means, how much something is.

use std::time::Duration;

use witgate_attestor::{ImportKind, limits};
use witgate_facts::{CacheScope, Capability, FactName, FileRoot, Interface};
use witgate_identity::Assurance;

/// What a plugin can do that was granted this.
pub(crate) fn meaning(asked: &Capability) -> String {
    match asked {
        Capability::Interface(interface) => of_interface(*interface).to_owned(),
        Capability::Variable(name) => format!("read {name} in the environment of the workload"),
        Capability::Path(root, path) => {
            let whose = match root {
                FileRoot::Host => "of this host",
                FileRoot::Workload => "in the workload's own root",
            };
            let what = if path.ends_with('/') { "everything below " } else { "" };
            format!("read {what}{path} {whose}")
        }
        Capability::Endpoint(name) => {
            format!("send requests to the endpoint {name}, as far as [endpoints.{name}] allows")
        }
        Capability::Cache(scope) => {
            let span = match scope {
                CacheScope::Process => "as long as a process lives, for calls about it",
                CacheScope::Cgroup => "as long as a control group lives, for calls about it",
                CacheScope::Plugin => "for up to an hour, for all its calls",
            };
            format!("keep what it has found {span}")
        }
    }
}

fn of_interface(interface: Interface) -> &'static str {
    match interface {
        Interface::Ancestry => "see the parents of the workload and the programs they run",
        Interface::Cmdline => "read the command line of the workload, which can have secrets in it",
        Interface::Executable => "see which program file the workload runs, and its digest",
        Interface::Systemd => "ask systemd which unit the workload belongs to",
        Interface::Cgroups => "see the control groups of the workload (every plugin can)",
        Interface::Config => "read its own settings (every plugin can)",
        Interface::Log => "write lines for the operator (every plugin can)",
        Interface::Namespaces => "see the namespaces of the workload (every plugin can)",
        Interface::Process => "see user, groups and state of the workload (every plugin can)",
        Interface::Cache | Interface::Environ | Interface::Files | Interface::Http => {
            "nothing by itself"
        }
    }
}

/// The most that something derived from it can be worth; none if it gives no fact.
pub(crate) fn level(asked: &Capability) -> Option<Assurance> {
    asked.facts().map(FactName::best_assurance).min()
}

/// A request in one line: the word, what it means, what it is worth.
pub(crate) fn request(asked: &Capability) -> String {
    let worth = level(asked).map_or_else(String::new, |level| format!(" [{level}]"));
    let line = format!("{asked}: {}{worth}", meaning(asked));
    witgate_protocol::frame::printable(line.as_bytes())
}

/// What a call of an import does.
pub(crate) const fn of_import(kind: ImportKind) -> &'static str {
    match kind {
        ImportKind::Always => "every plugin may call it",
        ImportKind::Requested => "the plugin asks for it",
        ImportKind::NotRequested => "TRAPS when called: plugin.toml does not ask for it",
        ImportKind::Wasi => {
            "WASI that works: clocks, random numbers, standard streams and the like"
        }
        ImportKind::NoDirectories => {
            "there are no files here: opening one fails; ask for `files` in plugin.toml"
        }
        ImportKind::Refused => "NOT LOADED: no daemon has it",
        ImportKind::Traps => "TRAPS when called: plugins do not have it",
    }
}

/// The limits that its author should know.
pub(crate) fn limits() -> Vec<(&'static str, String)> {
    vec![
        ("time of a call", format!("{} of its own", time(limits::CALL_TIME))),
        (
            "time of a call by the clock",
            format!(
                "{}, waiting for facts not counted",
                time(limits::CALL_TIME * limits::WALL_FACTOR)
            ),
        ),
        ("time of describe and validate", time(limits::LOAD_CALL_TIME)),
        ("memory of a call", size(limits::MEMORY)),
        ("selectors of a report", limits::SELECTORS.to_string()),
        ("bytes of a report", size(limits::REPORT_BYTES)),
        ("keys", limits::KEYS.to_string()),
        ("lines", format!("{} at once, then {}/s", limits::LINES_BURST, limits::LINES_PER_SECOND)),
        ("cache", size(limits::CACHE_BYTES)),
        ("response of an endpoint", size(limits::RESPONSE_BYTES)),
        ("component", size(limits::COMPONENT_BYTES)),
        ("fixtures", format!("{} in {}", limits::FIXTURES, size(limits::FIXTURES_BYTES))),
    ]
}

/// A number of bytes.
pub(crate) fn size(bytes: usize) -> String {
    let tenths = |unit: usize| format!("{}.{}", bytes / unit, bytes % unit * 10 / unit);
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{} KiB", tenths(1024)),
        _ => format!("{} MiB", tenths(1024 * 1024)),
    }
}

/// A span of time, in the unit that fits.
pub(crate) fn time(span: Duration) -> String {
    match span.as_micros() {
        0..1000 => format!("{} µs", span.as_micros()),
        1000..10_000 => format!("{:.1} ms", span.as_secs_f64() * 1e3),
        10_000..1_000_000 => format!("{} ms", span.as_millis()),
        _ => format!("{:.1} s", span.as_secs_f64()),
    }
}

/// For JSON.
pub(crate) fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// For JSON.
pub(crate) fn microseconds(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_in_the_unit_that_fits() {
        assert_eq!(
            [0, 1023, 1536, 67_108_864].map(size).join(", "),
            "0 bytes, 1023 bytes, 1.5 KiB, 64.0 MiB"
        );
        let shown =
            [7, 1_500, 34_000, 2_000_000].map(|n| time(Duration::from_micros(n))).join(", ");
        assert_eq!(shown, "7 µs, 1.5 ms, 34 ms, 2.0 s");
    }

    #[test]
    fn a_request_says_what_it_means_and_what_it_is_worth() {
        let line = request(&"files.workload:/etc/os-release".parse().unwrap());
        assert_eq!(
            line,
            "files.workload:/etc/os-release: read /etc/os-release in the workload's own root [claimed]"
        );
        assert!(!request(&"cache:plugin".parse().unwrap()).contains('['));
    }
}
