use witgate_sdk::{Report, facts::ancestry::Ancestor};

use crate::lineage::{CUT, Lineage, RuntimeChild};

/// What follows from the parents, nearest first.
pub(crate) fn report(ancestors: &[Ancestor]) -> Report {
    let report = match ancestors.first() {
        Some(parent) => nearest(Report::new(), parent),
        None => Report::new(),
    };
    let lineage = Lineage(ancestors);
    runtime(ssh(all(report, lineage), lineage), lineage)
}

fn nearest(report: Report, parent: &Ancestor) -> Report {
    let report = report.selector("parent_uid", parent.uid);
    let report = match &parent.executable {
        Some(path) => report.selector("parent", path),
        None => report.unknown("parent", "the program of the parent cannot be read"),
    };
    match str::from_utf8(&parent.comm) {
        Ok(name) => report.selector("parent_name", name),
        Err(_) => report.unknown("parent_name", NOT_UTF8),
    }
}

const NOT_UTF8: &str = "the name of a parent is not UTF-8";

/// What is found holds; what is not found is a no only if all parents are known.
fn all(report: Report, Lineage(ancestors): Lineage<'_>) -> Report {
    let paths = ancestors.iter().filter_map(|ancestor| ancestor.executable.as_deref());
    let names = ancestors.iter().filter_map(|ancestor| str::from_utf8(&ancestor.comm).ok());
    let odd = ancestors.iter().any(|ancestor| str::from_utf8(&ancestor.comm).is_err());
    let report = report
        .selector_each("ancestor", distinct(paths))
        .selector_each("ancestor_name", distinct(names))
        .selector_each("ancestor_uid", distinct(ancestors.iter().map(|ancestor| ancestor.uid)));
    let report = if odd { report.unknown("ancestor_name", NOT_UTF8) } else { report };
    let cut = Lineage(ancestors).is_cut();
    let report =
        if cut { report.unknown_each(&["ancestor_name", "ancestor_uid"], CUT) } else { report };
    match Lineage(ancestors).gap() {
        Some(reason) => report.unknown("ancestor", reason),
        None => report,
    }
}

/// The same program often stands there several times: shells, and a server's own children.
fn distinct<T: PartialEq>(values: impl Iterator<Item = T>) -> Vec<T> {
    values.fold(Vec::new(), |mut distinct, value| {
        if !distinct.contains(&value) {
            distinct.push(value);
        }
        distinct
    })
}

fn ssh(report: Report, lineage: Lineage<'_>) -> Report {
    match (lineage.within_ssh(), lineage.gap()) {
        (true, _) => report.selector("ssh", "true"),
        (false, Some(reason)) => report.unknown("ssh", reason),
        (false, None) => report,
    }
}

/// With a gap there may be another runtime further out.
fn runtime(report: Report, lineage: Lineage<'_>) -> Report {
    let key = "runtime_child";
    if let Some(reason) = lineage.gap() {
        return report.unknown(key, reason);
    }
    match lineage.runtime_child() {
        Some(RuntimeChild::Itself) => report.selector(key, "itself"),
        Some(RuntimeChild::Ancestor(child)) => {
            report.selector_each(key, child.executable.as_deref())
        }
        None => report,
    }
}
