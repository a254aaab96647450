use witgate_facts::FactName;

use super::Told;
use crate::{
    bindings::witgate::attestor::process::{CredentialSet, Host, NameSet, PrivilegeSet},
    sandbox::Sandbox,
};

impl Host for Sandbox {
    fn credentials(&mut self) -> Told<CredentialSet> {
        self.fact(FactName::ProcessCredentials, |facts| {
            let known = facts.credentials()?;
            Ok(CredentialSet { uid: known.uid, gid: known.gid, groups: known.groups.clone() })
        })
    }

    fn names(&mut self) -> Told<NameSet> {
        self.fact(FactName::ProcessNames, |facts| {
            let known = facts.names()?.clone();
            Ok(NameSet { user: known.user, group: known.group, groups: known.groups })
        })
    }

    fn label(&mut self) -> Told<String> {
        self.fact(FactName::ProcessLabel, |facts| facts.label().map(str::to_owned))
    }

    fn privileges(&mut self) -> Told<PrivilegeSet> {
        self.fact(FactName::ProcessPrivileges, |facts| {
            let known = facts.privileges()?;
            Ok(PrivilegeSet {
                seccomp: known.seccomp,
                no_new_privs: known.no_new_privs,
                inheritable: known.inheritable,
                permitted: known.permitted,
                effective: known.effective,
                bounding: known.bounding,
                ambient: known.ambient,
            })
        })
    }

    fn state(&mut self) -> Told<String> {
        self.fact(FactName::ProcessState, |facts| facts.state().map(String::from))
    }

    fn start_time(&mut self) -> Told<u64> {
        self.fact(FactName::ProcessStartTime, |facts| facts.start_time())
    }

    fn comm(&mut self) -> Told<Vec<u8>> {
        self.fact(FactName::ProcessComm, |facts| facts.comm().map(<[u8]>::to_vec))
    }
}
