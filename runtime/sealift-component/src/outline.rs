//! The outline of a component: names of its imports and exports, and its descriptors.
//!
//! Only the outermost level is looked at, and neither types nor code are read, so that bytes of
//! anybody can be looked at: what is deep or large in them is never followed.

use wasmparser::{Encoding, Parser, Payload};

use crate::inspect::InspectError;
use crate::section;

/// What stands at the outermost level of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline<'a> {
    /// Names of what it exports, versions included, in order.
    pub exports: Vec<String>,
    /// Names of what it imports, versions included, in order.
    pub imports: Vec<String>,
    /// Content of every section that could be its descriptor, as it stands there.
    pub descriptors: Vec<&'a [u8]>,
}

impl<'a> Outline<'a> {
    /// The outline of these bytes.
    ///
    /// # Errors
    /// They are no component, or damaged.
    pub fn of(wasm: &'a [u8]) -> Result<Self, InspectError> {
        let mut outline =
            Self { exports: Vec::new(), imports: Vec::new(), descriptors: Vec::new() };
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(wasm) {
            match payload.map_err(InspectError::Parse)? {
                Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                    return Err(InspectError::Module);
                }
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(section) if depth == 0 => {
                    for import in section {
                        let import = import.map_err(InspectError::Parse)?;
                        outline.imports.push(import.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 0 => {
                    for export in section {
                        let export = export.map_err(InspectError::Parse)?;
                        outline.exports.push(export.name.name.to_owned());
                    }
                }
                Payload::CustomSection(section)
                    if depth == 0 && section.name() == section::NAME =>
                {
                    outline.descriptors.push(section.data());
                }
                _ => {}
            }
        }
        Ok(outline)
    }

    /// The one descriptor; none if there is none.
    ///
    /// # Errors
    /// There are several, or it is too long.
    pub fn descriptor(&self) -> Result<Option<&'a [u8]>, InspectError> {
        match self.descriptors.as_slice() {
            [] => Ok(None),
            [json] if json.len() > section::MOST_BYTES => {
                Err(InspectError::LongDescriptor { size: json.len() })
            }
            [json] => Ok(Some(json)),
            _ => Err(InspectError::SeveralDescriptors),
        }
    }
}
