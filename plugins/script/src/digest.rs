use sha2::{Digest as _, Sha256};
use witgate_sdk::{
    Report,
    facts::files::{self, Root},
};

use crate::SHA256;

/// Where scripts are looked at, as `plugin.toml` asks for it: to ask for another path would be a trap.
const DIRECTORIES: [&str; 6] = ["/app/", "/home/", "/opt/", "/srv/", "/usr/", "/var/"];

/// Longest path that a file is asked for by, in bytes.
const LONGEST: usize = 1024;

/// Adds the digest of a file of the process's own.
pub(crate) fn add(report: Report, path: &str) -> Report {
    if !is_looked_at(path) {
        return report.unknown(SHA256, "the script is not where this plugin may look");
    }
    match files::read(Root::Workload, path) {
        Ok(Some(content)) => report.selector(SHA256, hex(&content)),
        Ok(None) => report.unknown(SHA256, "there is no file of the script's name"),
        Err(error) => report.unknown(SHA256, error),
    }
}

fn is_looked_at(path: &str) -> bool {
    let plain = path.len() <= LONGEST && !path.chars().any(char::is_control);
    plain && DIRECTORIES.iter().any(|directory| path.starts_with(directory))
}

fn hex(content: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value & 15)]);
    Sha256::digest(content).iter().flat_map(|&byte| [digit(byte >> 4), digit(byte)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_sha256sum() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(hex(b""), empty);
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex(b"abc"), abc);
    }

    #[test]
    fn it_asks_for_where_it_looks() {
        let asked = include_str!("../plugin.toml");
        for directory in DIRECTORIES {
            assert!(asked.contains(&format!("\"files.workload:{directory}\"")), "{directory}");
        }
        assert_eq!(asked.matches("files.workload:").count(), DIRECTORIES.len());
    }

    #[test]
    fn what_cannot_be_asked_for_is_not() {
        assert!(is_looked_at("/srv/app.py") && is_looked_at("/usr/bin/x"));
        for other in [
            "/srv",
            "/root/x",
            "/root/srv/x",
            "/tmp/x",
            "/usrx/y",
            "/srv/a\nb",
            &format!("/srv/{}", "a".repeat(1024)),
        ] {
            assert!(!is_looked_at(other), "{other}");
        }
    }
}
