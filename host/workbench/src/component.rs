use std::path::Path;

use wasm_encoder::{CustomSection, Encode as _, Section as _};
use wasmparser::{Parser, Payload, Validator};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

use crate::{BuildError, workspace::Workspace};

/// The custom section with `plugin.toml`.
pub(crate) const MANIFEST_SECTION: &str = "witgate:manifest";

/// The custom section with the plugin's own fixtures: a JSON array of objects with `name`, `facts`
/// and `expected`.
pub(crate) const FIXTURES_SECTION: &str = "witgate:fixtures";

/// The adapter for a module that was compiled for WASI preview 1 as a library (a *reactor*).
pub(crate) const REACTOR: (&str, &[u8]) = (
    wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME,
    wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
);

/// Embeds the world `plugin` of the workspace in a core module, for a toolchain whose bindings do
/// not bring it along.
pub(crate) fn with_world(core: &[u8], work: &Workspace) -> Result<Vec<u8>, BuildError> {
    let (resolve, world) = world(&work.wit)?;
    let mut module = core.to_vec();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)
        .map_err(BuildError::component("embedding the world"))?;
    Ok(module)
}

/// Reads the world `plugin` from a folder of WIT files.
pub(crate) fn world(wit: &Path) -> Result<(wit_parser::Resolve, wit_parser::WorldId), BuildError> {
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) =
        resolve.push_dir(wit).map_err(BuildError::component("reading the interfaces"))?;
    let world = resolve
        .select_world(&[package], Some("plugin"))
        .map_err(BuildError::component("reading the interfaces"))?;
    Ok((resolve, world))
}

/// Makes a component of a core module that has its world embedded. The adapter is needed if the
/// module calls WASI preview 1.
pub(crate) fn componentize(
    core: &[u8],
    adapter: Option<(&str, &[u8])>,
) -> Result<Vec<u8>, BuildError> {
    let step = "making a component of the module";
    let mut encoder = ComponentEncoder::default();
    encoder.validate(true).module(core).map_err(BuildError::component(step))?;
    if let Some((name, bytes)) = adapter {
        encoder.adapter(name, bytes).map_err(BuildError::component(step))?;
    }
    encoder.encode().map_err(BuildError::component(step))
}

/// A core module without the sections that a debugger reads; the names of functions stay, so that
/// a trap says where.
pub(crate) fn without_debug_info(core: &[u8]) -> Result<Vec<u8>, BuildError> {
    let mut module = wasm_encoder::Module::new();
    for payload in Parser::new(0).parse_all(core) {
        let payload = payload.map_err(BuildError::component("reading the module"))?;
        let debug =
            matches!(&payload, Payload::CustomSection(s) if s.name().starts_with(".debug_"));
        if let Some((id, range)) = payload.as_section()
            && !debug
        {
            let data = core.get(range).unwrap_or_default();
            module.section(&wasm_encoder::RawSection { id, data });
        }
    }
    Ok(module.finish())
}

