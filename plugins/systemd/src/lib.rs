//! The attestor `systemd`: in which unit a process runs, as its control groups tell.
//!
//! The service manager names a control group after each unit. Only directories that nobody but root
//! could have made count, and of those the one nearest to the root; what a user's own manager
//! names is worth what a user says. `README.md` has the details.

mod hierarchy;
mod keys;
mod place;
mod report;
mod unit_name;

use witgate_sdk::{Attestor, Failure, Manifest, Report, facts::cgroups, wants};

use crate::{
    hierarchy::{claim, locate},
    place::Place,
};

/// The attestor.
struct Systemd;

impl Attestor for Systemd {
    fn describe() -> Manifest {
        keys::manifest()
    }

    fn attest() -> Result<Report, Failure> {
        let trusted = cgroups::trusted()?;
        let report = report::report(&locate(&trusted)?)?;
        Ok(if wants(keys::USER_UNIT) { with_user_unit(report) } else { report })
    }
}

fn with_user_unit(report: Report) -> Report {
    let claimed = match cgroups::claimed() {
        Ok(claimed) => claimed,
        Err(error) => return report.unknown(keys::USER_UNIT, error),
    };
    match claim(&claimed) {
        Ok(place) => {
            let unit = place.as_ref().and_then(Place::user_unit);
            report.selector_each(keys::USER_UNIT, unit.map(|unit| unit.id))
        }
        Err(Failure::Failed(reason)) => report.unknown(keys::USER_UNIT, reason),
        Err(_) => report.unknown(keys::USER_UNIT, "its control groups do not tell"),
    }
}

witgate_sdk::export!(Systemd, "plugin.toml");

#[cfg(test)]
mod tests {
    use witgate_sdk::testing::{check_fixtures, check_readme};

    use super::*;

    // #38, #39
    #[test]
    fn every_fixture_gives_its_expected_report() {
        check_fixtures::<Systemd>("fixtures");
    }

    #[test]
    fn the_readme_says_what_the_manifest_says() {
        check_readme::<Systemd>("README.md");
    }
}
