//! `witgate doctor`: what this host can do, and what it costs where it cannot.

use serde::Serialize;
use witgate_peer::{Capability, Kernel};

use crate::{
    args::Form,
    exit::{Exit, Failure},
    output::{say, say_json},
};

#[derive(Debug, Serialize)]
struct Report<'a> {
    tier: String,
    may_serve: bool,
    capabilities: &'a [Capability],
}

/// Probes and prints; exits 1 if a daemon would not start here.
pub(crate) fn doctor(form: Form) -> Result<Exit, Failure> {
    let kernel = Kernel::probe().map_err(|error| Failure::unavailable(error.to_string()))?;
    let report = Report {
        tier: kernel.tier().to_string(),
        may_serve: kernel.may_serve(),
        capabilities: kernel.capabilities(),
    };
    if form.json {
        say_json(&report)?;
    } else {
        say(&for_people(&report));
    }
    Ok(if report.may_serve { Exit::Ok } else { Exit::Deny })
}

fn for_people(report: &Report<'_>) -> String {
    let mut lines = vec![format!("kernel tier {}", report.tier)];
    for capability in report.capabilities {
        let mark = if capability.present { "yes" } else { "NO " };
        lines.push(format!("  {mark}  {:<24} {}", capability.name, capability.found));
        if !capability.present {
            lines.push(format!("       {:<24} costs: {}", "", capability.cost));
        }
    }
    lines.join("\n")
}
