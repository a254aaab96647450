use witgate_sdk::{
    Reason,
    facts::files::{self, Root},
};

use crate::{found::Found, places::is_looked_at};

/// Most packages of the same name whose record is looked at.
const MOST: usize = 3;

/// The package that installed a script of Python's: the one of the script's name, or of the folder that it
/// is in, whose record has the script.
///
/// # Errors
/// If it is not where packages are, or none that was looked at has it.
pub(crate) fn package(script: &str, version: &str) -> Result<Found, Reason> {
    let places = places(script, version);
    if places.is_empty() {
        return Err("the script is not where packages of Python are installed".into());
    }
    let mut looked_at = 0;
    for Place { site, name, recorded } in
        places.into_iter().filter(|place| is_looked_at(&place.site))
    {
        let entries = files::entries(Root::Workload, &site)?.unwrap_or_default();
        let installed = entries.iter().filter_map(|entry| dist_info(&entry.name, &name));
        for (folder, found) in installed {
            let record = format!("{site}/{folder}/RECORD");
            if looked_at == MOST || !is_looked_at(&record) {
                break;
            }
            looked_at += 1;
            let content = files::read(Root::Workload, &record)?.unwrap_or_default();
            if has(&content, &recorded) {
                return Ok(found);
            }
        }
    }
    Err("no package of the script's name has it in its record".into())
}

/// Where the package of a script may be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    /// The directory of packages.
    site: String,
    /// The name that the package has, as far as the script tells.
    name: String,
    /// The script, as a record in that directory has it.
    recorded: String,
}

fn places(script: &str, version: &str) -> Vec<Place> {
    for kind in ["/site-packages/", "/dist-packages/"] {
        if let Some((before, inside)) = script.split_once(kind) {
            let top = inside.split('/').next().unwrap_or_default();
            let name = normal(top.strip_suffix(".py").unwrap_or(top));
            let site = format!("{before}{}", kind.trim_end_matches('/'));
            return vec![Place { site, name, recorded: inside.to_owned() }];
        }
    }
    let Some((prefix, command)) = script.rsplit_once("/bin/") else { return Vec::new() };
    if version.is_empty() {
        return Vec::new();
    }
    let library = format!("{prefix}/lib/python{version}");
    let sites: &[&str] = match prefix {
        "/usr" => {
            return vec![Place::of_command("/usr/lib/python3/dist-packages", "../../../", command)];
        }
        "/usr/local" => &["dist-packages", "site-packages"],
        _ => &["site-packages"],
    };
    sites
        .iter()
        .map(|site| Place::of_command(&format!("{library}/{site}"), "../../../", command))
        .collect()
}

impl Place {
    fn of_command(site: &str, up: &str, command: &str) -> Self {
        Self {
            site: site.to_owned(),
            name: normal(command),
            recorded: format!("{up}bin/{command}"),
        }
    }
}

/// The package whose folder this is, if it has this name: `Flask-3.0.0.dist-info`.
fn dist_info<'f>(folder: &'f str, name: &str) -> Option<(&'f str, Found)> {
    let (its, version) = folder.strip_suffix(".dist-info")?.rsplit_once('-')?;
    let found = Found { name: its.to_owned(), version: Some(version.to_owned()) };
    (normal(its) == name && !name.is_empty()).then_some((folder, found))
}

/// A name as packaging tools compare it.
fn normal(name: &str) -> String {
    let dashed = name.to_ascii_lowercase().replace(['_', '.'], "-");
    dashed.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

/// Whether a record has this file, the first field of its line.
fn has(record: &[u8], file: &str) -> bool {
    let quoted = format!("\"{file}\",");
    let plain = format!("{file},");
    record
        .split(|byte| *byte == b'\n')
        .any(|line| line.starts_with(plain.as_bytes()) || line.starts_with(quoted.as_bytes()))
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod tests {
    use super::*;

    fn places_of(script: &str) -> Vec<(String, String)> {
        places(script, "3.11").into_iter().map(|place| (place.site, place.recorded)).collect()
    }

    #[test]
    fn packages_are_beside_commands_and_around_modules() {
        let venv = (
            "/srv/venv/lib/python3.11/site-packages".to_owned(),
            "../../../bin/gunicorn".to_owned(),
        );
        assert_eq!(places_of("/srv/venv/bin/gunicorn"), [venv]);
        assert_eq!(places_of("/usr/local/bin/celery").len(), 2);
        assert_eq!(places_of("/usr/bin/ansible")[0].0, "/usr/lib/python3/dist-packages");
        let inside = "/srv/venv/lib/python3.11/site-packages/flask/__main__.py";
        assert_eq!(places_of(inside)[0].1, "flask/__main__.py");
        for none in ["/srv/app/main.py", "main.py", ""] {
            assert!(places_of(none).is_empty(), "{none}");
        }
        assert!(places("/srv/venv/bin/gunicorn", "").is_empty());
    }

    #[test]
    fn names_are_compared_as_packaging_tools_do() {
        for (folder, name) in
            [("Flask-3.0.0.dist-info", "flask"), ("zope.interface-6.1.dist-info", "zope-interface")]
        {
            let (same, found) = dist_info(folder, &normal(name)).unwrap();
            assert_eq!((same, found.version.is_some()), (folder, true));
        }
        for other in [
            "flask",
            "flask.dist-info",
            "flask-3.0.0.egg-info",
            "flask_cors-1.dist-info",
            "-1.dist-info",
        ] {
            assert!(dist_info(other, "flask").is_none(), "{other}");
            assert!(dist_info(other, "").is_none());
        }
    }

    #[test]
    fn a_record_has_a_file_as_the_first_field_of_a_line() {
        let record = b"flask/__init__.py,sha256=x,1\n../../../bin/flask,sha256=y,2\n\"a,b.py\",,\n";
        assert!(has(record, "../../../bin/flask") && has(record, "a,b.py"));
        for not in ["bin/flask", "../../../bin/flas", "flask/__init__", "sha256=x", ""] {
            assert!(!has(record, not), "{not}");
        }
    }
}
