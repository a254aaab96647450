use witgate_sdk::{Failure, facts::cgroups::TrustedEntry};

/// What Slurm runs, as the path of a control group tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Job<'p> {
    /// Which job.
    pub(crate) id: JobId<'p>,
    /// The step: a number, `batch`, `extern`, `interactive`.
    pub(crate) step: Option<&'p str>,
    /// The task within the step.
    pub(crate) task: Option<&'p str>,
    /// The node, where several of Slurm's daemons share a host.
    pub(crate) node: Option<&'p str>,
}

/// A job has a number, and where it is told to, Slurm names its control group after another id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobId<'p> {
    /// The number that users see.
    Number(&'p str),
    /// The id that is unique in a cluster for all time.
    Sluid(&'p str),
}

/// Why a path is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotAbsolute;

impl<'p> Job<'p> {
    /// The job on a path, if it leads into one. Slurm's directory has to stand where Slurm puts it:
    /// below the root, and not below a container.
    ///
    /// # Errors
    /// If the path does not begin with a slash or climbs: it was read from another cgroup namespace.
    pub(crate) fn of(path: &'p str) -> Result<Option<Self>, NotAbsolute> {
        let inside = path.strip_prefix('/').ok_or(NotAbsolute)?;
        if inside.split('/').any(|directory| directory == "..") {
            return Err(NotAbsolute);
        }
        let directories: Vec<&str> = inside.split('/').collect();
        Ok(match directories.as_slice() {
            ["system.slice", scope, job, below @ ..] => Self::unified(scope, job, below),
            [slurm, uid, job, below @ ..] => Self::version_1(slurm, uid, job, below),
            _ => None,
        })
    }

    /// `/system.slice/[<node>_]slurmstepd.scope/job_<id>/step_<id>/user/task_<id>`.
    fn unified(scope: &'p str, job: &'p str, below: &[&'p str]) -> Option<Self> {
        let before = scope.strip_suffix("slurmstepd.scope")?;
        let node = if before.is_empty() { None } else { Some(before.strip_suffix('_')?) };
        let id = match job.strip_prefix("job_") {
            Some(number) => JobId::Number(number).valid()?,
            None => JobId::Sluid(job).valid()?,
        };
        Some(Self { node, ..Self::with_step(id, below) })
    }

    /// `/slurm[_<node>]/uid_<uid>/job_<id>/step_<id>/task_<id>`, with control groups of version 1.
    fn version_1(slurm: &'p str, uid: &str, job: &'p str, below: &[&'p str]) -> Option<Self> {
        let node = match slurm.strip_prefix("slurm")? {
            "" => None,
            behind => Some(behind.strip_prefix('_')?),
        };
        is_number(uid.strip_prefix("uid_")?).then_some(())?;
        let id = JobId::Number(job.strip_prefix("job_")?).valid()?;
        Some(Self { node, ..Self::with_step(id, below) })
    }

    fn with_step(id: JobId<'p>, below: &[&'p str]) -> Self {
        let mut below = below.iter().copied();
        let step = below.next().and_then(|step| step.strip_prefix("step_")).filter(|s| is_word(s));
        // On the unified hierarchy tasks are below `user`, and Slurm's own processes below `slurm`.
        let task = step.and_then(|_| below.find(|directory| *directory != "user"));
        let task = task.and_then(|task| task.strip_prefix("task_")).filter(|task| is_word(task));
        Self { id, step, task, node: None }
    }

    /// What both tell, if they do not contradict. Version 1 has a path in each hierarchy, and they
    /// are not all as deep.
    fn merged(self, other: Self) -> Option<Self> {
        let same = self.id == other.id
            && compatible(self.node, other.node)
            && compatible(self.step, other.step)
            && compatible(self.task, other.task);
        same.then_some(Self {
            id: self.id,
            step: self.step.or(other.step),
            task: self.task.or(other.task),
            node: self.node.or(other.node),
        })
    }
}

impl JobId<'_> {
    fn valid(self) -> Option<Self> {
        let valid = match self {
            Self::Number(number) => is_number(number),
            Self::Sluid(sluid) => {
                let digits = sluid.strip_prefix('s').unwrap_or_default();
                !digits.is_empty() && digits.bytes().all(|byte| BASE_32.contains(&byte))
            }
        };
        valid.then_some(self)
    }
}

/// Crockford's digits, which Slurm writes in upper case: its own directory `system` is no job.
const BASE_32: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+-.".contains(&byte))
}

