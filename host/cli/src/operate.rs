//! `status` and `reload`.

use hyper::Method;
use witgate_admin::{EndpointView, PluginState, ReloadReport, Status};
use witgate_attestor::BreakerState;
use witgate_confine::Confinement;
use witgate_peer::Reads;
use witgate_protocol::frame::printable;

use crate::{
    admin_client::ask,
    args::{Form, Place},
    exit::{Exit, Failure},
    output::{say, say_json},
};

/// `witgate status`.
pub(crate) fn status(place: &Place, form: Form) -> Result<Exit, Failure> {
    let status: Status =
        ask(&place.admin_socket()?, Method::GET, "/api/v1/status")?.or_problem()?.json()?;
    if form.json {
        say_json(&status)?;
    } else {
        say(&for_people(&status));
    }
    Ok(if status.readiness.ready { Exit::Ok } else { Exit::Unavailable })
}

fn for_people(status: &Status) -> String {
    let word = if status.readiness.ready { "ready" } else { "not ready" };
    let about = &status.about;
    let watching = if status.watching.on { "watched" } else { "not watched" };
    let loaded = status.generation_loaded_at.map(|at| format!(", since {at}")).unwrap_or_default();
    let mut lines = vec![
        format!(
            "{word}  witgate {}  node {}  up {} s",
            status.version, about.node, status.up_seconds
        ),
        format!("trust domain  {}", about.trust_domain),
        format!(
            "generation    {}: {} entries ({}), {} plugins{loaded}; files are {watching}",
            status.generation, status.entry_count, status.policy_revision, status.plugin_count
        ),
        format!("kernel tier   {}", status.tier),
        format!("confined      {}", confined(status.confinement)),
        format!("public socket {}", about.public_socket.display()),
        format!(
            "decisions     {} kept, {} dropped; {} connections open",
            status.horizon.kept, status.horizon.dropped, status.connections
        ),
        format!("audit head    {}", status.audit.head),
    ];
    lines
        .extend(about.broker_socket.iter().map(|path| format!("broker socket {}", path.display())));
    lines.extend(reads_for_people(status.reads));
    lines.extend(status.plugins.iter().map(plugin_for_people));
    lines.extend(status.endpoints.iter().map(endpoint_for_people));
    lines.extend(status.readiness.reasons.iter().map(|reason| format!("not ready: {reason}")));
    lines.extend(status.readiness.warnings.iter().map(|warning| format!("warning: {warning}")));
    if let Some(failing) = &status.reloads.failing {
        lines.push(format!(
            "reload        FAILED {} times since {}, last at {}",
            failing.times, failing.since, failing.last
        ));
        lines.extend(failing.errors.iter().map(|error| format!("reload: {error}")));
    }
    lines.join("\n")
}

/// What it is, who says so, and how it does.
fn confined(confinement: Option<Confinement>) -> String {
    let Some(Confinement { memory_private, no_core, threads, filtered_threads }) = confinement
    else {
        return "the daemon could not look at itself".to_owned();
    };
    let memory = if memory_private && no_core { "private" } else { "READABLE" };
    let calls = if filtered_threads == threads { "seccomp" } else { "NOT CONFINED: seccomp" };
    format!("{calls} on {filtered_threads} of {threads} threads; memory {memory}")
}

/// Only when something hangs.
fn reads_for_people(reads: Reads) -> Option<String> {
    let Reads { threads, busy, overdue, waiting } = reads;
    (overdue > 0).then(|| {
        format!(
            "reads         {overdue} hang, by what a workload does; {busy} of {threads} threads busy, \
             {waiting} wait"
        )
    })
}

fn plugin_for_people(plugin: &PluginState) -> String {
    let provenance = &plugin.provenance;
    let mut said = Vec::new();
    if provenance.builtin {
        said.push("built in".to_owned());
    } else {
        let digest: String = plugin.digest.chars().take(12).collect();
        said.push(format!("sha256 {digest}"));
        said.push(if provenance.pinned { "pinned" } else { "not pinned" }.to_owned());
        said.extend(provenance.signed_by.iter().map(|key| format!("signed by {key}")));
    }
    if provenance.dev_override {
        said.push("NOT CHECKED (dev_override)".to_owned());
    }
    said.push(format!("{} calls, {} from the memo", plugin.calls, plugin.memo_hits));
    if plugin.faults > 0 {
        said.push(format!("{} FAULTS", plugin.faults));
    }
    match plugin.breaker {
        BreakerState::Working => {}
        BreakerState::RestingFor(shares) => {
            said.push(format!("RESTS for {shares} of those who ask (a uid in a control group)"));
        }
        BreakerState::Resting(left) => said.push(format!("RESTS for {} ms", left.as_millis())),
    }
    format!("plugin        {} {}: {}", plugin.name, plugin.version, said.join(", "))
}

fn endpoint_for_people(endpoint: &EndpointView) -> String {
    let trouble = endpoint.trouble().map(|error| {
        format!("; FAILED last, at {}: {}", error.at, printable(error.text.as_bytes()))
    });
    format!(
        "endpoint      {} ({}): {} requests, {} answered{}",
        endpoint.name,
        endpoint.place,
        endpoint.requests,
        endpoint.answered,
        trouble.unwrap_or_default()
    )
}

/// `witgate reload`.
pub(crate) fn reload(place: &Place, form: Form) -> Result<Exit, Failure> {
    let answer = ask(&place.admin_socket()?, Method::POST, "/api/v1/reload")?;
    let answer = if answer.status == 409 { answer } else { answer.or_problem()? };
    let report: ReloadReport = answer.json()?;
    if form.json {
        say_json(&report)?;
    } else {
        say(&reload_for_people(&report));
    }
    Ok(if report.ok { Exit::Ok } else { Exit::Config })
}

fn reload_for_people(report: &ReloadReport) -> String {
    let head = if report.ok {
        format!("generation {} is in effect, entries {}", report.generation, report.policy_revision)
    } else {
        format!("nothing was changed; generation {} stays in effect", report.generation)
    };
    let warnings = report.warnings.iter().map(|warning| format!("warning: {warning}"));
    std::iter::once(head)
        .chain(report.errors.iter().cloned())
        .chain(warnings)
        .collect::<Vec<_>>()
        .join("\n")
}
