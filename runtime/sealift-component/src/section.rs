//! The custom section that holds a component's descriptor: put in, found, taken out.
//!
//! It is appended to the finished component, the same for every language and tool. What stands
//! in it is `descriptor`'s; only the outermost level counts, since a section of an inner module is
//! not the component's own word.

use crate::binary::{self, BinaryError};
use crate::inspect::InspectError;
use crate::outline::Outline;

/// Its name.
pub const NAME: &str = "sealift:function";

/// Longest descriptor; the largest of a built-in Function has 2 KiB.
pub const MOST_BYTES: usize = 64 << 10;

/// The component with this descriptor, as JSON, at its end. It must not have one yet ([`without`]).
#[must_use]
pub fn append(component: &[u8], json: &[u8]) -> Vec<u8> {
    let mut content = Vec::with_capacity(NAME.len() + json.len() + 1);
    binary::write_length(&mut content, NAME.len());
    content.extend_from_slice(NAME.as_bytes());
    content.extend_from_slice(json);
    let mut whole = Vec::with_capacity(component.len() + content.len() + 6);
    whole.extend_from_slice(component);
    binary::write(&mut whole, binary::CUSTOM, &content);
    whole
}

/// The descriptor of a component, as it stands there; none if it has none.
///
/// # Errors
/// It is no component, or its descriptor is not one or too long.
pub fn find(component: &[u8]) -> Result<Option<&[u8]>, InspectError> {
    Outline::of(component)?.descriptor()
}

/// The component without any descriptor, otherwise byte for byte the same.
///
/// # Errors
/// It is no component.
pub fn without(component: &[u8]) -> Result<Vec<u8>, BinaryError> {
    binary::expect_component(component)?;
    let (header, sections) = binary::split(component)?;
    let mut bare = Vec::with_capacity(component.len());
    bare.extend_from_slice(header);
    for section in sections.iter().filter(|section| section.name() != Some(NAME)) {
        bare.extend_from_slice(section.whole);
    }
    Ok(bare)
}
