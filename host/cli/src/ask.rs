//! `attest`, `whoami`, `watch`: the workload's side.

use witgate_client::ClientError;
use witgate_protocol::{Decision, Outcome, frame::json_line};

use crate::{
    args::{Form, Place},
    exit::{Exit, Failure, with_causes},
    output::{complain, say, say_json},
};

/// What every human answer ends with: this attested `witgate`, which is seldom what one wants.
const ABOUT_ITSELF: &str = "note: this is about the program `witgate`, run by you; for a service see `witgate why --unit NAME` or --pid";

/// `witgate attest`.
pub(crate) fn attest(place: &Place, form: Form) -> Result<Exit, Failure> {
    let outcome = place.client()?.decide().map_err(|error| of_client(&error))?;
    if form.json {
        say_json(&outcome)?;
    } else {
        say(&outcome.for_people());
        complain(ABOUT_ITSELF);
    }
    Ok(exit_of(&outcome))
}

fn exit_of(outcome: &Outcome) -> Exit {
    match outcome.decision() {
        Some(Decision::Allow) => Exit::Ok,
        Some(Decision::Deny) => Exit::Deny,
        Some(Decision::Unavailable) => Exit::Unavailable,
        None => Exit::Internal,
    }
}

/// `witgate whoami`.
pub(crate) fn whoami(place: &Place, form: Form) -> Result<Exit, Failure> {
    let answer = place.client()?.whoami().map_err(|error| of_client(&error))?;
    if form.json {
        say_json(&answer)?;
    } else {
        say(&answer.for_people());
    }
    Ok(Exit::Ok)
}

/// `witgate watch`: until the daemon or we end.
pub(crate) fn watch(place: &Place, form: Form) -> Result<Exit, Failure> {
    let mut last = Exit::Ok;
    for event in place.client()?.watch().map_err(|error| of_client(&error))? {
        let event = event.map_err(|error| of_client(&error))?;
        if form.json {
            let line = json_line(&event).map_err(Failure::internal)?;
            say(&String::from_utf8_lossy(&line));
        } else {
            say(&event.for_people());
        }
        last = event.outcome().map_or(Exit::Unavailable, exit_of);
    }
    Ok(last)
}

fn of_client(error: &ClientError) -> Failure {
    if let ClientError::Refused(problem) = error {
        let exit = exit_of(&Outcome::Refuse(Clone::clone(problem)));
        return Failure::new(exit, problem.for_people());
    }
    let exit = match error {
        ClientError::NoPermission { .. } => Exit::Permission,
        _ => Exit::Unavailable,
    };
    Failure::new(exit, with_causes(error))
}
