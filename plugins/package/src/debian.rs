//! Whose an executable is by the database of dpkg.
//!
//! It has a list of files for each package and no index, and here a call may look at 16 files of
//! at most 256 KiB. So a package is guessed or named by the operator, and *proved* by its list.

mod diversions;

use serde::Deserialize;
use witgate_sdk::{
    Reason,
    facts::files::{self, Root},
};

use self::diversions::Diversions;

const DIVERSIONS: &str = "/var/lib/dpkg/diversions";
const INFO: &str = "/var/lib/dpkg/info";

/// Most packages that are guessed for one path.
const MOST_GUESSES: usize = 3;

/// The name of a package, with its architecture where dpkg's files have one: `libc6:amd64`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct PackageName(String);

impl PackageName {
    /// The name alone, as entries have it.
    pub(crate) fn without_architecture(&self) -> &str {
        self.0.split_once(':').map_or(&self.0, |(name, _)| name)
    }
}

impl TryFrom<String> for PackageName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (name, architecture) = text.split_once(':').unwrap_or((&text, "any"));
        let word = |text: &str, besides: &[u8]| {
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            text.bytes().next().is_some_and(plain)
                && text.bytes().all(|byte| plain(byte) || besides.contains(&byte))
        };
        if text.len() <= 128 && word(name, b"+.-") && word(architecture, b"-") {
            Ok(Self(text))
        } else {
            Err(format!("{text:?} is no name of a Debian package"))
        }
    }
}

/// The package that has this executable; none, if it is not a file of the host's packages.
///
/// # Errors
/// If the database cannot be read, or none of the packages that were looked at has it.
pub(crate) fn owner(
    path: Option<&str>,
    configured: &[PackageName],
) -> Result<Option<PackageName>, Reason> {
    // Read first in any case: only with a fact of the host's is it a no that there is none.
    let diversions = files::read(Root::Host, DIVERSIONS)?.unwrap_or_default();
    let Some(path) = path else { return Ok(None) };
    if files::status(Root::Host, INFO)?.is_none() {
        return Ok(None);
    }
    let diversions = Diversions::parse(&diversions);
    let mut unread = None;
    for package in candidates(path, configured) {
        let list = match files::read(Root::Host, &format!("{INFO}/{}.list", package.0)) {
            Ok(list) => list.unwrap_or_default(),
            Err(error) => {
                unread = Some(error);
                continue;
            }
        };
        let names = diversions.listed_as(path, package.without_architecture());
        if list
            .split(|byte| *byte == b'\n')
            .any(|line| names.iter().any(|name| name.as_bytes() == line))
        {
            return Ok(Some(package));
        }
    }
    Err(unread.map_or_else(|| NOT_FOUND.into(), Reason::from))
}

const NOT_FOUND: &str = "no package that was looked at has it; name its package in the settings";

/// The packages that are looked at: those that the path suggests, then those that the operator named.
fn candidates(path: &str, configured: &[PackageName]) -> Vec<PackageName> {
    let guesses = guesses(path).into_iter().filter_map(|name| PackageName::try_from(name).ok());
    let mut distinct: Vec<PackageName> = Vec::new();
    for package in guesses.take(MOST_GUESSES).chain(configured.iter().cloned()) {
        if !distinct.contains(&package) {
            distinct.push(package);
        }
    }
    distinct
}

/// `/usr/lib/postgresql/16/bin/postgres` is of `postgresql-16`, `/usr/bin/python3.11` of
/// `python3.11-minimal`, `/usr/sbin/cron` of `cron`.
fn guesses(path: &str) -> Vec<String> {
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let base = parts.last().copied().unwrap_or_default();
    match parts.as_slice() {
        ["usr", "lib" | "libexec" | "share", folder, version, .., _] if is_version(version) => {
            vec![format!("{folder}-{version}"), (*folder).to_owned(), base.to_owned()]
        }
        ["usr", "lib" | "libexec" | "share", folder, .., _] | ["opt", folder, .., _] => {
            vec![(*folder).to_owned(), base.to_owned()]
        }
        _ if base.ends_with(|last: char| last.is_ascii_digit()) => {
            vec![base.to_owned(), format!("{base}-minimal"), format!("{base}-base")]
        }
        _ => vec![base.to_owned(), format!("{base}-bin"), format!("{base}-base")],
    }
}

fn is_version(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_suggests_packages() {
        for (path, first) in [
            ("/usr/sbin/cron", "cron"),
            ("/usr/lib/postgresql/16/bin/postgres", "postgresql-16"),
            ("/usr/lib/firefox/firefox", "firefox"),
            ("/opt/gitlab/embedded/bin/ruby", "gitlab"),
            ("/usr/bin/perl5.36.0", "perl5.36.0"),
        ] {
            assert_eq!(guesses(path)[0], first);
        }
        assert!(guesses("/usr/bin/python3.11").contains(&"python3.11-minimal".to_owned()));
        // What is no package's name is not looked at.
        assert!(candidates("/usr/bin/X", &[]).is_empty());
        assert!(candidates("", &[]).is_empty());
    }

    #[test]
    fn no_more_packages_are_looked_at_than_a_call_may() {
        let named: Vec<PackageName> =
            (0..6).map(|n| PackageName::try_from(format!("package{n}")).unwrap()).collect();
        for path in ["/usr/lib/a/1/b", "/usr/bin/a1", "/usr/bin/a", "/opt/a/b", "/a"] {
            assert!(candidates(path, &named).len() <= 9, "{path}");
        }
    }
}
