/// Where dpkg put files of some packages because another wanted their place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Diversions<'d>(Vec<Diversion<'d>>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Diversion<'d> {
    /// The place, as lists of packages have it.
    contested: &'d str,
    /// Where the files of all other packages are.
    diverted: &'d str,
    /// The package whose own file stays in the place; a colon stands for the administrator.
    by: &'d str,
}

/// Directories that are links into `/usr` today, and stand in lists of packages without it.
const MERGED: [&str; 6] = ["bin/", "lib/", "lib32/", "lib64/", "libx32/", "sbin/"];

impl<'d> Diversions<'d> {
    /// Reads dpkg's file: three lines each. Where it is no text, or ends in between, the rest is
    /// left out.
    pub(crate) fn parse(content: &'d [u8]) -> Self {
        let text = match str::from_utf8(content) {
            Ok(text) => text,
            Err(error) => str::from_utf8(&content[..error.valid_up_to()]).unwrap_or_default(),
        };
        let lines: Vec<&str> = text.lines().collect();
        let diversion = |lines: &[&'d str]| match lines {
            [contested, diverted, by] => Some(Diversion { contested, diverted, by }),
            _ => None,
        };
        Self(lines.chunks(3).filter_map(diversion).collect())
    }

    /// The names under which the file at this path stands in the list of a package, if it is of that
    /// package.
    pub(crate) fn listed_as(&self, path: &str, package: &str) -> Vec<String> {
        let here = spellings(path);
        let others = || self.0.iter().filter(|diversion| diversion.by != package);
        let stayed = here.iter().filter(|name| {
            !others().any(|diversion| spellings(diversion.contested).contains(name))
        });
        let came = others()
            .filter(|diversion| here.contains(&diversion.diverted.to_owned()))
            .flat_map(|diversion| spellings(diversion.contested));
        stayed.cloned().chain(came).collect()
    }
}

/// A path with and without `/usr`.
fn spellings(path: &str) -> Vec<String> {
    let within = |rest: &str| MERGED.iter().any(|directory| rest.starts_with(directory));
    let other = match path.strip_prefix("/usr/") {
        Some(rest) => within(rest).then(|| format!("/{rest}")),
        None => {
            path.strip_prefix('/').filter(|rest| within(rest)).map(|rest| format!("/usr/{rest}"))
        }
    };
    [path.to_owned()].into_iter().chain(other).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] =
        b"/bin/sh\n/bin/sh.distrib\ndash\n/usr/bin/x\n/usr/bin/x.old\n:\n/cut\n/off\n";

    #[test]
    fn a_file_is_listed_with_and_without_usr() {
        let none = Diversions::default();
        assert_eq!(none.listed_as("/usr/bin/ls", "coreutils"), ["/usr/bin/ls", "/bin/ls"]);
        assert_eq!(none.listed_as("/bin/ls", "coreutils"), ["/bin/ls", "/usr/bin/ls"]);
        assert_eq!(none.listed_as("/usr/share/x", "x"), ["/usr/share/x"]);
        assert_eq!(none.listed_as("/opt/x", "x"), ["/opt/x"]);
    }

    #[test]
    fn what_was_diverted_is_somewhere_else() {
        let diversions = Diversions::parse(FILE);
        // The place is dash's, and the other shell's file has moved.
        assert_eq!(diversions.listed_as("/usr/bin/sh", "dash"), ["/usr/bin/sh", "/bin/sh"]);
        assert!(diversions.listed_as("/usr/bin/sh", "bash").is_empty());
        let moved = diversions.listed_as("/usr/bin/sh.distrib", "bash");
        assert!(moved.contains(&"/bin/sh".to_owned()), "{moved:?}");
        assert!(!diversions.listed_as("/bin/sh.distrib", "dash").contains(&"/bin/sh".to_owned()));
        // The administrator's is no package's.
        assert!(diversions.listed_as("/usr/bin/x", "x").is_empty());
        assert!(diversions.listed_as("/usr/bin/x.old", "x").contains(&"/usr/bin/x".to_owned()));
    }

    #[test]
    fn a_file_that_is_cut_or_no_text_gives_what_is_whole() {
        assert_eq!(Diversions::parse(FILE).0.len(), 2);
        assert_eq!(Diversions::parse(b"/a\n/b\nc\n\xff\n/b\nc").0.len(), 1);
        assert_eq!(Diversions::parse(b""), Diversions::default());
    }
}
