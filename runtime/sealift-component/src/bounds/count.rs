//! One pass over a component that counts, and stops at the first bound that is broken.
//!
//! Sections are taken as their heads announce them; whether they hold what they announce is the
//! validator's to say. The one thing that is computed is how much a component becomes when it is
//! laid out: each of its definitions, and those of a component inside as often as it is started.

use wasmparser::{
    BinaryReader, ComponentAlias, ComponentExternalKind, ComponentInstance,
    ComponentOuterAliasKind, ComponentTypeRef, Parser, Payload, TypeSectionReader,
};

use super::{Bound, Bounds, BoundsError, Counts, types};

/// Counts what stands in a component.
pub(super) fn count(wasm: &[u8], bounds: &Bounds) -> Result<Counts, BoundsError> {
    let tally = Tally { bounds, counts: Counts::default() };
    let mut walk = Walk { wasm, tally, open: vec![Level::default()] };
    for payload in Parser::new(0).parse_all(wasm) {
        walk.payload(payload.map_err(BoundsError::Read)?)?;
    }
    Ok(walk.tally.counts)
}

/// What was counted so far, and how far it may go.
pub(super) struct Tally<'a> {
    bounds: &'a Bounds,
    counts: Counts,
}

impl Tally<'_> {
    /// Adds to what is counted over the whole component.
    pub(super) fn add(&mut self, what: Bound, more: u64) -> Result<(), BoundsError> {
        let Self { bounds, counts } = self;
        let (count, most) = match what {
            Bound::Bytes => (&mut counts.bytes, bounds.bytes),
            Bound::Modules => (&mut counts.modules, bounds.modules),
            Bound::Imports => (&mut counts.imports, bounds.imports),
            Bound::Exports => (&mut counts.exports, bounds.exports),
            Bound::Links => (&mut counts.links, bounds.links),
            Bound::Types => (&mut counts.types, bounds.types),
            Bound::Functions => (&mut counts.functions, bounds.functions),
            // These are no sums: each one counts for itself.
            Bound::Depth => return within(what, more, bounds.depth),
            Bound::FunctionBytes => return within(what, more, bounds.function_bytes),
            Bound::SectionBytes => return within(what, more, bounds.section_bytes),
            Bound::Definitions => return within(what, more, bounds.definitions),
        };
        *count = count.saturating_add(more);
        within(what, *count, most)
    }

    /// Refuses what lies too deep.
    pub(super) fn depth(&mut self, levels: usize) -> Result<(), BoundsError> {
        self.add(Bound::Depth, levels as u64)
    }
}

fn within(what: Bound, count: u64, most: u64) -> Result<(), BoundsError> {
    if count > most { Err(BoundsError::Exceeded { what, most }) } else { Ok(()) }
}

/// A component, or a module inside of one, whose end has not come yet.
#[derive(Default)]
struct Level {
    is_module: bool,
    /// How many definitions starting it once leads to.
    definitions: u64,
    /// The same of every component it can start, by index.
    parts: Vec<u64>,
}

struct Walk<'a> {
    wasm: &'a [u8],
    tally: Tally<'a>,
    /// The levels that are open, the innermost last.
    open: Vec<Level>,
}

