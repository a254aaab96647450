use witgate_sdk::{Failure, Report};

use crate::{
    hierarchy::Located,
    keys::UNIT,
    place::Place,
    unit_name::{UnitName, text_of},
};

/// What follows from the root-owned part of the paths.
///
/// # Errors
/// `NotApplicable`, if the process is in no slice and no unit.
pub(crate) fn report(located: &Located<'_>) -> Result<Report, Failure> {
    let nowhere = Place::of("/").map_err(|_| Failure::NotApplicable)?;
    let place = located.place.as_ref().unwrap_or(&nowhere);
    let report = Report::new()
        .selector_each("in_slice", &place.slices)
        .selector_each("owner_uid", place.owner_uid());
    match place.unit {
        Some(unit) => Ok(named(report, place, &unit)),
        None if located.delegated => Ok(report.unknown_each(&UNIT, DELEGATED)),
        None if place.is_open() && !place.slices.is_empty() => Ok(report),
        None => Err(Failure::NotApplicable),
    }
}

const DELEGATED: &str = "its unit's control group was given to somebody else than root";

fn named(report: Report, place: &Place<'_>, unit: &UnitName<'_>) -> Report {
    let scope = (unit.kind == "scope").then_some(unit.id);
    let report = report
        .selector("id", unit.id)
        .selector("name", unit.prefix)
        .selector("type", unit.kind)
        .selector("slice", place.slices.last().unwrap_or(&ROOT_SLICE))
        .selector_each("template", unit.template())
        .selector_each("instance", unit.instance)
        .selector_each("scope", scope)
        .selector_each("session", place.session());
    match unit.instance.map(text_of) {
        None => report,
        Some(Ok(text)) => report.selector("instance_text", text),
        Some(Err(reason)) => report.unknown("instance_text", reason),
    }
}

/// What systemd calls the root of the hierarchy.
const ROOT_SLICE: &str = "-.slice";
