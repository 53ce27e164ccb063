//! Types of components, counted without following them.
//!
//! A type of a component or of an instance is a list of declarations, and a declaration can be
//! such a type again: three bytes a level. wasmparser reads them by calling itself, without an
//! end, so depth is counted here on a list of our own, and only what cannot nest is read by it.

use wasmparser::{
    BinaryReader, ComponentType, ComponentTypeDeclaration, CoreType, Result, SectionLimited,
};

use super::count::Tally;
use super::{Bound, BoundsError};

/// First byte of a declaration that is a type.
const TYPE: u8 = 0x01;
/// First byte of the type of a component.
const COMPONENT: u8 = 0x41;
/// First byte of the type of an instance.
const INSTANCE: u8 = 0x42;

/// Counts every declaration of a type section, whose content this is.
pub(super) fn count(content: BinaryReader<'_>, tally: &mut Tally<'_>) -> Result<(), BoundsError> {
    let mut types = Types { content, open: Vec::new() };
    types.list().map_err(BoundsError::Read)?;
    while let Some(left) = types.open.last_mut() {
        let Some(less) = left.checked_sub(1) else {
            types.open.pop();
            continue;
        };
        *left = less;
        tally.add(Bound::Types, 1)?;
        let inside = types.item().map_err(BoundsError::Read)?;
        tally.add(Bound::Types, inside)?;
        tally.depth(types.open.len() - 1)?;
    }
    Ok(())
}

/// Where the reading is.
struct Types<'a> {
    content: BinaryReader<'a>,
    /// Items that are still to be read, of the section and of every list of declarations in each
    /// other that has not come to its end.
    open: Vec<u32>,
}

impl Types<'_> {
    /// Reads the head of a list.
    fn list(&mut self) -> Result<()> {
        self.open.push(self.content.read_var_u32()?);
        Ok(())
    }

    /// Reads one item, of one that is a list only the head, and says how many are inside of what
    /// was read.
    fn item(&mut self) -> Result<u64> {
        if self.open.len() > 1 {
            if self.ahead()? != TYPE {
                let declaration = self.content.read::<ComponentTypeDeclaration<'_>>()?;
                return Ok(match declaration {
                    ComponentTypeDeclaration::CoreType(core) => declarations(&core),
                    _ => 0,
                });
            }
            self.content.read_u8()?;
        }
        match self.ahead()? {
            COMPONENT | INSTANCE => {
                self.content.read_u8()?;
                self.list()?;
            }
            _ => drop(self.content.read::<ComponentType<'_>>()?),
        }
        Ok(0)
    }

    fn ahead(&self) -> Result<u8> {
        self.content.clone().read_u8()
    }
}

/// Counts the core types of a component, and the declarations inside of them.
pub(super) fn count_core(
    section: SectionLimited<'_, CoreType<'_>>,
    tally: &mut Tally<'_>,
) -> Result<(), BoundsError> {
    for core in section {
        let core = core.map_err(BoundsError::Read)?;
        tally.add(Bound::Types, 1 + declarations(&core))?;
    }
    Ok(())
}

/// Declarations inside of a core type: those of a module do not nest.
fn declarations(core: &CoreType<'_>) -> u64 {
    match core {
        CoreType::Rec(group) => group.types().len() as u64,
        CoreType::Module(declarations) => declarations.len() as u64,
    }
}
