/// Where files of the process's own root are looked at, as `plugin.toml` asks for it: to ask for
/// another path would be a trap.
const DIRECTORIES: [&str; 6] = ["/app/", "/home/", "/opt/", "/srv/", "/usr/", "/var/"];

/// Longest path that a file is asked for by, in bytes.
const LONGEST: usize = 1024;

/// Whether a file may be asked for by this path.
pub(crate) fn is_looked_at(path: &str) -> bool {
    let plain = path.len() <= LONGEST && !path.chars().any(char::is_control);
    let parts = path.split('/').skip(1);
    plain
        && parts.into_iter().all(|part| !matches!(part, "" | "." | ".."))
        && DIRECTORIES.iter().any(|directory| path.starts_with(directory))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(is_looked_at("/app/package.json") && is_looked_at("/usr/lib/x"));
        for other in
            ["/package.json", "/app", "/app/", "/app//x", "/app/../x", "/tmp/app/x", "/app/\n", ""]
        {
            assert!(!is_looked_at(other), "{other}");
        }
        assert!(!is_looked_at(&format!("/app/{}", "a".repeat(1024))));
    }
}
