use serde::Serialize;
use wasmparser::{BinaryReaderError, KnownCustom, Parser, Payload};
use witgate_facts::{Interface, PluginToml};

use crate::{
    LoadErrorKind, RequestsError, limits,
    lines::printable,
    load::{EXPORT, digest},
    read_requests, rehearse,
    requests::read_fixtures,
    wasi,
};

/// What can be known about a component without running or compiling it.
#[derive(Debug, Clone, Serialize)]
pub struct Inspection {
    /// What it says about itself.
    pub toml: PluginToml,
    /// SHA-256, in hexadecimal.
    pub digest: String,
    /// Its size.
    pub bytes: usize,
    /// What it imports.
    pub imports: Vec<Import>,
    /// What made it: language, compiler, linker, as these tools say.
    pub producers: Vec<Producer>,
    /// How many fixtures it brings along.
    pub fixtures: usize,
}

/// One import of a component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Import {
    /// Its name, with version.
    pub name: String,
    /// What a call of it does.
    pub kind: ImportKind,
}

/// What a call of an import does. Toolchains import whole worlds, so an import is no sign of a need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImportKind {
    /// Every plugin may call it.
    Always,
    /// The plugin asks for it.
    Requested,
    /// The plugin does not ask for it: a call traps.
    NotRequested,
    /// WASI that works: clocks, random numbers, standard streams.
    Wasi,
    /// WASI's directories, of which there are none: opening a file fails in the guest.
    NoDirectories,
    /// WASI that plugins do not have: a call traps.
    Traps,
    /// What no daemon has: the component is not loaded.
    Refused,
}

/// A tool that had a part in making a component.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Producer {
    /// `language`, `processed-by` or `sdk`.
    pub role: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Looks at a component without running or compiling it.
///
/// # Errors
/// If it has no usable `plugin.toml`, or fixtures that cannot be read.
pub fn inspect(component: &[u8]) -> Result<Inspection, LoadErrorKind> {
    let toml = read_requests(component)?;
    let imports = imports(component)?
        .into_iter()
        .map(|name| Import { kind: kind(name, &toml), name: shown(name) })
        .collect();
    Ok(Inspection {
        digest: digest(component),
        bytes: component.len(),
        imports,
        producers: producers(component)?,
        fixtures: rehearse::parse(read_fixtures(component)?)?.len(),
        toml,
    })
}

fn kind(name: &str, toml: &PluginToml) -> ImportKind {
    let interface = name.split_once('@').map_or(name, |(interface, _)| interface);
    match interface.strip_prefix(OURS) {
        Some("types") => ImportKind::Always, // It has no function.
        Some(ours) => match ours.parse::<Interface>() {
            Ok(ours) if ours.always_granted() => ImportKind::Always,
            Ok(ours) if toml.requests.reach(ours) => ImportKind::Requested,
            Ok(_) => ImportKind::NotRequested,
            Err(_) => ImportKind::Refused,
        },
        None if wasi::provides(interface) => ImportKind::Wasi,
        None if interface == "wasi:filesystem/preopens" => ImportKind::NoDirectories,
        None if interface.starts_with("wasi:") => ImportKind::Traps,
        None => ImportKind::Refused,
    }
}

/// A name in a component that nobody has checked.
fn shown(name: &str) -> String {
    printable(name, limits::REASON_BYTES)
}

const OURS: &str = "witgate:attestor/";

/// Refuses a component that was built against interfaces of another version, in words that say so:
/// the engine would complain about types.
pub(crate) fn check_versions(component: &[u8], speaks: &[&str]) -> Result<(), LoadErrorKind> {
    for import in imports(component)? {
        let Some(ours) = import.strip_prefix(OURS) else {
            // Toolchains import all of WASI; a call of what there is not traps.
            if import.starts_with("wasi:") {
                continue;
            }
            return Err(LoadErrorKind::Foreign { import: shown(import) });
        };
        let (interface, version) = ours.split_once('@').unwrap_or((ours, ""));
        let known = interface == "types" || interface.parse::<Interface>().is_ok();
        if known && (version.starts_with("0.1.") || speaks.contains(&ours)) {
            continue;
        }
        let known = if known { format!("`{OURS}{interface}@0.1.0`") } else { all_interfaces() };
        return Err(LoadErrorKind::OtherVersion { name: shown(import), known });
    }
    check_export(component)
}

