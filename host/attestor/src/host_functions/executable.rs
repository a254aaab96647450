use witgate_facts::FactName;

use super::Told;
use crate::{
    Question,
    bindings::witgate::attestor::executable::{Host, Program},
    sandbox::Sandbox,
};

impl Host for Sandbox {
    fn info(&mut self) -> Told<Program> {
        self.fact(FactName::ExecutableInfo, |facts| {
            let known = facts.executable()?;
            Ok(Program {
                path: known.path.clone(),
                device: known.device,
                inode: known.inode,
                size: known.size,
                deleted: known.deleted,
                same_on_host: known.same_on_host,
            })
        })
    }

    fn doubts(&mut self) -> Told<Vec<String>> {
        self.fact(FactName::ExecutableDoubts, |facts| {
            Ok(facts.doubts()?.iter().map(ToString::to_string).collect())
        })
    }

    async fn sha256(&mut self) -> Told<String> {
        let fact = FactName::ExecutableSha256;
        let source = self.source(fact, || Question::Fact(fact))?;
        Ok(self.wait_for(fact, source.executable_sha256()).await)
    }
}
