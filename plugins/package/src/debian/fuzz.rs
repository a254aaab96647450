//! Fuzz targets: dpkg's file of diversions, and names of packages out of paths.

use witgate_testkit::fuzz_target;

use super::{Diversions, PackageName, candidates};

#[test]
fn diversions() {
    let words = &["\n", "/bin/sh\n/bin/sh.distrib\ndash\n", ":", "/usr", "/usr/bin/x", "\u{e9}"];
    fuzz_target!("diversions").words(words).check(|input| {
        let diversions = Diversions::parse(input);
        let text = String::from_utf8_lossy(input);
        for path in ["/usr/bin/sh", "/bin/sh.distrib", text.lines().next().unwrap_or_default()] {
            let names = diversions.listed_as(path, "dash");
            // A name that is not the path's own comes from a diversion of somebody else's.
            let known = |name: &str| {
                name.trim_start_matches("/usr") == path.trim_start_matches("/usr")
                    || text.contains(name.trim_start_matches("/usr"))
            };
            assert!(names.iter().all(|name| known(name)), "{names:?}");
        }
    });
}

#[test]
fn package_lists() {
    let words =
        &["/", "/usr/lib/", "/usr/bin/", "/opt/", "16", "..", "+", ":", "\0", "A", "\u{e9}"];
    fuzz_target!("package_lists").words(words).check(|input| {
        let text = String::from_utf8_lossy(input).into_owned();
        for PackageName(name) in candidates(&text, &[]) {
            let file = format!("/var/lib/dpkg/info/{name}.list");
            assert!(!name.contains('/') && !name.starts_with('.') && file.len() < 256, "{name}");
        }
        if let Ok(name) = PackageName::try_from(text) {
            assert!(!name.without_architecture().is_empty());
        }
    });
}