fn compatible(left: Option<&str>, right: Option<&str>) -> bool {
    left.is_none() || right.is_none() || left == right
}

/// What all hierarchies that name a job agree on, and whether somebody else than root may write on
/// the way of one of them, so that what is further down is not known.
///
/// # Errors
/// If no hierarchy is mounted, one cannot be read from here, or they name different jobs.
pub(crate) fn locate(entries: &[TrustedEntry]) -> Result<Option<(Job<'_>, bool)>, Failure> {
    if !entries.iter().any(|entry| entry.mounted) {
        let reason = "no control group hierarchy is mounted where the daemon runs";
        return Err(Failure::Unavailable(reason.to_owned()));
    }
    let (mut located, mut delegated) = (None, false);
    for entry in entries.iter().filter(|entry| entry.mounted) {
        let found = Job::of(&entry.prefix).map_err(|NotAbsolute| foreign())?;
        let Some(found) = found else { continue };
        delegated |= entry.delegated;
        located = Some(match located {
            None => found,
            Some(before) => found.merged(before).ok_or_else(disagreement)?,
        });
    }
    Ok(located.map(|job| (job, delegated)))
}

fn foreign() -> Failure {
    Failure::Failed("a path was read from another cgroup namespace".to_owned())
}

fn disagreement() -> Failure {
    Failure::Failed("the hierarchies name different jobs or steps".to_owned())
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod tests {
    use super::*;

    /// Id, step, task, node.
    type Parts<'p> = (&'p str, Option<&'p str>, Option<&'p str>, Option<&'p str>);

    fn job(path: &str) -> Option<Parts<'_>> {
        let job = Job::of(path).unwrap()?;
        let (JobId::Number(id) | JobId::Sluid(id)) = job.id;
        Some((id, job.step, job.task, job.node))
    }

    #[test]
    fn jobs_are_where_slurm_puts_them() {
        let scope = "/system.slice/slurmstepd.scope";
        for (path, expected) in [
            ("/s5K1KKYAYG5D00/step_0/user/task_0", ("s5K1KKYAYG5D00", Some("0"), Some("0"), None)),
            ("/job_3385/step_batch/slurm", ("3385", Some("batch"), None, None)),
            (
                "/job_42/step_extern/user/task_special",
                ("42", Some("extern"), Some("special"), None),
            ),
            ("/job_1/step_4+1/user/task_2", ("1", Some("4+1"), Some("2"), None)),
            ("/job_1", ("1", None, None, None)),
            ("/job_1/x/step_2", ("1", None, None, None)),
        ] {
            assert_eq!(job(&format!("{scope}{path}")), Some(expected));
        }
        let node = "/system.slice/node1_slurmstepd.scope/job_100/step_1/slurm";
        assert_eq!(job(node), Some(("100", Some("1"), None, Some("node1"))));
        let version_1 = "/slurm_n2/uid_1000/job_7/step_0/task_3";
        assert_eq!(job(version_1), Some(("7", Some("0"), Some("3"), Some("n2"))));
        assert_eq!(job("/slurm/uid_0/job_7/step_batch"), Some(("7", Some("batch"), None, None)));
    }

    #[test]
    fn a_job_s_name_elsewhere_is_none() {
        for path in [
            "/",
            "/system.slice",
            "/system.slice/slurmstepd.scope",
            "/system.slice/slurmstepd.scope/system",
            "/system.slice/slurmstepd.scope/job_",
            "/system.slice/slurmstepd.scope/job_1x/step_0",
            "/system.slice/slurmstepd.scope/sabc!/step_0",
            "/system.slice/slurmstepd.scope/s/step_0",
            "/system.slice/slurmstepd.scope/s5k1/step_0",
            "/system.slice/slurmstepd.scope/sIOU/step_0",
            "/system.slice/evilslurmstepd.scope/job_1/step_0",
            "/system.slice/x.service/slurmstepd.scope/job_1/step_0",
            "/user.slice/slurmstepd.scope/job_1/step_0",
            "/docker/ab/system.slice/slurmstepd.scope/job_1/step_0",
            "/slurmstepd.scope/job_1/step_0",
            "/slurm/uid_x/job_1/step_0",
            "/slurmx/uid_1/job_1/step_0",
            "/slurm/uid_1/s5K/step_0",
        ] {
            assert_eq!(job(path), None, "{path}");
        }
        for path in ["", "x", "/../system.slice/slurmstepd.scope/job_1", "/system.slice/.."] {
            assert_eq!(Job::of(path), Err(NotAbsolute));
        }
    }
}
