//! `status` and `reload`.

use hyper::Method;
use witgate_admin::{ReloadReport, Status};

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
    let mut lines = vec![
        format!(
            "{word}  witgate {}  node {}  up {} s",
            status.version, about.node, status.up_seconds
        ),
        format!("trust domain  {}", about.trust_domain),
        format!(
            "generation    {}: {} entries ({}), {} plugins",
            status.generation, status.entry_count, status.policy_revision, status.plugin_count
        ),
        format!("kernel tier   {}", status.tier),
        format!("public socket {}", about.public_socket.display()),
        format!(
            "decisions     {} kept, {} dropped; {} connections open",
            status.horizon.kept, status.horizon.dropped, status.connections
        ),
        format!("audit head    {}", status.audit.head),
    ];
    lines.extend(status.readiness.reasons.iter().map(|reason| format!("not ready: {reason}")));
    lines.extend(status.readiness.warnings.iter().map(|warning| format!("warning: {warning}")));
    if let Some(report) = status.last_reload.as_ref().filter(|report| !report.ok) {
        lines.extend(report.errors.iter().map(|error| format!("reload: {error}")));
    }
    lines.join("\n")
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
