use witgate_facts::FactName;

use super::Told;
use crate::{
    Question,
    bindings::witgate::attestor::ancestry::{Ancestor, Host},
    sandbox::Sandbox,
};

impl Host for Sandbox {
    async fn parents(&mut self) -> Told<Vec<Ancestor>> {
        let fact = FactName::AncestryParents;
        let source = self.source(fact, || Question::Fact(fact))?;
        let found = self.wait_for(fact, source.ancestry()).await;
        Ok(found.map(|parents| parents.into_iter().map(Into::into).collect()))
    }
}

impl From<witgate_facts::Ancestor> for Ancestor {
    fn from(known: witgate_facts::Ancestor) -> Self {
        Self {
            uid: known.uid,
            gid: known.gid,
            comm: known.comm.0,
            executable: known.executable,
            start_time: known.start_time,
        }
    }
}
