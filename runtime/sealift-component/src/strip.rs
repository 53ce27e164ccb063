//! Leaving out of a component what nobody needs to run it.
//!
//! Debug information is most of an unstripped component, and both it and the list of tools
//! (`producers`) tell about the machine that built it, so that the same sources give other
//! digests elsewhere. Code, types and every other section stay as they are: names, which
//! traps are told with, the descriptor, and what tools wrote about the component's world.

use wasmparser::Parser;

use crate::binary::{self, BinaryError, COMPONENT, CUSTOM, MODULE};

/// Most levels of components inside of each other; those of [`crate::bounds`] are fewer or equal.
const MOST_DEPTH: usize = 16;

/// What becomes of the names of functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// They stay: a trap is told with the names of functions.
    Keep,
    /// They go: a tenth of the size.
    Drop,
}

/// The component without debug information, what says where that lies, and `producers`, at every
/// level.
///
/// # Errors
/// It is no component, or its sections are broken.
pub fn strip(component: &[u8], names: Names) -> Result<Vec<u8>, BinaryError> {
    binary::expect_component(component)?;
    let mut stripped = Vec::with_capacity(component.len());
    level(component, names, 0, &mut stripped)?;
    Ok(stripped)
}

fn level(bytes: &[u8], names: Names, depth: usize, into: &mut Vec<u8>) -> Result<(), BinaryError> {
    if depth > MOST_DEPTH {
        return Err(BinaryError::Depth { most: MOST_DEPTH });
    }
    let (header, sections) = binary::split(bytes)?;
    into.extend_from_slice(header);
    let is_component = Parser::is_component(bytes);
    for section in sections {
        match section.id {
            CUSTOM if section.name().is_some_and(|name| is_dropped(name, names)) => {}
            MODULE | COMPONENT if is_component => {
                let mut inner = Vec::with_capacity(section.content.len());
                level(section.content, names, depth + 1, &mut inner)?;
                // Written anew, a length could take fewer bytes than the tool gave it: what holds
                // nothing to drop stays byte for byte.
                if inner.len() == section.content.len() {
                    into.extend_from_slice(section.whole);
                } else {
                    binary::write(into, section.id, &inner);
                }
            }
            _ => into.extend_from_slice(section.whole),
        }
    }
    Ok(())
}

fn is_dropped(name: &str, names: Names) -> bool {
    match name {
        "producers" | "external_debug_info" | "sourceMappingURL" => true,
        "name" | "component-name" => names == Names::Drop,
        _ => name.starts_with(".debug_"),
    }
}
