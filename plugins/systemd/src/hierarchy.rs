use witgate_sdk::{
    Failure,
    facts::cgroups::{ClaimedEntry, TrustedEntry},
};

use crate::place::{NotAbsolute, Place};

/// Where the process stands, by the hierarchies that systemd uses.
///
/// That is the unified one, or `name=systemd` of version 1, or both; a process can stand elsewhere in
/// the others. One in which it stands at the root says nothing. All that say something must say
/// the same.
///
/// # Errors
/// If none of them is mounted where the daemon runs, a path cannot be read from here, or they
/// disagree.
pub(crate) fn locate(entries: &[TrustedEntry]) -> Result<Located<'_>, Failure> {
    let mounted: Vec<_> = entries
        .iter()
        .filter(|entry| entry.mounted && is_systemd_s(entry.hierarchy, &entry.controllers))
        .collect();
    if mounted.is_empty() {
        let reason = "no control group hierarchy of systemd's is mounted where the daemon runs";
        return Err(Failure::Unavailable(reason.to_owned()));
    }
    let mut located = Located { place: None, delegated: false };
    for entry in mounted {
        let found = Place::of(&entry.prefix).map_err(|NotAbsolute| foreign())?;
        // What is delegated below a unit is in that unit.
        located.delegated |= entry.delegated && found.is_open();
        if entry.prefix != "/" {
            located.place = Some(agree(located.place, found)?);
        }
    }
    Ok(located)
}

/// What the root-owned part of the paths tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Located<'e> {
    /// None, if the process stands at the root of all hierarchies.
    pub(crate) place: Option<Place<'e>>,
    /// The path goes on where somebody else than root may write, and no unit was found before.
    pub(crate) delegated: bool,
}

/// Where the process says it stands: the whole path, whoever made it.
///
/// # Errors
/// As [`locate`].
pub(crate) fn claim(entries: &[ClaimedEntry]) -> Result<Option<Place<'_>>, Failure> {
    let mut claim = None;
    for entry in entries.iter().filter(|entry| is_systemd_s(entry.hierarchy, &entry.controllers)) {
        let found = Place::of(&entry.path).map_err(|NotAbsolute| foreign())?;
        if entry.path != "/" {
            claim = Some(agree(claim, found)?);
        }
    }
    Ok(claim)
}

fn is_systemd_s(hierarchy: u32, controllers: &[String]) -> bool {
    hierarchy == 0 || matches!(controllers, [only] if only == "name=systemd")
}

fn agree<'e>(before: Option<Place<'e>>, found: Place<'e>) -> Result<Place<'e>, Failure> {
    match before {
        Some(before) if !before.agrees_with(&found) => {
            let reason = "the unified hierarchy and that of systemd name different units";
            Err(Failure::Failed(reason.to_owned()))
        }
        _ => Ok(found),
    }
}

fn foreign() -> Failure {
    Failure::Failed("a path was read from another cgroup namespace".to_owned())
}
