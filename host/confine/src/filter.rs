//! From lists to programs that the kernel runs before every call.

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompFilter, SeccompRule, TargetArch, apply_filter,
    apply_filter_all_threads,
};

use crate::{
    calls::{self, Role},
    error::ConfineError,
};

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Restricts every thread of this process, those to come, and all that it starts.
///
/// # Errors
/// [`ConfineError::Filter`] or [`ConfineError::Architecture`]; then some of it may be in effect.
pub fn confine_all_threads(role: Role) -> Result<(), ConfineError> {
    for program in programs(role)? {
        apply_filter_all_threads(&program).map_err(|source| ConfineError::Filter { source })?;
    }
    Ok(())
}

/// The same for the calling thread alone and what it starts.
///
/// # Errors
/// As [`confine_all_threads`].
pub fn confine_this_thread(role: Role) -> Result<(), ConfineError> {
    for program in programs(role)? {
        apply_filter(&program).map_err(|source| ConfineError::Filter { source })?;
    }
    Ok(())
}

/// Two, of whose answers the kernel takes the stricter: one program has two answers, and there are
/// three here.
fn programs(role: Role) -> Result<[BpfProgram; 2], ConfineError> {
    let arch = std::env::consts::ARCH;
    let target = TargetArch::try_from(arch).ok().filter(|_| calls::KNOWN_HERE);
    let target = target.ok_or(ConfineError::Architecture { arch })?;
    let absent = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let deadly = calls::deadly(role).map(|call| (call, Vec::new())).collect();
    let compile = |rules, otherwise, listed| {
        SeccompFilter::new(rules, otherwise, listed, target)
            .and_then(BpfProgram::try_from)
            .map_err(broken)
    };
    Ok([
        // The one under which the other can still be installed comes first.
        compile(deadly, SeccompAction::Allow, SeccompAction::KillProcess)?,
        compile(allowed(role).map_err(broken)?, absent, SeccompAction::Allow)?,
    ])
}

fn allowed(role: Role) -> Result<Rules, BackendError> {
    let mut rules: Rules = calls::allowed(role).map(|call| (call, Vec::new())).collect();
    for (call, conditions) in calls::conditional(role) {
        let rule = SeccompRule::new(conditions?)?;
        rules.entry(call).or_default().push(rule);
    }
    Ok(rules)
}

fn broken(source: BackendError) -> ConfineError {
    ConfineError::Filter { source: source.into() }
}
