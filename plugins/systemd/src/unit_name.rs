/// The name of a unit that can have processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnitName<'n> {
    /// All of it: `postgresql@16-main.service`.
    pub(crate) id: &'n str,
    /// `service`.
    pub(crate) kind: &'n str,
    /// What stands before the type, and before `@` if there is one: `%p`.
    pub(crate) prefix: &'n str,
    /// What stands between `@` and the type, as in the name: `%i`.
    pub(crate) instance: Option<&'n str>,
}

/// Types of units that have a control group for processes. Slices have one for other units.
const KINDS: [&str; 5] = ["mount", "scope", "service", "socket", "swap"];

/// Longest name of a unit, in bytes.
const LONGEST: usize = 255;

impl<'n> UnitName<'n> {
    /// The unit whose control group has this name, if it is one's.
    pub(crate) fn of_directory(directory: &'n str) -> Option<Self> {
        let id = unescaped(directory);
        let (stem, kind) = parts(id)?;
        if !KINDS.contains(&kind) {
            return None;
        }
        let Some((prefix, instance)) = stem.split_once('@') else {
            return Some(Self { id, kind, prefix: stem, instance: None });
        };
        // A template without an instance is a file and never runs.
        let whole = !prefix.is_empty() && !instance.is_empty();
        whole.then_some(Self { id, kind, prefix, instance: Some(instance) })
    }

    /// The template it was made of: `postgresql@.service`.
    pub(crate) fn template(&self) -> Option<String> {
        self.instance.map(|_| format!("{}@.{}", self.prefix, self.kind))
    }
}

/// The slice whose control group has this name, if it is one's.
pub(crate) fn slice(directory: &str) -> Option<&str> {
    let id = unescaped(directory);
    let (stem, kind) = parts(id)?;
    (kind == "slice" && !stem.contains('@')).then_some(id)
}

/// systemd puts an underscore before a name that could be a file of the kernel's.
fn unescaped(directory: &str) -> &str {
    directory.strip_prefix('_').unwrap_or(directory)
}

/// What stands before the type, and the type.
fn parts(id: &str) -> Option<(&str, &str)> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte);
    let (stem, kind) = id.rsplit_once('.')?;
    (!stem.is_empty() && id.len() <= LONGEST && id.bytes().all(plain)).then_some((stem, kind))
}

/// An instance without its escapes, as `%I`: a dash stands for a slash, `\x2d` for the byte.
///
/// # Errors
/// If it is not what systemd-escape(1) writes, or no text.
pub(crate) fn text_of(instance: &str) -> Result<String, &'static str> {
    let mut bytes = Vec::with_capacity(instance.len());
    let mut rest = instance.as_bytes();
    while let [first, behind @ ..] = rest {
        (rest, bytes) = match (first, behind) {
            (b'\\', [b'x', high, low, behind @ ..]) => {
                let byte = hex(*high).zip(hex(*low)).ok_or("it has an escape that is none")?;
                (behind, with(bytes, byte.0 << 4 | byte.1))
            }
            (b'\\', _) => return Err("it has an escape that is none"),
            (b'-', _) => (behind, with(bytes, b'/')),
            (plain, _) => (behind, with(bytes, *plain)),
        };
    }
    String::from_utf8(bytes).map_err(|_| "without its escapes it is not UTF-8")
}

fn with(mut bytes: Vec<u8>, byte: u8) -> Vec<u8> {
    bytes.push(byte);
    bytes
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_units_are_those_of_systemd() {
        for (directory, id, kind) in [
            ("nginx.service", "nginx.service", "service"),
            ("session-3.scope", "session-3.scope", "scope"),
            ("dev-hugepages.mount", "dev-hugepages.mount", "mount"),
            ("a.b.service", "a.b.service", "service"),
            ("dbus-:1.2-org.x@0.service", "dbus-:1.2-org.x@0.service", "service"),
            ("dev-disk-by\\x2dlabel-swap.swap", "dev-disk-by\\x2dlabel-swap.swap", "swap"),
            ("_cgroup.x.service", "cgroup.x.service", "service"),
            ("__odd.service", "_odd.service", "service"),
        ] {
            let unit = UnitName::of_directory(directory).unwrap();
            assert_eq!((unit.id, unit.kind), (id, kind));
        }
        let long = format!("{}.service", "a".repeat(248));
        for none in [
            "",
            ".",
            "service",
            ".service",
            "docker",
            "a.target",
            "a.timer",
            "a.slice",
            "a.service.d",
            "a b.service",
            "a/b.service",
            "\u{e9}.service",
            "a@.service",
            "@a.service",
            "@.service",
            "_",
            "_.service",
            "a.Service",
            long.as_str(),
        ] {
            assert_eq!(UnitName::of_directory(none), None, "{none}");
        }
        assert!(UnitName::of_directory(&long[1..]).is_some());
    }

    #[test]
    fn an_instance_is_what_stands_behind_the_first_at() {
        let unit = UnitName::of_directory("postgresql@16-main.service").unwrap();
        assert_eq!((unit.prefix, unit.instance), ("postgresql", Some("16-main")));
        assert_eq!(unit.template().as_deref(), Some("postgresql@.service"));
        let unit = UnitName::of_directory("a@b@c.d.scope").unwrap();
        assert_eq!(unit.instance, Some("b@c.d"));
        let plain = UnitName::of_directory("a.service").unwrap();
        assert_eq!((plain.prefix, plain.instance, plain.template()), ("a", None, None));
    }

    #[test]
    fn slices_are_no_units_here_and_have_no_instances() {
        for yes in ["system.slice", "user-1000.slice", "-.slice", "_cpu.slice", "a-b-c.slice"] {
            assert_eq!(slice(yes), Some(yes.trim_start_matches('_')));
        }
        for no in [".slice", "a@b.slice", "slice", "a.slice.d", "system.service", "a b.slice"] {
            assert_eq!(slice(no), None, "{no}");
        }
    }

    #[test]
    fn escapes_are_undone_as_systemd_does() {
        for (instance, text) in [
            ("tty1", "tty1"),
            ("16-main", "16/main"),
            ("var-lib-a\\x2db", "var/lib/a-b"),
            ("\\xc3\\xA9", "\u{e9}"),
            ("a:b_c.d@e", "a:b_c.d@e"),
        ] {
            assert_eq!(text_of(instance).as_deref(), Ok(text));
        }
        for wrong in ["\\", "\\x", "\\x2", "\\x2g", "\\n", "a\\", "\\xff", "\\X2d"] {
            assert!(text_of(wrong).is_err(), "{wrong}");
        }
    }
}
