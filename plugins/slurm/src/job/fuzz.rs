//! Fuzz target: the reader of job paths, against a reference that takes a path apart from its end.

use witgate_testkit::fuzz_target;

use super::{Job, JobId, NotAbsolute};

#[test]
fn job_paths() {
    let words = &[
        "/system.slice/slurmstepd.scope/",
        "/system.slice/n1_slurmstepd.scope/",
        "/slurm/uid_1000/",
        "/slurm_n1/uid_0/",
        "job_3385",
        "s5K1KKYAYG5D00",
        "/step_0",
        "/step_batch",
        "/user/task_0",
        "/task_1",
        "/slurm",
        "..",
        "/",
        "_",
        "\x1b[2J",
        "\u{e9}",
    ];
    fuzz_target!("job_paths").words(words).check(|input| {
        let text = String::from_utf8_lossy(input);
        match Job::of(&text) {
            Err(NotAbsolute) => {
                assert!(!text.starts_with('/') || text.split('/').any(|d| d == ".."));
            }
            Ok(None) => {}
            Ok(Some(job)) => starts_as(&text, &job),
        }
    });
}

/// A job that was found can be put together again, and the path begins with it.
fn starts_as(text: &str, job: &Job<'_>) {
    let node = |before: &str, after: &str| match job.node {
        Some(node) => format!("{before}{node}{after}"),
        None => String::new(),
    };
    let step = job.step.map(|step| format!("/step_{step}")).unwrap_or_default();
    let unified = match job.id {
        JobId::Number(id) => {
            format!("/system.slice/{}slurmstepd.scope/job_{id}{step}", node("", "_"))
        }
        JobId::Sluid(id) => format!("/system.slice/{}slurmstepd.scope/{id}{step}", node("", "_")),
    };
    let of_version_1 = || match job.id {
        JobId::Number(id) => {
            text.starts_with(&format!("/slurm{}/uid_", node("_", "")))
                && text.contains(&format!("/job_{id}{step}"))
        }
        JobId::Sluid(_) => false,
    };
    assert!(text.starts_with(&unified) || of_version_1(), "{text:?}");
    assert!(job.task.is_none() || job.step.is_some());
    assert!(job.task.is_none_or(|task| text.contains(&format!("/task_{task}"))));
}
