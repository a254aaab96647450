//! `witgate entry check|test|suggest`.

use hyper::Method;
use jiff::Timestamp;
use witgate_attestor::{Engine, EngineConfig};
use witgate_daemon::load;
use witgate_decision::Generation;

use crate::{
    admin_client::{ask, quoted},
    args::{Form, Place},
    exit::{Exit, Failure},
    output::{say, say_json},
    serve::compiler,
};

/// Checks everything that a start or a reload would check, and prints who can get what.
pub(crate) fn check(place: &Place, form: Form) -> Result<Exit, Failure> {
    let generation = generation(place)?;
    let policy = &generation.policy;
    let now = Timestamp::now();
    let summaries: Vec<_> = policy.entries().map(|entry| entry.summary(now)).collect();
    if form.json {
        say_json(&summaries)?;
        return Ok(Exit::Ok);
    }
    for summary in &summaries {
        let identity = summary.identity.as_deref().unwrap_or("(none)");
        say(&format!("{}  {}  {identity}", summary.at, summary.action));
        say(&format!("    if     {}", summary.conditions));
        say(&format!("    guard  {}", summary.guard));
    }
    for warning in policy.warnings() {
        say(&format!("warning: {warning}"));
    }
    say(&format!("{} entries, revision {}", summaries.len(), policy.revision()));
    Ok(Exit::Ok)
}

/// The in-file tests run whenever entries are loaded; this says that they passed.
pub(crate) fn test(place: &Place, form: Form) -> Result<Exit, Failure> {
    let generation = generation(place)?;
    let passed = generation.policy.tests_passed();
    if form.json {
        say_json(&serde_json::json!({ "passed": passed, "failed": 0 }))?;
    } else {
        say(&format!("{passed} tests passed"));
    }
    Ok(Exit::Ok)
}

/// Prints an entry to paste.
pub(crate) fn suggest(place: &Place, decision: &str, form: Form) -> Result<Exit, Failure> {
    let path = format!("/api/v1/decisions/{}/suggest", quoted(decision));
    let answer = ask(&place.admin_socket()?, Method::GET, &path)?.or_problem()?;
    if form.json {
        say_json(&serde_json::json!({ "entry": answer.text() }))?;
    } else {
        say(&answer.text());
    }
    Ok(Exit::Ok)
}

/// Loads as the daemon would, with compiled plugins in a folder of this call's own: a check needs
/// no right to the daemon's state.
fn generation(place: &Place) -> Result<Generation, Failure> {
    if let Some(dir) = place.folder()?.filter(|dir| !dir.is_dir()) {
        return Err(Failure::config(format!("{}: there is no such folder", dir.display())));
    }
    let config = place.config()?;
    let store = tempfile::tempdir().map_err(Failure::internal)?;
    let compiler = compiler(config.call_filter)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Failure::internal)?;
    runtime.block_on(async {
        let engine = Engine::new(EngineConfig::new(store.path().join("compiled"), compiler))
            .map_err(Failure::internal)?;
        load::load(&config, &engine, 1).await.map_err(|errors| Failure::config(errors.to_string()))
    })
}
