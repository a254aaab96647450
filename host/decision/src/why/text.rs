//! The why as a few lines for a person.

use std::fmt::Write as _;

use witgate_attestor::Use;
use witgate_policy::Considered;
use witgate_protocol::{You, frame::printable};

use super::{AttestorView, Changed, Detail, Verdict, Why};

/// Most near misses shown in the text; `--json` has the rest.
const MAX_NEAR: usize = 3;

/// Renders a decision for a terminal. Nothing in it can move the cursor: every text that comes from
/// outside is printable already or made so.
#[must_use]
pub fn render(detail: &Detail) -> String {
    let mut out = String::with_capacity(1024);
    // Writing to a String cannot fail.
    let _ = write_all(&mut out, detail);
    out
}

fn write_all(out: &mut String, detail: &Detail) -> std::fmt::Result {
    let why = &detail.why;
    write_head(out, detail)?;
    if let Some(changed) = &detail.changed {
        write_changed(out, changed)?;
    }
    write_process(out, why)?;
    if let Some(broker) = &why.broker {
        writeln!(out, "  broker {} asked about it", brief(broker))?;
    }
    for fact in &why.facts {
        writeln!(
            out,
            "  {:<20} {:<8} {}",
            fact.fact.as_str(),
            fact.assurance.as_str(),
            fact.value
        )?;
    }
    if !why.attestors.is_empty() {
        writeln!(out, "attestors")?;
    }
    for attestor in &why.attestors {
        write_attestor(out, attestor)?;
    }
    write_entries(out, detail)
}

fn write_head(out: &mut String, detail: &Detail) -> std::fmt::Result {
    let why = &detail.why;
    let verdict = why.verdict.as_str().to_uppercase();
    let dry = if why.protocol == super::Protocol::DryRun {
        "  (a dry run: nothing was given)"
    } else {
        ""
    };
    write!(out, "decision {}  {verdict}", why.id)?;
    if let Some(reason) = why.reason {
        write!(out, "  {reason}")?;
    }
    let millis = std::time::Duration::from_micros(why.elapsed_us).as_secs_f64() * 1000.0;
    writeln!(out, "  {millis:.1} ms  policy {}{dry}", why.policy_revision)?;
    if let Some(more) = &why.detail {
        writeln!(out, "  {}", printable(more.as_bytes()))?;
    }
    if detail.repeats > 0 {
        let last = detail.last.map(|last| format!(", last at {last}")).unwrap_or_default();
        writeln!(out, "  the same was refused {} more times{last}", detail.repeats)?;
    }
    Ok(())
}

fn write_changed(out: &mut String, changed: &Changed) -> std::fmt::Result {
    writeln!(out, "changed since {} ({}), when it was allowed", changed.since, changed.at)?;
    for gone in &changed.gone {
        writeln!(out, "  - {gone}")?;
    }
    for new in &changed.new {
        writeln!(out, "  + {new}")?;
    }
    for silent in &changed.silent {
        writeln!(out, "  ! {silent} answered then and does not now")?;
    }
    if let Some((then, now)) = &changed.revision {
        writeln!(out, "  ! the entries are others: {then} then, {now} now")?;
    }
    Ok(())
}

fn write_process(out: &mut String, why: &Why) -> std::fmt::Result {
    write!(out, "process  {}", brief(&why.you))?;
    let challenged = if why.challenged { "challenged" } else { "not challenged" };
    writeln!(out, "  kernel tier {}, {challenged}", why.tier)?;
    match &why.sender {
        Some(sender) => writeln!(
            out,
            "  another process wrote on its connection: pid {}  uid {}",
            sender.pid, sender.uid
        ),
        None => Ok(()),
    }
}

fn brief(you: &You) -> String {
    let exe = you.exe.as_deref().unwrap_or("(program unknown)");
    let mut text = format!("pid {}  {exe}  uid {}", you.pid, you.uid);
    if let Some(user) = &you.user {
        let _ = write!(text, "({user})");
    }
    for (what, value) in [("unit", &you.unit), ("container", &you.container)] {
        if let Some(value) = value {
            let _ = write!(text, "  {what} {value}");
        }
    }
    text
}

fn write_attestor(out: &mut String, attestor: &AttestorView) -> std::fmt::Result {
    let millis = std::time::Duration::from_micros(attestor.elapsed_us).as_secs_f64() * 1000.0;
    let required = if attestor.required { ", required" } else { "" };
    let memo = if attestor.from_memo { ", from the memo" } else { "" };
    let outcome = printable(attestor.outcome.to_string().as_bytes());
    writeln!(out, "  {:<12} {millis:.2} ms  {outcome}{memo}{required}", attestor.plugin.as_str())?;
    attestor.uses.iter().try_for_each(|used| write_use(out, used))?;
    for attested in &attestor.selectors {
        writeln!(out, "    {:<8} {}", attested.assurance.as_str(), attested.selector)?;
    }
    for unknown in &attestor.unknown {
        writeln!(
            out,
            "    unknown  {}:{}: {}",
            attestor.plugin,
            unknown.key,
            printable(unknown.reason.as_bytes())
        )?;
    }
    Ok(())
}

/// What an answer rests on besides the facts: how old it is, or what was asked just now.
fn write_use(out: &mut String, used: &Use) -> std::fmt::Result {
    match used {
        Use::Cache { scope, key, age_ms } => {
            let key = printable(key.as_bytes());
            writeln!(out, "    cache    {} {key}, put there {age_ms} ms ago", scope.as_str())
        }
        Use::Endpoint { endpoint, request, outcome, elapsed_ms } => {
            let [request, outcome] = [request, outcome].map(|text| printable(text.as_bytes()));
            writeln!(out, "    endpoint {endpoint} {request}: {outcome} in {elapsed_ms} ms")
        }
    }
}

fn write_entries(out: &mut String, detail: &Detail) -> std::fmt::Result {
    let why = &detail.why;
    for granted in &why.granted {
        writeln!(
            out,
            "identity {}  by entry {} ({}:{})",
            granted.id, granted.entry, granted.file, granted.line
        )?;
    }
    for observed in &why.observed {
        let id = observed.id.as_ref().map(|id| format!(" {id}")).unwrap_or_default();
        writeln!(out, "observed entry {} would have given{id}", observed.entry)?;
    }
    if why.verdict == Verdict::Allow {
        return Ok(());
    }
    if detail.considered_now {
        writeln!(out, "entries, as they are now")?;
    } else if !detail.considered.is_empty() {
        writeln!(out, "entries, nearest first")?;
    }
    detail.considered.iter().take(MAX_NEAR).try_for_each(|near| write_near(out, near))
}

fn write_near(out: &mut String, near: &Considered) -> std::fmt::Result {
    let total = near.held.len() + near.missing.len();
    let at = &near.at;
    writeln!(out, "  {}  {}/{total} hold  ({}:{})", at.entry, near.held.len(), at.file, at.line)?;
    for condition in &near.missing {
        let wanted = listed(&condition.wanted);
        let have =
            if condition.have.is_empty() { "nothing".to_owned() } else { listed(&condition.have) };
        write!(out, "    missing {}  wanted {wanted}  have {have}", condition.key)?;
        match &condition.reason {
            Some(reason) => writeln!(out, "  ({})", printable(reason.as_bytes()))?,
            None => writeln!(out)?,
        }
    }
    Ok(())
}

fn listed(values: &[String]) -> String {
    let values: Vec<_> = values.iter().map(|value| printable(value.as_bytes())).collect();
    values.join(" or ")
}