/// Refuses a component that is no attestor, or one of another version.
fn check_export(component: &[u8]) -> Result<(), LoadErrorKind> {
    let exports = exports(component)?;
    // A package grows by functions in its third number; the engine finds these by the rules of semver.
    if exports.iter().any(|name| name.starts_with("witgate:attestor/attestor@0.1.")) {
        return Ok(());
    }
    let attestor = |name: &&&str| name.starts_with("witgate:attestor/attestor@");
    match exports.iter().find(attestor) {
        Some(other) => {
            Err(LoadErrorKind::OtherVersion { name: shown(other), known: format!("`{EXPORT}`") })
        }
        None => Err(LoadErrorKind::NoAttestor { export: EXPORT }),
    }
}

fn all_interfaces() -> String {
    let names: Vec<_> = Interface::ALL.iter().map(|interface| interface.as_str()).collect();
    format!("the interfaces {} in version 0.1.0", names.join(", "))
}

/// The names of what the component itself imports; nested ones are not seen from outside.
fn imports(component: &[u8]) -> Result<Vec<&str>, RequestsError> {
    let mut names = Vec::new();
    outermost(component, |payload| {
        if let Payload::ComponentImportSection(section) = payload {
            for import in section.into_iter().take(limits::NAMES + 1) {
                names.push(import?.name.name);
            }
        }
        Ok(names.len())
    })?;
    Ok(names)
}

/// The names of what it exports.
fn exports(component: &[u8]) -> Result<Vec<&str>, RequestsError> {
    let mut names = Vec::new();
    outermost(component, |payload| {
        if let Payload::ComponentExportSection(section) = payload {
            for export in section.into_iter().take(limits::NAMES + 1) {
                names.push(export?.name.name);
            }
        }
        Ok(names.len())
    })?;
    Ok(names)
}

/// Shows the sections of the component itself; `seen` says how many names it has found by now.
fn outermost<'a>(
    component: &'a [u8],
    mut seen: impl FnMut(Payload<'a>) -> Result<usize, BinaryReaderError>,
) -> Result<(), RequestsError> {
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload?;
        match payload {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 1 && seen(payload)? > limits::NAMES {
            let cause = format!("it has more than {} imports or exports", limits::NAMES);
            return Err(RequestsError::Malformed { cause });
        }
    }
    Ok(())
}