/// Whether a core module calls WASI preview 1, and so needs [`REACTOR`].
pub(crate) fn calls_preview1(core: &[u8]) -> Result<bool, BuildError> {
    for payload in Parser::new(0).parse_all(core) {
        let Payload::ImportSection(section) =
            payload.map_err(BuildError::component("reading the module"))?
        else {
            continue;
        };
        for import in section.into_imports() {
            let import = import.map_err(BuildError::component("reading the module"))?;
            if import.module == REACTOR.0 {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// A component with one more custom section, at its end.
pub(crate) fn with_section(component: &[u8], name: &str, data: &[u8]) -> Vec<u8> {
    let section = CustomSection { name: name.into(), data: data.into() };
    let mut bytes = component.to_vec();
    bytes.push(section.id());
    section.encode(&mut bytes);
    bytes
}

/// The custom sections of this name, at any depth.
pub(crate) fn sections<'c>(component: &'c [u8], name: &str) -> Result<Vec<&'c [u8]>, BuildError> {
    let mut found = Vec::new();
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload.map_err(BuildError::component("reading the component"))?;
        if let Payload::CustomSection(section) = payload
            && section.name() == name
        {
            found.push(section.data());
        }
    }
    Ok(found)
}

/// Checks that these bytes are a component, and valid.
pub(crate) fn validate(component: &[u8]) -> Result<(), BuildError> {
    let step = "validating the component";
    Validator::new().validate_all(component).map_err(BuildError::component(step))?;
    if Parser::is_component(component) {
        return Ok(());
    }
    let message = "it is a core module and not a component".to_owned();
    Err(BuildError::Component { step, message })
}

/// What the component itself imports: `witgate:attestor/files@0.1.0`, `wasi:io/error@0.2.6`.
pub(crate) fn imports(component: &[u8]) -> Result<Vec<String>, BuildError> {
    let mut names = Vec::new();
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(BuildError::component("reading the component"))? {
            Payload::ComponentSection { .. } | Payload::ModuleSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    let import = import.map_err(BuildError::component("reading the component"))?;
                    names.push(import.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use wasm_encoder::{Component, RawSection};

    use super::*;

    const OTHER: &str = "x";

    /// A core module that imports from `imported`, with these custom sections.
    fn module(imported: &str, sections: &[(&str, &[u8])]) -> Vec<u8> {
        let mut module = wasm_encoder::Module::new();
        let mut types = wasm_encoder::TypeSection::new();
        types.ty().function([], []);
        module.section(&types);
        let mut imports = wasm_encoder::ImportSection::new();
        imports.import(imported, "f", wasm_encoder::EntityType::Function(0));
        module.section(&imports);
        let bare = module.finish();
        sections.iter().fold(bare, |module, (name, data)| with_section(&module, name, data))
    }

    fn component(core: &[u8]) -> Vec<u8> {
        let mut component = Component::new();
        component.section(&RawSection { id: 1, data: core });
        component.finish()
    }

    #[test]
    fn a_section_is_found_at_any_depth_and_the_component_stays_valid() {
        let inner = module("m", &[(MANIFEST_SECTION, b"inside"), (OTHER, b"other")]);
        let bare = component(&inner);
        let both = with_section(&bare, MANIFEST_SECTION, b"outside");
        validate(&both).unwrap();
        assert_eq!(sections(&bare, MANIFEST_SECTION).unwrap(), [b"inside"]);
        let found = sections(&both, MANIFEST_SECTION).unwrap();
        assert_eq!(found, [&b"inside"[..], &b"outside"[..]]);
        let nested: Vec<u8> = {
            let mut outer = Component::new();
            outer.section(&RawSection { id: 4, data: &both });
            outer.finish()
        };
        assert_eq!(sections(&nested, MANIFEST_SECTION).unwrap().len(), 2);
        assert_eq!(sections(&nested, "none").unwrap(), [&[0_u8; 0]; 0]);
    }

    #[test]
    fn a_module_and_rubbish_are_no_component() {
        let error = validate(&module("m", &[])).unwrap_err().to_string();
        assert!(error.contains("a core module and not a component"), "{error}");
        assert!(validate(b"").is_err() && validate(b"rubbish!").is_err());
        assert!(sections(b"rubbish!", OTHER).is_err() && imports(b"").is_err());
    }

    #[test]
    fn debug_information_goes_and_the_names_stay() {
        let full = module("m", &[(".debug_info", b"1"), ("name", b""), (".debug_line", b"2")]);
        let bare = without_debug_info(&full).unwrap();
        assert_eq!(bare, module("m", &[("name", b"")]));
    }

    #[test]
    fn a_module_that_calls_preview1_is_told_from_others() {
        assert!(calls_preview1(&module(REACTOR.0, &[])).unwrap());
        assert!(!calls_preview1(&module("witgate:attestor/log@0.1.0", &[])).unwrap());
    }

    #[test]
    fn a_module_without_a_world_is_no_component_yet() {
        let error = componentize(&module("m", &[]), None).unwrap_err().to_string();
        assert!(error.starts_with("making a component of the module failed: "), "{error}");
    }
}
