//! `witgate why`.

use hyper::Method;
use serde::Deserialize;
use witgate_decision::why::{Detail, Why, render};

use crate::{
    admin_client::{ask, quoted},
    args::{Place, WhyOptions},
    exit::{Exit, Failure},
    output::{say, say_json},
};

/// What of a page is used here.
#[derive(Debug, Deserialize)]
struct Page {
    decisions: Vec<Summary>,
    next: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Summary {
    repeats: u64,
    #[serde(flatten)]
    why: Why,
}

/// Explains one decision, or lists refusals.
pub(crate) fn why(place: &Place, options: &WhyOptions) -> Result<Exit, Failure> {
    let socket = place.admin_socket()?;
    if let Some(pid) = options.pid {
        return show(place, options, &format!("/api/v1/why/pid/{pid}"));
    }
    if let Some(id) = &options.decision {
        return show(place, options, &format!("/api/v1/decisions/{}", quoted(id)));
    }
    if options.last && listing(options) == "/api/v1/decisions?limit=1" {
        return show(place, options, "/api/v1/decisions/last");
    }
    let page: Page = ask(&socket, Method::GET, &listing(options))?.or_problem()?.json()?;
    if options.denied && !options.last {
        return list(options, &page);
    }
    match page.decisions.first() {
        Some(newest) => show(place, options, &format!("/api/v1/decisions/{}", newest.why.id)),
        None => Err(Failure::new(
            Exit::Deny,
            "no such decision among the recent ones; see `witgate status` for how far back they reach",
        )),
    }
}

fn listing(options: &WhyOptions) -> String {
    let mut query = vec![format!("limit={}", if options.denied && !options.last { 50 } else { 1 })];
    if options.denied {
        query.push("decision=refused".to_owned());
    }
    if let Some(unit) = &options.unit {
        query.push(format!("unit={}", quoted(unit)));
    }
    if let Some(container) = &options.container {
        query.push(format!("container={}", quoted(container)));
    }
    if let Some(since) = &options.since {
        query.push(format!("since={}", quoted(since)));
    }
    format!("/api/v1/decisions?{}", query.join("&"))
}

fn show(place: &Place, options: &WhyOptions, path: &str) -> Result<Exit, Failure> {
    let detail: Detail = ask(&place.admin_socket()?, Method::GET, path)?.or_problem()?.json()?;
    if options.form.json {
        say_json(&detail)?;
    } else {
        say(&render(&detail));
    }
    Ok(Exit::Ok)
}

fn list(options: &WhyOptions, page: &Page) -> Result<Exit, Failure> {
    if options.form.json {
        let all: Vec<_> = page.decisions.iter().map(|summary| &summary.why).collect();
        say_json(&all)?;
        return Ok(Exit::Ok);
    }
    if page.decisions.is_empty() {
        say("no refusals");
    }
    for Summary { why, repeats } in &page.decisions {
        let program = why.you.exe.as_deref().unwrap_or("(program unknown)");
        let reason = why.reason.map_or("", witgate_protocol::Reason::as_str);
        let more = if *repeats > 0 { format!("  and {repeats} more") } else { String::new() };
        say(&format!(
            "{}  {}  {:<11} {reason:<20} uid {:<6} {program}{more}",
            why.time,
            why.id,
            why.verdict.as_str(),
            why.you.uid
        ));
    }
    if page.next.is_some() {
        say("more: --since narrows");
    }
    Ok(Exit::Ok)
}
