//! `witgate plugin push`.

use std::fs;

use jiff::Timestamp;
use witgate_attestor::read_requests;
use witgate_provenance::{Owner, read_signature};
use witgate_registry::{Artifact, Info, PushError, push as upload};

use super::{
    args::PushOptions,
    pull::{access, runtime},
    source::{Source, of_read},
};
use crate::{
    exit::{Exit, Failure, with_causes},
    output::{say, say_json},
};

/// Puts a component where others can fetch it.
pub(crate) fn push(options: &PushOptions) -> Result<Exit, Failure> {
    let PushOptions { file, reference, form } = options;
    let source = Source::read(file, None)?;
    let signature = read_signature(file, Owner::Anyone).map_err(|error| of_read(&error))?;
    let toml = read_requests(source.component.bytes())
        .map_err(|error| Failure::new(Exit::Deny, format!("{}: {error}", file.display())))?;
    let info = Info {
        name: toml.name,
        version: toml.version,
        description: toml.description,
        created: created(&source),
    };
    let artifact = Artifact {
        component: &source.component,
        info: &info,
        signature: signature.as_deref(),
        floating_tags: false,
    };
    let pushed = runtime()?
        .block_on(upload(reference, artifact, &access(reference)?))
        .map_err(|error| of_push(&error))?;
    let pinned = reference.pinned(pushed.digest);
    if form.json {
        say_json(&serde_json::json!({
            "reference": pinned.to_string(), "tags": pushed.tags,
            "sha256": source.component.sha256().to_string(), "signed": signature.is_some(),
        }))?;
    } else {
        let signed = if signature.is_some() { "with its signature" } else { "without a signature" };
        say(&format!("pushed {pinned} {signed}\n  tags      {}", pushed.tags.join(", ")));
    }
    Ok(Exit::Ok)
}

/// When the file was made, so that the same file pushed again is the same artifact.
fn created(source: &Source) -> Timestamp {
    let modified = fs::metadata(&source.path).and_then(|found| found.modified()).ok();
    modified.and_then(|time| Timestamp::try_from(time).ok()).unwrap_or_default()
}

fn of_push(error: &PushError) -> Failure {
    let exit = match error {
        PushError::Connection(_) | PushError::TimedOut { .. } => Exit::Unavailable,
        _ => Exit::Deny,
    };
    Failure::new(exit, with_causes(error))
}
