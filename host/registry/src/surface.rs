use wasmparser::{Parser, Payload};

use crate::limits::SURFACE_NAMES;

/// What a component imports and exports, by name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Surface {
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
}

/// Bytes that are not a component, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct NotAComponent {
    cause: String,
}

impl Surface {
    /// Reads the names at the outermost level; what lies within is not looked at.
    pub(crate) fn of(component: &[u8]) -> Result<Self, NotAComponent> {
        let not = |cause: String| NotAComponent { cause };
        if Parser::is_core_wasm(component) {
            return Err(not("it is a core WebAssembly module, not a component".to_owned()));
        }
        let surface = Self::read(component);
        let surface = surface.map_err(|error| not(format!("it is not WebAssembly: {error}")))?;
        if surface.imports.len() + surface.exports.len() > SURFACE_NAMES {
            return Err(not(format!("it imports and exports more than {SURFACE_NAMES} things")));
        }
        Ok(surface)
    }

    fn read(component: &[u8]) -> wasmparser::Result<Self> {
        let mut surface = Self::default();
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(component) {
            match payload? {
                Payload::Version { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                payload if depth == 1 => surface.note(&payload)?,
                _ => {}
            }
        }
        Ok(surface)
    }

    fn note(&mut self, payload: &Payload<'_>) -> wasmparser::Result<()> {
        match payload {
            Payload::ComponentImportSection(imports) => {
                for import in imports.clone() {
                    self.imports.push(import?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(exports) => {
                for export in exports.clone() {
                    self.exports.push(export?.name.name.to_owned());
                }
            }
            _ => {}
        }
        Ok(())
    }
}