fn producers(component: &[u8]) -> Result<Vec<Producer>, RequestsError> {
    let mut found = std::collections::BTreeSet::new();
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload?;
        let Payload::CustomSection(section) = payload else { continue };
        let KnownCustom::Producers(fields) = section.as_known() else { continue };
        // What tools say about themselves is for people; what cannot be read is left out.
        for field in fields.into_iter().flatten() {
            for value in field.values.into_iter().flatten() {
                found.insert(Producer {
                    role: shown(field.name),
                    name: shown(value.name),
                    version: shown(value.version),
                });
                if found.len() > limits::PRODUCERS {
                    found.pop_last();
                }
            }
        }
    }
    Ok(found.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use witgate_report::deceives;

    fn leb(n: usize) -> Vec<u8> {
        let low = u8::try_from(n & 0x7f).unwrap();
        if n < 0x80 { vec![low] } else { [vec![low | 0x80], leb(n >> 7)].concat() }
    }

    fn text(text: &str) -> Vec<u8> {
        [leb(text.len()).as_slice(), text.as_bytes()].concat()
    }

    fn section(id: u8, body: &[u8]) -> Vec<u8> {
        [vec![id], leb(body.len()), body.to_vec()].concat()
    }

    fn list(items: impl ExactSizeIterator<Item = Vec<u8>>) -> Vec<u8> {
        let count = leb(items.len());
        items.fold(count, |list, item| [list, item].concat())
    }

    /// A component that imports empty instances under these names, and was made by these tools.
    fn component(imports: &[&str], tools: &[&str]) -> Vec<u8> {
        let toml = "name='a'\nversion='1'\ndescription='d'\nrequests=['executable']";
        let manifest = [text("witgate:manifest"), toml.into()].concat();
        let tools = list(tools.iter().map(|tool| [text(tool), text("1")].concat()));
        let producers = [text("producers"), vec![1], text("sdk"), tools].concat();
        let empty_instance = [1, 0x42, 0];
        let imports = list(imports.iter().map(|name| [vec![0], text(name), vec![5, 0]].concat()));
        [
            b"\0asm\x0d\0\x01\0".to_vec(),
            section(0, &manifest),
            section(0, &producers),
            section(7, &empty_instance),
            section(10, &imports),
        ]
        .concat()
    }

    #[test]
    fn what_an_import_does_follows_from_its_name() {
        use ImportKind::{Always, NoDirectories, NotRequested, Refused, Requested, Traps, Wasi};
        let all = [
            ("witgate:attestor/types@0.1.0", Always),
            ("witgate:attestor/process@0.1.0", Always),
            ("witgate:attestor/executable@0.1.0", Requested),
            ("witgate:attestor/cmdline@0.1.0", NotRequested),
            ("witgate:attestor/root-shell@0.1.0", Refused),
            ("wasi:clocks/wall-clock@0.2.6", Wasi),
            ("wasi:filesystem/preopens@0.2.6", NoDirectories),
            ("wasi:sockets/tcp@0.2.6", Traps),
            ("acme:tools/everything", Refused),
        ];
        let seen = inspect(&component(&all.map(|(name, _)| name), &[])).unwrap();
        let expected = all.map(|(name, kind)| Import { name: name.to_owned(), kind });
        assert_eq!(seen.imports, expected);
    }

    #[test]
    fn what_a_component_calls_itself_is_shown_plain_and_cut() {
        let long = "\u{1b}[2J\u{202e}\n".repeat(1000);
        let seen = inspect(&component(&[&long], &[&long])).unwrap();
        let (import, producer) = (&seen.imports[0], &seen.producers[0]);
        for shown in [&import.name, &producer.name] {
            assert!(shown.starts_with("\\u{1b}[2J\\u{202e}\\n"), "{shown}");
            assert!(shown.len() <= limits::REASON_BYTES + '…'.len_utf8());
            assert!(!shown.chars().any(deceives));
        }
        assert_eq!(import.kind, ImportKind::Refused);

        let foreign = format!("witgate:attestor/{long}");
        let error = check_versions(&component(&[&foreign], &[]), &[]).unwrap_err();
        assert!(!error.to_string().chars().any(deceives), "{error}");
        assert!(error.to_string().len() < 2 * limits::REASON_BYTES, "{error}");
        // A name that is one of ours but for a line end is not ours.
        let seen = inspect(&component(&["witgate:attestor/process\n"], &[])).unwrap();
        assert_eq!(seen.imports[0].kind, ImportKind::Refused);
    }

    #[test]
    fn what_is_no_attestor_or_one_of_another_version_is_told_what_to_do() {
        let exporting = |name: &str| {
            let export = list([[vec![0], text(name), vec![5, 0, 0]].concat()].into_iter());
            [component(&["wasi:cli/stdin@0.2.6"], &[]), section(11, &export)].concat()
        };
        for ours in [EXPORT, "witgate:attestor/attestor@0.1.1"] {
            assert!(check_versions(&exporting(ours), &[]).is_ok());
        }
        let other = check_versions(&exporting("witgate:attestor/attestor@0.3.0"), &[]);
        let other = other.unwrap_err().to_string();
        assert!(other.contains("built for `witgate:attestor/attestor@0.3.0`"), "{other}");
        assert!(other.contains("witgate plugin build"), "{other}");
        let foreign = check_versions(&component(&["acme:tools/everything"], &[]), &[]);
        assert!(matches!(foreign, Err(LoadErrorKind::Foreign { .. })));
        for none in [component(&[], &[]), exporting("acme:tools/everything")] {
            let none = check_versions(&none, &[]).unwrap_err().to_string();
            assert!(none.contains("it is not an attestor") && none.contains("export!"), "{none}");
        }
    }

    #[test]
    fn no_more_imports_and_tools_are_listed_than_anybody_could_read() {
        let names: Vec<_> = (0..=limits::NAMES).map(|number| format!("a:b/c{number}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let seen = inspect(&component(&names[1..], &names)).unwrap();
        assert_eq!((seen.imports.len(), seen.producers.len()), (limits::NAMES, limits::PRODUCERS));
        let error = inspect(&component(&names, &[])).unwrap_err();
        assert!(error.to_string().contains("more than 1024 imports"), "{error}");
    }
}
