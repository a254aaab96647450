use witgate_facts::{CgroupClaim, CgroupTrust, FactName};

use super::Told;
use crate::{
    bindings::witgate::attestor::cgroups::{ClaimedEntry, Host, TrustedEntry},
    sandbox::Sandbox,
};

impl Host for Sandbox {
    fn trusted(&mut self) -> Told<Vec<TrustedEntry>> {
        let entry = |known: &CgroupTrust| TrustedEntry {
            hierarchy: known.hierarchy,
            controllers: known.controllers.clone(),
            prefix: known.prefix.clone(),
            delegated: known.delegated,
            mounted: known.mounted,
        };
        self.fact(FactName::CgroupsTrusted, |facts| {
            Ok(facts.cgroups_trusted()?.iter().map(entry).collect())
        })
    }

    fn claimed(&mut self) -> Told<Vec<ClaimedEntry>> {
        let entry = |known: &CgroupClaim| ClaimedEntry {
            hierarchy: known.hierarchy,
            controllers: known.controllers.clone(),
            path: known.path.clone(),
        };
        self.fact(FactName::CgroupsClaimed, |facts| {
            Ok(facts.cgroups_claimed()?.iter().map(entry).collect())
        })
    }
}
