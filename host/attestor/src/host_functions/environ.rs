use witgate_facts::{Capability, FactName};

use super::Told;
use crate::{Question, bindings::witgate::attestor::environ::Host, sandbox::Sandbox};

impl Host for Sandbox {
    async fn variable(&mut self, name: String) -> Told<Option<Vec<u8>>> {
        self.may("environ.variable", &name, &Capability::Variable(name.clone()))?;
        let fact = FactName::EnvironVariables;
        let source = self.source(fact, || Question::Variable(name.clone()))?;
        Ok(self.wait_for(fact, source.variable(&name)).await)
    }
}