impl Walk<'_> {
    fn payload(&mut self, payload: Payload<'_>) -> Result<(), BoundsError> {
        match payload {
            Payload::ModuleSection { .. } => {
                self.tally.add(Bound::Modules, 1)?;
                self.open.push(Level { is_module: true, ..Level::default() });
            }
            Payload::ComponentSection { .. } => {
                self.tally.counts.components += 1;
                self.tally.depth(self.open.len())?;
                self.open.push(Level::default());
            }
            Payload::End(_) => self.end(),
            Payload::CustomSection(section) => {
                self.tally.add(Bound::SectionBytes, section.data().len() as u64)?;
            }

            // Of a core module.
            Payload::TypeSection(section) => self.core_types(section)?,
            Payload::ImportSection(section) => self.add(Bound::Links, section.count())?,
            Payload::ExportSection(section) => self.add(Bound::Links, section.count())?,
            Payload::FunctionSection(section) => self.add(Bound::Functions, section.count())?,
            Payload::CodeSectionEntry(body) => {
                self.tally.add(Bound::FunctionBytes, body.range().len() as u64)?;
            }

            // Of a component.
            Payload::CoreTypeSection(section) => {
                self.define(u64::from(section.count()))?;
                types::count_core(section, &mut self.tally)?;
            }
            Payload::ComponentTypeSection(section) => {
                self.define(u64::from(section.count()))?;
                let range = section.range();
                let content = self.wasm.get(range.clone()).unwrap_or_default();
                types::count(BinaryReader::new(content, range.start), &mut self.tally)?;
            }
            Payload::ComponentImportSection(section) => {
                self.add(Bound::Imports, section.count())?;
                self.define(u64::from(section.count()))?;
                for import in section {
                    let import = import.map_err(BoundsError::Read)?;
                    if matches!(import.ty, ComponentTypeRef::Component(_)) {
                        return Err(BoundsError::HandedOn);
                    }
                }
            }
            Payload::ComponentExportSection(section) => {
                self.add(Bound::Exports, section.count())?;
                self.define(u64::from(section.count()))?;
                for export in section {
                    let export = export.map_err(BoundsError::Read)?;
                    if export.kind == ComponentExternalKind::Component {
                        self.name_again(0, export.index);
                    }
                }
            }
            Payload::ComponentAliasSection(section) => {
                self.define(u64::from(section.count()))?;
                for alias in section {
                    self.alias(alias.map_err(BoundsError::Read)?)?;
                }
            }
            Payload::ComponentInstanceSection(section) => {
                for instance in section {
                    self.instance(instance.map_err(BoundsError::Read)?)?;
                }
            }
            Payload::InstanceSection(section) => self.define(u64::from(section.count()))?,
            Payload::ComponentCanonicalSection(section) => {
                self.define(u64::from(section.count()))?;
            }
            _ => {}
        }
        Ok(())
    }

    fn add(&mut self, what: Bound, count: u32) -> Result<(), BoundsError> {
        self.tally.add(what, u64::from(count))
    }

    /// A level has ended: a component becomes one of those its parent can start.
    fn end(&mut self) {
        let Some(ended) = self.open.pop() else { return };
        match self.open.last_mut() {
            Some(_) if ended.is_module => {}
            Some(parent) => parent.parts.push(ended.definitions),
            None => self.tally.counts.definitions = ended.definitions,
        }
    }

    fn define(&mut self, more: u64) -> Result<(), BoundsError> {
        let Some(level) = self.open.last_mut() else { return Ok(()) };
        level.definitions = level.definitions.saturating_add(more);
        self.tally.add(Bound::Definitions, level.definitions)
    }

    fn core_types(&mut self, section: TypeSectionReader<'_>) -> Result<(), BoundsError> {
        for group in section {
            let group = group.map_err(BoundsError::Read)?;
            self.tally.add(Bound::Types, group.types().len() as u64)?;
        }
        Ok(())
    }

    fn alias(&mut self, alias: ComponentAlias<'_>) -> Result<(), BoundsError> {
        match alias {
            ComponentAlias::Outer { kind: ComponentOuterAliasKind::Component, count, index } => {
                self.name_again(count as usize, index);
                Ok(())
            }
            ComponentAlias::InstanceExport { kind: ComponentExternalKind::Component, .. } => {
                Err(BoundsError::HandedOn)
            }
            _ => Ok(()),
        }
    }

    /// A component of the level so far outside gets one more index here. One that is not there
    /// is found by the validator.
    fn name_again(&mut self, outside: usize, index: u32) {
        let known = self.weight(outside, index);
        if let Some(level) = self.open.last_mut() {
            level.parts.push(known);
        }
    }

    fn weight(&self, outside: usize, index: u32) -> u64 {
        let level = self.open.iter().rev().nth(outside);
        level.and_then(|level| level.parts.get(index as usize)).copied().unwrap_or_default()
    }

    fn instance(&mut self, instance: ComponentInstance<'_>) -> Result<(), BoundsError> {
        match instance {
            ComponentInstance::Instantiate { component_index, args } => {
                let inside = self.weight(0, component_index);
                self.define(inside.saturating_add(1 + args.len() as u64))
            }
            ComponentInstance::FromExports(exports) => self.define(1 + exports.len() as u64),
        }
    }
}
