//! `witgate plugin logs`.

use std::{thread, time::Duration};

use hyper::Method;
use witgate_admin::{LineView, LinesPage};
use witgate_attestor::LineLevel;

use super::args::LogsOptions;
use crate::{
    admin_client::{ask, quoted},
    args::Place,
    exit::{Exit, Failure},
    output::{complain, say},
};

/// How often a daemon is asked for what is new.
const PAUSE: Duration = Duration::from_millis(500);

/// Prints the lines that are kept, and with `--follow` those that come.
pub(crate) fn logs(place: &Place, options: &LogsOptions) -> Result<Exit, Failure> {
    let socket = place.admin_socket()?;
    let mut after = 0;
    loop {
        let path = format!("/api/v1/plugins/{}/lines?after={after}", quoted(options.name.as_str()));
        let page: LinesPage = ask(&socket, Method::GET, &path)?.or_problem()?.json()?;
        if page.dropped > 0 {
            complain(&format!("{} lines are not kept: too many at once, or too old", page.dropped));
        }
        for line in &page.lines {
            show(line, options)?;
        }
        if !options.follow {
            return Ok(Exit::Ok);
        }
        after = page.next;
        thread::sleep(PAUSE);
    }
}

fn show(line: &LineView, options: &LogsOptions) -> Result<(), Failure> {
    if options.form.json {
        say(&serde_json::to_string(line).map_err(Failure::internal)?);
        return Ok(());
    }
    let level = match line.level {
        LineLevel::Debug => "debug",
        LineLevel::Info => "info",
        LineLevel::Warn => "warn",
        LineLevel::Error => "error",
    };
    say(&format!("{:.3}  {level:<5}  {}", line.time, line.text));
    Ok(())
}
