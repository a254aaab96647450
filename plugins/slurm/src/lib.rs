//! The attestor `slurm`: in which job and step of Slurm a process runs, as its control groups tell.
//!
//! Only directories that nobody but root could have made count; `README.md` has the details.

mod job;

use witgate_sdk::{Attestor, Failure, Key, Manifest, Report, facts::cgroups};

use crate::job::{Job, JobId, locate};

/// The attestor.
struct Slurm;

impl Attestor for Slurm {
    fn describe() -> Manifest {
        let key = |word, meaning, example| {
            let key = Key::new(word, meaning, example);
            key.derived_from(&["cgroups.trusted"]).stable().single()
        };
        Manifest::new()
            .key(key("job_id", "number of the job", "3385"))
            .key(key(
                "sluid",
                "id of the job, if its control group is named after that",
                "s5K1KKYAYG5D00",
            ))
            .key(key("step", "step of the job: a number, batch, extern or interactive", "0"))
            .key(key("task", "task of the step", "0"))
            .key(key("node", "node, where several share a host", "node1"))
    }

    fn attest() -> Result<Report, Failure> {
        let hierarchies = cgroups::trusted()?;
        let (job, delegated) = locate(&hierarchies)?.ok_or(Failure::NotApplicable)?;
        Ok(report(&job, delegated))
    }
}

/// What is missing on a path that goes on where somebody else may write is not known.
fn report(job: &Job<'_>, delegated: bool) -> Report {
    let report = match job.id {
        JobId::Number(id) => Report::new().selector("job_id", id),
        JobId::Sluid(id) => Report::new().selector("sluid", id),
    };
    let report = report.selector_each("node", job.node);
    [("step", job.step), ("task", job.task)].into_iter().fold(report, |report, (key, found)| {
        match found {
            Some(value) => report.selector(key, value),
            None if delegated => report.unknown(key, DELEGATED),
            None => report,
        }
    })
}

const DELEGATED: &str = "its control group was given to somebody else than root";

witgate_sdk::export!(Slurm, "plugin.toml");

#[cfg(test)]
mod tests {
    use witgate_sdk::testing::{check_fixtures, check_readme};

    use super::*;

    // #38, #39
    #[test]
    fn every_fixture_gives_its_expected_report() {
        check_fixtures::<Slurm>("fixtures");
    }

    #[test]
    fn the_readme_says_what_the_manifest_says() {
        check_readme::<Slurm>("README.md");
    }
}
