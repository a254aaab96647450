//! `witgate audit verify`.

use std::io::ErrorKind;

use serde::Serialize;
use witgate_daemon::config::Config;
use witgate_decision::audit::{self, VerifyError, VerifyReport};

use crate::{
    args::{Place, VerifyOptions},
    exit::{Exit, Failure, with_causes},
    output::{say, say_json},
};

/// A log in order, as JSON.
#[derive(Debug, Serialize)]
struct InOrder<'a> {
    ok: bool,
    #[serde(flatten)]
    report: &'a VerifyReport,
}

/// The first bad record, as JSON, or why there was nothing to verify.
#[derive(Debug, Serialize)]
struct NotInOrder<'a> {
    ok: bool,
    file: Option<&'a str>,
    line: Option<u64>,
    seq: Option<u64>,
    error: String,
}

/// Checks the whole log; exits 1 and names the first bad record if there is one.
pub(crate) fn verify(place: &Place, options: &VerifyOptions) -> Result<Exit, Failure> {
    let layout = place.layout()?;
    let state = Config::read(&layout).map_or(layout.state, |config| config.layout.state);
    match audit::verify(&state.join("audit"), options.head.as_deref()) {
        Ok(report) if options.form.json => say_json(&InOrder { ok: true, report: &report })?,
        Ok(report) => say(&for_people(&report)),
        Err(error) => {
            if options.form.json {
                say_json(&NotInOrder::from(&error))?;
            }
            return Err(Failure::new(exit_of(&error), with_causes(&error)));
        }
    }
    Ok(Exit::Ok)
}

fn for_people(report: &VerifyReport) -> String {
    let head = format!(
        "the log is in order: {} records in {} files, {} checkpoints, {} records behind the last\nhead {}",
        report.records, report.files, report.checkpoints, report.unsigned, report.head
    );
    let notes = report.notes.iter();
    let notes = notes.map(|note| format!("note: {}:{}: {}", note.file, note.line, note.text));
    std::iter::once(head).chain(notes).collect::<Vec<_>>().join("\n")
}

impl<'a> From<&'a VerifyError> for NotInOrder<'a> {
    fn from(error: &'a VerifyError) -> Self {
        let (file, line, seq) = match error {
            VerifyError::Bad { file, line, seq, .. } => (Some(file.as_str()), Some(*line), *seq),
            _ => (None, None, None),
        };
        Self { ok: false, file, line, seq, error: with_causes(error) }
    }
}

fn exit_of(error: &VerifyError) -> Exit {
    match error {
        VerifyError::Head { .. } => Exit::Usage,
        VerifyError::Io { source, .. } => match source.kind() {
            ErrorKind::NotFound => Exit::Config,
            ErrorKind::PermissionDenied => Exit::Permission,
            _ => Exit::Internal,
        },
        _ => Exit::Deny,
    }
}
