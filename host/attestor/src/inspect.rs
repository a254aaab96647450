use serde::Serialize;
use wasmparser::{KnownCustom, Parser, Payload};
use witgate_facts::{Interface, PluginToml};

use crate::{
    LoadErrorKind, RequestsError, load::digest, read_requests, rehearse, requests::read_fixtures,
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
    /// WASI that plugins do not have, or something foreign: a call traps.
    Traps,
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
        .map(|name| Import { kind: kind(&name, &toml), name })
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
    match interface.strip_prefix(OURS).map(str::parse::<Interface>) {
        Some(Ok(ours)) if ours.always_granted() => ImportKind::Always,
        Some(Ok(ours)) if toml.requests.reach(ours) => ImportKind::Requested,
        Some(Ok(_)) => ImportKind::NotRequested,
        Some(Err(_)) => ImportKind::Always, // `types`, which has no function.
        None if wasi::provides(interface) => ImportKind::Wasi,
        None => ImportKind::Traps,
    }
}

const OURS: &str = "witgate:attestor/";

/// Refuses a component that was built against interfaces of another version, in words that say so:
/// the engine would complain about types.
pub(crate) fn check_versions(component: &[u8], speaks: &[&str]) -> Result<(), LoadErrorKind> {
    for import in imports(component)? {
        let Some(ours) = import.strip_prefix(OURS) else { continue };
        let (interface, version) = ours.split_once('@').unwrap_or((ours, ""));
        let known = interface == "types" || interface.parse::<Interface>().is_ok();
        if known && (version.starts_with("0.1.") || speaks.contains(&ours)) {
            continue;
        }
        let known = if known { format!("`{OURS}{interface}@0.1.0`") } else { all_interfaces() };
        return Err(LoadErrorKind::OtherVersion { import, known });
    }
    Ok(())
}

fn all_interfaces() -> String {
    let names: Vec<_> = Interface::ALL.iter().map(|interface| interface.as_str()).collect();
    format!("the interfaces {} in version 0.1.0", names.join(", "))
}

/// The names of what the component itself imports; nested ones are not seen from outside.
fn imports(component: &[u8]) -> Result<Vec<String>, RequestsError> {
    let malformed = |error: wasmparser::BinaryReaderError| RequestsError::Malformed {
        cause: error.to_string(),
    };
    let (mut depth, mut names) = (0_u32, Vec::new());
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(malformed)? {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    names.push(import.map_err(malformed)?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(names)
}

fn producers(component: &[u8]) -> Result<Vec<Producer>, RequestsError> {
    let mut found = std::collections::BTreeSet::new();
    for payload in Parser::new(0).parse_all(component) {
        let payload =
            payload.map_err(|error| RequestsError::Malformed { cause: error.to_string() })?;
        let Payload::CustomSection(section) = payload else { continue };
        let KnownCustom::Producers(fields) = section.as_known() else { continue };
        // What tools say about themselves is for people; what cannot be read is left out.
        for field in fields.into_iter().flatten() {
            for value in field.values.into_iter().flatten() {
                found.insert(Producer {
                    role: field.name.to_owned(),
                    name: value.name.to_owned(),
                    version: value.version.to_owned(),
                });
            }
        }
    }
    Ok(found.into_iter().collect())
}
