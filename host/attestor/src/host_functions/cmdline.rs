use std::sync::Arc;

use witgate_facts::FactName;

use super::Told;
use crate::{bindings::witgate::attestor::cmdline::Host, sandbox::Sandbox};

impl Host for Sandbox {
    async fn arguments(&mut self) -> Told<Vec<Vec<u8>>> {
        let fact = FactName::CmdlineArguments;
        let (source, clock) = (self.source(fact)?, Arc::clone(&self.clock));
        let waiting = clock.wait();
        let found = source.cmdline().await;
        drop(waiting);
        Ok(self.note(fact, found))
    }
}
