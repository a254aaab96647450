//! `witgate plugin build`.

use super::{args::ProjectOptions, source, words};
use crate::{
    exit::{Exit, Failure},
    output::{say, say_json},
};

/// Builds, and says what came out.
pub(crate) fn build(options: &ProjectOptions) -> Result<Exit, Failure> {
    let built = source::build(&options.project)?;
    if options.form.json {
        say_json(&serde_json::json!({
            "component": built.component, "bytes": built.bytes, "sha256": built.sha256,
            "took_ms": words::milliseconds(built.took),
        }))?;
    } else {
        say(&format!(
            "{}\n  {}, sha256 {}, in {}",
            built.component.display(),
            words::size(built.bytes),
            built.sha256,
            words::time(built.took)
        ));
    }
    Ok(Exit::Ok)
}
