use witgate_facts::FactName;

use super::Told;
use crate::{Question, bindings::witgate::attestor::cmdline::Host, sandbox::Sandbox};

impl Host for Sandbox {
    async fn arguments(&mut self) -> Told<Vec<Vec<u8>>> {
        let fact = FactName::CmdlineArguments;
        let source = self.source(fact, || Question::Fact(fact))?;
        Ok(self.wait_for(fact, source.cmdline()).await)
    }
}
