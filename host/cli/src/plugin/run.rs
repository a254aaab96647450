//! `witgate plugin run`: one call about one process, and what it cost.

use std::sync::Arc;

use serde_json::json;
use witgate_attestor::{Attestation, Outcome, Plugin, PluginSpec, Use};
use witgate_facts::{FactError, FactName, FactSource as _};

use super::{args::RunOptions, source::Source, words, workshop::Workshop};
use crate::{
    exit::{Exit, Failure},
    output::{remark, say, say_json},
    process,
};

/// Asks, and shows everything about the answer.
pub(crate) fn run(options: &RunOptions) -> Result<Exit, Failure> {
    let source = Source::open(&options.target, options.no_build)?;
    let workshop = Workshop::open()?;
    let endpoints = process::endpoints(&options.endpoint);
    let spec = PluginSpec { endpoints: Arc::clone(&endpoints) as _, ..source.spec()? };
    let plugin = workshop.load(spec)?;
    let (said, is_closed) = workshop.block_on(async {
        let facts = process::observe(options.pid).await?;
        let is_closed = matches!(facts.executable(), Err(FactError::Denied));
        let said = plugin.run(facts, Some(endpoints), process::deadline()).await;
        Ok::<_, Failure>((said, is_closed))
    })?;
    if options.form.json {
        say_json(&for_scripts(&plugin, &said, options.pid))?;
    } else {
        say(&for_people(&plugin, &said, options.pid));
    }
    if is_closed && !(said.outcome.answered() && said.unknown.is_empty()) {
        remark(&format!(
            "the kernel lets you see only part of process {}: run this as its user, or as root; a \
             daemon has more rights",
            options.pid
        ));
    }
    match said.outcome {
        Outcome::Gone => Err(process::gone(options.pid)),
        outcome if outcome.answered() => Ok(Exit::Ok),
        _ => Ok(Exit::Deny),
    }
}

fn for_scripts(plugin: &Plugin, said: &Attestation, pid: i32) -> serde_json::Value {
    let selectors = said.selectors.iter().map(|attested| {
        json!({ "selector": attested.selector.to_string(), "assurance": attested.assurance })
    });
    let lines = plugin.lines().0;
    let lines = lines.iter().map(|line| json!({ "level": line.level, "text": line.text }));
    json!({
        "plugin": plugin.name(),
        "version": plugin.toml().version,
        "pid": pid,
        "outcome": said.outcome,
        "selectors": selectors.collect::<Vec<_>>(),
        "unknown": said.unknown,
        "facts_read": said.facts_read.iter().map(FactName::as_str).collect::<Vec<_>>(),
        "asked": said.asked.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "uses": said.uses,
        "host_calls": said.host_calls,
        "elapsed_us": words::microseconds(said.elapsed),
        "memory_bytes": said.memory_bytes,
        "lines": lines.collect::<Vec<_>>(),
    })
}

fn for_people(plugin: &Plugin, said: &Attestation, pid: i32) -> String {
    let mut lines = vec![format!(
        "{} {} about process {pid}: {}",
        plugin.name(),
        plugin.toml().version,
        said.outcome
    )];
    let mut list = |title: &str, items: Vec<String>| {
        let titles = std::iter::once(title).chain(std::iter::repeat(""));
        lines.extend(titles.zip(items).map(|(title, item)| format!("  {title:<10} {item}")));
    };
    let worth = said.selectors.iter().map(|one| format!("{} [{}]", one.selector, one.assurance));
    list("selectors", worth.collect());
    list("unknown", said.unknown.iter().map(|u| format!("{}: {}", u.key, u.reason)).collect());
    list("facts read", said.facts_read.iter().map(|fact| fact.to_string()).collect());
    list("asked", said.asked.iter().map(ToString::to_string).collect());
    list("exchanges", said.uses.iter().map(of_use).collect());
    let memory = usize::try_from(said.memory_bytes).unwrap_or(usize::MAX);
    let cost = format!(
        "{} host calls, {}, {} of memory",
        said.host_calls,
        words::time(said.elapsed),
        words::size(memory)
    );
    list("cost", vec![cost]);
    let (written, dropped) = plugin.lines();
    list("wrote", written.iter().map(|line| format!("{:?}: {}", line.level, line.text)).collect());
    if dropped > 0 {
        list("", vec![format!("and {dropped} lines too many at once")]);
    }
    lines.join("\n")
}

fn of_use(used: &Use) -> String {
    match used {
        Use::Cache { scope, key, age_ms } => {
            format!("cache {} {key:?}, {age_ms} ms old", scope.as_str())
        }
        Use::Endpoint { endpoint, request, outcome, elapsed_ms } => {
            format!("{endpoint}: {request}: {outcome} in {elapsed_ms} ms")
        }
    }
}
