use serde::Deserialize;
use witgate_sdk::{
    Reason,
    facts::files::{self, Root},
    settings,
};

use crate::{found::Found, places::is_looked_at};

/// Directories above a script in which its package is looked for.
const LEVELS: usize = 5;

/// What matters here of `package.json`.
#[derive(Debug, Deserialize)]
struct PackageJson {
    name: Option<String>,
    version: Option<String>,
}

/// The package that a script of Node's belongs to: the nearest `package.json` above it that has a name,
/// as Node itself looks for it.
///
/// # Errors
/// If one on the way cannot be read, or there is none where this plugin may look.
pub(crate) fn package(script: &str) -> Result<Found, Reason> {
    let mut directory = script;
    for _ in 0..LEVELS {
        let Some((above, _)) = directory.rsplit_once('/') else { break };
        directory = above;
        let file = format!("{directory}/package.json");
        if !is_looked_at(&file) {
            break;
        }
        if let Some(content) = files::read(Root::Workload, &file)?
            && let Some(found) = parse(&content)?
        {
            return Ok(found);
        }
    }
    Err("there is no package.json with a name where this plugin may look".into())
}

/// None, if it has no name: such a file only says how the scripts beside it are to be read.
fn parse(content: &[u8]) -> Result<Option<Found>, &'static str> {
    let wrong = "the package.json above it is no JSON object of text";
    let text = str::from_utf8(content).map_err(|_| wrong)?;
    // The parser of settings, which is there anyway: a component has no room for another.
    let read: PackageJson = settings::parse(text).map_err(|_| wrong)?;
    Ok(read.name.map(|name| Found { name, version: read.version }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_has_a_name_and_perhaps_a_version() {
        let found =
            parse(br#"{"name": "@acme/web", "version": "1.2.3", "x": [1]}"#).unwrap().unwrap();
        assert_eq!((found.name.as_str(), found.version.as_deref()), ("@acme/web", Some("1.2.3")));
        assert_eq!(parse(br#"{"type": "module"}"#), Ok(None));
        for wrong in [&b"{"[..], b"[]x", br#"{"name": 7}"#, b"\xff", b""] {
            assert!(parse(wrong).is_err());
        }
    }
}
