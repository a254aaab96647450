use witgate_facts::FactName;

use super::Told;
use crate::{
    bindings::witgate::attestor::namespaces::{Host, Namespace},
    sandbox::Sandbox,
};

impl Host for Sandbox {
    fn all(&mut self) -> Told<Vec<Namespace>> {
        let entry = |known: &witgate_facts::Namespace| Namespace {
            kind: known.kind.clone(),
            inode: known.inode,
            host: known.host,
        };
        self.fact(FactName::NamespacesAll, |facts| {
            Ok(facts.namespaces()?.iter().map(entry).collect())
        })
    }
}
