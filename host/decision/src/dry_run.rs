//! What would be decided about a process that did not ask.
//!
//! The subject of a dry run is [`Observed`]: nothing that is computed of it can be confirmed, so
//! nothing can be answered, whatever the entries say. The outcome is a [`Why`] and no more.

use std::sync::Arc;

use witgate_facts::{FactSet, FactSource};
use witgate_peer::{Observed, PeerError, Pid, Subject};

use crate::{
    Decider,
    draft::{Draft, Request},
    why::{Protocol, Why},
};

/// Why there is no dry run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DryRunError {
    /// Plugins and entries are not loaded yet.
    #[error("the daemon has not loaded its plugins and entries yet")]
    NotReady,
    /// Not a process number.
    #[error("{0} is not a process number")]
    NotAPid(i32),
    /// The process cannot be looked at.
    #[error(transparent)]
    Peer(#[from] PeerError),
}

impl Decider {
    /// What would be decided about the process that has this number now, with every fact read and
    /// every attestor asked for everything. Nothing is recorded and nothing can be granted.
    ///
    /// # Errors
    /// If there is no such process, it cannot be looked at, or nothing is loaded.
    pub async fn dry_run(&self, pid: i32) -> Result<Why, DryRunError> {
        let generation = self.generation().ok_or(DryRunError::NotReady)?;
        let pid = Pid::new(pid).ok_or(DryRunError::NotAPid(pid))?;
        let subject = Subject::<Observed>::observe(pid, self.kernel())?;
        let request = Request::begin(self.node(), &subject, Protocol::DryRun);
        let facts = subject.collect(FactSet::all(), self.reader()).await?;
        let source = Arc::clone(&facts) as Arc<dyn FactSource>;
        let plan = generation.plan_for_all();
        let said = generation.catalogue.attest(&plan, source, self.deadline()).await;
        let draft = Draft::new(&request, &generation, &subject, &facts, said);
        Ok(Why::clone(draft.why()))
    }
}
