//! `attest`, `whoami`, `watch`: the workload's side.

use std::os::fd::OwnedFd;

use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use witgate_client::ClientError;
use witgate_protocol::{Decision, Outcome, Reason, frame::json_line};

use crate::{
    args::{AttestOptions, Form, Place},
    exit::{Exit, Failure, with_causes},
    output::{complain, say, say_json},
};

/// What every human answer ends with: this attested `witgate`, which is seldom what one wants.
const ABOUT_ITSELF: &str = "note: this is about the program `witgate`, run by you; for a service see `witgate why --unit NAME` or --pid";

/// `witgate attest`.
pub(crate) fn attest(place: &Place, options: AttestOptions) -> Result<Exit, Failure> {
    let outcome = match options.for_fd {
        Some(number) => place.broker_client()?.decide_for(own_descriptor(number)?),
        None => place.client()?.decide(),
    };
    let outcome = outcome.map_err(|error| of_client(&error))?;
    if options.form.json {
        say_json(&outcome)?;
    } else {
        say(&outcome.for_people());
        if options.for_fd.is_none() {
            complain(ABOUT_ITSELF);
        }
    }
    Ok(exit_of(&outcome))
}

/// A descriptor that whoever started us left open. Taken out of our own process by its pidfd, for a mere
/// number says nothing about who owns what.
fn own_descriptor(number: i32) -> Result<OwnedFd, Failure> {
    let own = pidfd_open(getpid(), PidfdFlags::empty());
    own.and_then(|own| pidfd_getfd(own, number, PidfdGetfdFlags::empty()))
        .map_err(|errno| Failure::new(Exit::Usage, format!("descriptor {number}: {errno}")))
}

fn exit_of(outcome: &Outcome) -> Exit {
    match outcome.decision() {
        Some(Decision::Allow) => Exit::Ok,
        Some(Decision::Deny) => Exit::Deny,
        Some(Decision::Unavailable) => Exit::Unavailable,
        None => match outcome {
            Outcome::Refuse(problem) if problem.reason == Reason::NotABroker => Exit::Permission,
            Outcome::Refuse(problem) if problem.reason == Reason::BadRequest => Exit::Usage,
            _ => Exit::Internal,
        },
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
