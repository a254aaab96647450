//! `mount`: named by the place in the container, with what is there.
//!
//! The value is `ro:` or `rw:`, one word for the kind, and what is left is the source as it is: no
//! path can be written so that it reads as another mount.

use std::collections::BTreeMap;

use crate::{
    answer::Mount,
    findings::{Findings, Most},
    keys::MOUNT,
};

const MOUNTS: Most = Most { count: 128, bytes: 16 << 10 };

/// Mounts, and where a `tmpfs` was asked for with which options.
pub(crate) type Mounts = (Vec<Mount>, BTreeMap<String, String>);

/// Adds all of them, or that nothing can be said: a list that lacks one would say that it is not there.
pub(crate) fn add(found: Findings, mounts: Option<Mounts>) -> Findings {
    match mounts.map(all) {
        Some(Err(reason)) => found.unknown(MOUNT, reason),
        Some(Ok(all)) => found.named(MOUNT, MOUNTS, Some(all)),
        None => found.named(MOUNT, MOUNTS, None::<BTreeMap<_, _>>),
    }
}

fn all((mounts, tmpfs): Mounts) -> Result<BTreeMap<String, String>, &'static str> {
    let mut all = BTreeMap::new();
    let tmpfs = tmpfs.into_iter().map(|(place, options)| (place, in_memory(&options).to_owned()));
    let mounts = mounts.into_iter().map(|mount| (mount.destination.clone(), value(mount)));
    for (place, value) in mounts.chain(tmpfs.map(|(place, value)| (place, Some(value)))) {
        let value = value.ok_or("one of them is of a kind that is no word")?;
        // With a colon in the place, it would read as another place with another source.
        if place.contains(':') {
            return Err("one of them is at a place with a colon in its name");
        }
        if all.insert(place, value).is_some() {
            return Err("two of them are at the same place");
        }
    }
    Ok(all)
}

fn value(mount: Mount) -> Option<String> {
    let Mount { kind, writable, name, source, .. } = mount;
    if kind.is_empty() || !kind.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return None;
    }
    let access = if writable { "rw" } else { "ro" };
    // A volume is what it is called, wherever the engine keeps it.
    let source = if kind == "volume" && !name.is_empty() { name } else { source };
    Some(match source.as_str() {
        "" => format!("{access}:{kind}"),
        source => format!("{access}:{kind}:{source}"),
    })
}

fn in_memory(options: &str) -> &'static str {
    if options.split(',').any(|option| option == "ro") { "ro:tmpfs" } else { "rw:tmpfs" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(kind: &str, destination: &str, name: &str, source: &str) -> Mount {
        let [kind, destination, name, source] =
            [kind, destination, name, source].map(str::to_owned);
        Mount { kind, destination, writable: false, name, source }
    }

    #[test]
    fn a_value_has_access_kind_and_source_in_this_order() {
        assert_eq!(value(mount("bind", "/a", "", "/x:rw")).as_deref(), Some("ro:bind:/x:rw"));
        assert_eq!(value(mount("volume", "/a", "v", "/x")).as_deref(), Some("ro:volume:v"));
        assert_eq!(value(mount("tmpfs", "/a", "", "")).as_deref(), Some("ro:tmpfs"));
        assert_eq!(value(mount("bind:/etc", "/a", "", "/x")), None);
        assert_eq!(value(mount("", "/a", "", "/x")), None);
        assert_eq!((in_memory("size=1m,ro"), in_memory("rogue")), ("ro:tmpfs", "rw:tmpfs"));
    }

    #[test]
    fn no_list_is_better_than_one_that_lacks_a_mount() {
        let none = BTreeMap::new();
        let good = mount("bind", "/a", "", "/x");
        assert!(all((vec![good.clone()], none.clone())).is_ok());
        let colon = mount("bind", "/a:/b", "", "/x");
        assert!(all((vec![good.clone(), colon], none.clone())).is_err());
        assert!(all((vec![good.clone(), good.clone()], none)).is_err());
        let there = BTreeMap::from([("/a".to_owned(), String::new())]);
        assert!(all((vec![good], there)).is_err());
    }
}
