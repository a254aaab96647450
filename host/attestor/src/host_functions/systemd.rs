use witgate_facts::{FactName, SystemdUnit};

use super::Told;
use crate::{
    Question,
    bindings::witgate::attestor::systemd::{Host, UnitInfo},
    sandbox::Sandbox,
};

impl Host for Sandbox {
    async fn unit(&mut self) -> Told<Option<UnitInfo>> {
        let fact = FactName::SystemdUnit;
        let source = self.source(fact, || Question::Fact(fact))?;
        let found = self.wait_for(fact, source.systemd_unit()).await;
        Ok(found.map(|unit| unit.map(Into::into)))
    }
}

impl From<SystemdUnit> for UnitInfo {
    fn from(unit: SystemdUnit) -> Self {
        Self {
            id: unit.id,
            fragment_path: unit.fragment_path,
            slice: unit.slice,
            active_state: unit.active_state,
            sub_state: unit.sub_state,
            invocation_id: unit.invocation_id,
            user: unit.user,
        }
    }
}
