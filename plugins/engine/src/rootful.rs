use witgate_sdk::{
    Failure, Report,
    containers::{Runtime, locate},
    facts::cgroups,
};

use crate::{Engine, RootfulSettings};

impl Engine {
    /// Reports on the container that the process is in by its control groups, as far as nobody but root
    /// could have made them.
    ///
    /// # Errors
    /// Not applicable, if it is in none, or in another runtime's; else as [`Engine::attest`]. Where the
    /// control group does not tell the runtime, the engine is asked.
    pub fn attest_rootful(
        &self,
        runtime: Runtime,
        settings: &RootfulSettings,
    ) -> Result<Report, Failure> {
        let hierarchies = cgroups::trusted()?;
        let located = locate(&hierarchies, settings.nested_below.as_ref())?;
        let ours = located.filter(|located| located.runtime.is_none_or(|found| found == runtime));
        let located = ours.ok_or(Failure::NotApplicable)?;
        self.attest(located.id, &settings.environment())
    }
}
