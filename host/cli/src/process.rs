//! A live process as a source of facts, for commands that work without a daemon.

use std::{
    os::fd::AsFd,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use witgate_endpoints::{EndpointConfig, EndpointSettings, NamedEndpoints};
use witgate_facts::FactSet;
use witgate_peer::{
    Connected, FactReader, Kernel, Observed, PeerError, Pid, ProcessFacts, ReadSettings, Subject,
};

use crate::exit::{Exit, Failure, with_causes};

/// How long a plugin may take in all: what a decision may take if nothing else is configured.
const PATIENCE: Duration = Duration::from_secs(5);

/// The facts about the process that has this number now.
pub(crate) async fn observe(pid: i32) -> Result<Arc<ProcessFacts>, Failure> {
    let kernel = kernel()?;
    let number = Pid::new(pid)
        .ok_or_else(|| Failure::new(Exit::Usage, format!("{pid} is not a process number")))?;
    let failed = |error: PeerError| match error {
        PeerError::PeerExited => gone(pid),
        error => Failure::unavailable(format!("process {pid}: {}", with_causes(&error))),
    };
    let subject = Subject::<Observed>::observe(number, &kernel).map_err(failed)?;
    let reader = FactReader::new(&kernel, ReadSettings::default());
    subject.collect(FactSet::all(), &reader).await.map_err(failed)
}

/// The facts about the process on the other end of a socket, and its number.
pub(crate) async fn accept(socket: impl AsFd) -> Result<(Arc<ProcessFacts>, i32), Failure> {
    let kernel = kernel()?;
    let failed = |error: PeerError| {
        Failure::unavailable(format!("the process that connected: {}", with_causes(&error)))
    };
    let subject = Subject::<Connected>::accept(socket, &kernel).map_err(failed)?;
    let reader = FactReader::new(&kernel, ReadSettings::default());
    let facts = subject.collect(FactSet::all(), &reader).await.map_err(failed)?;
    Ok((facts, subject.pid().as_raw()))
}

fn kernel() -> Result<Kernel, Failure> {
    Kernel::probe().map_err(|error| Failure::unavailable(with_causes(&error)))
}

/// A process that is not there any more.
pub(crate) fn gone(pid: i32) -> Failure {
    let message = format!(
        "there is no process {pid}, or it has exited; nothing is wrong with the plugin. Give the \
         number of a process that runs"
    );
    Failure::unavailable(message)
}

/// When a plugin that is called now has to be done.
pub(crate) fn deadline() -> Instant {
    Instant::now() + PATIENCE
}

/// Endpoints of the command line, all together.
pub(crate) fn endpoints(configs: &[EndpointConfig]) -> Arc<NamedEndpoints> {
    Arc::new(NamedEndpoints::new(configs.iter().cloned()))
}

/// Reads `NAME=unix:/PATH`. An author's own command may ask for everything there.
pub(crate) fn endpoint(text: &str) -> Result<EndpointConfig, String> {
    let form = "write it like docker=unix:/run/docker.sock";
    let (name, place) = text.split_once('=').ok_or(form)?;
    let path = place.strip_prefix("unix:").ok_or(form)?;
    let words = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect());
    let settings = EndpointSettings {
        unix: Some(PathBuf::from(path)),
        methods: words(&["GET", "HEAD", "POST"]),
        paths: words(&["/**"]),
        ..EndpointSettings::default()
    };
    EndpointConfig::new(name, &settings)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}
