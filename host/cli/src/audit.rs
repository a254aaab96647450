//! `witgate audit verify`.

use witgate_daemon::config::Config;
use witgate_decision::audit;

use crate::{
    args::{Place, VerifyOptions},
    exit::{Exit, Failure},
    output::{say, say_json},
};

/// Checks the whole log; exits 1 and names the first bad record if there is one.
pub(crate) fn verify(place: &Place, options: &VerifyOptions) -> Result<Exit, Failure> {
    let layout = place.layout()?;
    let state = Config::read(&layout).map_or(layout.state, |config| config.layout.state);
    let report = audit::verify(&state.join("audit"), options.head.as_deref());
    match report {
        Ok(report) => {
            if options.form.json {
                say_json(&report)?;
            } else {
                say(&format!(
                    "the log is in order: {} records in {} files, {} checkpoints, {} records behind the last\nhead {}",
                    report.records, report.files, report.checkpoints, report.unsigned, report.head
                ));
                for note in &report.notes {
                    say(&format!("note: {}:{}: {}", note.file, note.line, note.text));
                }
            }
            Ok(Exit::Ok)
        }
        Err(error) => Err(Failure::new(Exit::Deny, error.to_string())),
    }
}
