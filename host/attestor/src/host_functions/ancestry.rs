use std::sync::Arc;

use witgate_facts::FactName;

use super::Told;
use crate::{
    bindings::witgate::attestor::ancestry::{Ancestor, Host},
    sandbox::Sandbox,
};

impl Host for Sandbox {
    async fn parents(&mut self) -> Told<Vec<Ancestor>> {
        let fact = FactName::AncestryParents;
        let (source, clock) = (self.source(fact)?, Arc::clone(&self.clock));
        let waiting = clock.wait();
        let found = source.ancestry().await;
        drop(waiting);
        let entry = |known: witgate_facts::Ancestor| Ancestor {
            uid: known.uid,
            gid: known.gid,
            comm: known.comm,
            executable: known.executable,
            start_time: known.start_time,
        };
        Ok(self.note(fact, found.map(|parents| parents.into_iter().map(entry).collect())))
    }
}
