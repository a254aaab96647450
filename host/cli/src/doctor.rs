//! `witgate doctor`: what this host can do, and what it costs where it cannot.

use std::path::PathBuf;

use serde::Serialize;
use witgate_confine::Trial;
use witgate_daemon::config::BrokerConfig;
use witgate_peer::{Capability, Kernel, Need, Privilege};

use crate::{
    args::{Form, Place},
    exit::{Exit, Failure},
    output::{say, say_json},
};

#[derive(Debug, Serialize)]
struct Report<'a> {
    tier: String,
    may_serve: bool,
    capabilities: &'a [Capability],
    privileges: Vec<PrivilegeView>,
    /// What about processes of other users is not there for want of a privilege.
    denied: Vec<&'static Need>,
    confinement: Trial,
    /// Who may ask about others, as it is configured; none if nobody may, or nothing can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    brokers: Option<BrokersView>,
}

/// The socket of brokers.
#[derive(Debug, Serialize)]
struct BrokersView {
    socket: PathBuf,
    uids: Vec<u32>,
    gids: Vec<u32>,
}

impl From<BrokerConfig> for BrokersView {
    fn from(BrokerConfig { listen, callers }: BrokerConfig) -> Self {
        Self { socket: listen.path, uids: callers.uids, gids: callers.gids }
    }
}

/// One capability of capabilities(7), as whoever runs the doctor has it.
#[derive(Debug, Serialize)]
struct PrivilegeView {
    name: Privilege,
    held: bool,
    buys: Vec<&'static Need>,
}

/// Probes and prints; exits 1 if a daemon would not start here.
pub(crate) fn doctor(place: &Place, form: Form) -> Result<Exit, Failure> {
    let unavailable = |error: &dyn std::fmt::Display| Failure::unavailable(error.to_string());
    let kernel = Kernel::probe().map_err(|error| unavailable(&error))?;
    let held = kernel.privileges();
    let view = |name: Privilege| PrivilegeView {
        name,
        held: held.contains(&name),
        buys: name.buys().collect(),
    };
    let report = Report {
        tier: kernel.tier().to_string(),
        may_serve: kernel.may_serve(),
        capabilities: kernel.capabilities(),
        privileges: Privilege::ALL.map(view).into(),
        denied: Need::ALL.iter().filter(|need| !need.is_met(&held)).collect(),
        confinement: Trial::run().map_err(|error| unavailable(&error))?,
        brokers: place.config().ok().and_then(|config| config.broker).map(BrokersView::from),
    };
    if form.json {
        say_json(&report)?;
    } else {
        say(&for_people(&report));
    }
    let would_start = report.may_serve && report.confinement.no_filter.is_none();
    Ok(if would_start { Exit::Ok } else { Exit::Deny })
}

fn for_people(report: &Report<'_>) -> String {
    let mut lines = vec![format!("kernel tier {}", report.tier)];
    for capability in report.capabilities {
        lines.push(row(capability.present, capability.name, &capability.found));
        if !capability.present {
            lines.push(format!("       {:<24} costs: {}", "", capability.cost));
        }
    }
    let privileges = "what each capability buys about processes of other users; private files are those \
                      that others may not read";
    lines.push(privileges.to_owned());
    for privilege in &report.privileges {
        let buys = list(&privilege.buys);
        lines.push(row(privilege.held, privilege.name.as_str(), &buys));
    }
    let without = match list(&report.denied) {
        none if none.is_empty() => "nothing".to_owned(),
        denied => denied,
    };
    lines.push(format!("  so with these, absent: {without}"));
    lines.push("what a daemon of ours gives up itself".to_owned());
    let Trial { no_filter, landlock } = &report.confinement;
    let filter = no_filter.as_deref().unwrap_or("all calls of the kernel but those on a list");
    lines.push(row(no_filter.is_none(), "seccomp", filter));
    let some = *landlock != witgate_confine::Landlocked::No;
    let files = format!("{}: files and network, in the compile child", landlock.as_str());
    lines.push(row(some, "landlock", &files));
    if let Some(BrokersView { socket, uids, gids }) = &report.brokers {
        lines.push("who may ask about others, as configured".to_owned());
        let callers = format!("uids {uids:?}, gids {gids:?}, on {}", socket.display());
        lines.push(row(true, "brokers", &callers));
    }
    lines.join("\n")
}

fn row(there: bool, name: &str, found: &str) -> String {
    let mark = if there { "yes" } else { "NO " };
    format!("  {mark}  {name:<24} {found}")
}

fn list(needs: &[&Need]) -> String {
    needs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
