//! A module or a component as the list of its sections, as they lie in it.
//!
//! For what copies or leaves out whole sections and must not change a byte of the others; who
//! wants to know what is inside asks wasmparser. Nothing here follows what a section holds.

use wasmparser::{BinaryReader, BinaryReaderError, Parser};

/// Magic number, version and layer.
const HEADER: usize = 8;
/// Id of a custom section, in modules and components alike.
pub(crate) const CUSTOM: u8 = 0;
/// Id of a core module in a component.
pub(crate) const MODULE: u8 = 1;
/// Id of a component in a component.
pub(crate) const COMPONENT: u8 = 4;

/// Why bytes cannot be taken apart.
#[derive(Debug, thiserror::Error)]
pub enum BinaryError {
    /// Something else, or a core module.
    #[error("these bytes are not a WebAssembly component")]
    NotComponent,
    /// A section that is longer than what it stands in.
    #[error("the sections of the component are broken")]
    Split(#[source] BinaryReaderError),
    /// More components inside of each other than any tool makes.
    #[error("the component has more than {most} levels of components inside each other")]
    Depth {
        /// Levels.
        most: usize,
    },
}

/// One section.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Section<'a> {
    pub(crate) id: u8,
    /// With id and length.
    pub(crate) whole: &'a [u8],
    /// Without.
    pub(crate) content: &'a [u8],
}

impl<'a> Section<'a> {
    /// Name of a custom section.
    pub(crate) fn name(&self) -> Option<&'a str> {
        match self.id {
            CUSTOM => BinaryReader::new(self.content, 0).read_string().ok(),
            _ => None,
        }
    }
}

/// Refuses what is no component.
pub(crate) fn expect_component(bytes: &[u8]) -> Result<(), BinaryError> {
    if Parser::is_component(bytes) { Ok(()) } else { Err(BinaryError::NotComponent) }
}

/// The header, and the sections in order.
pub(crate) fn split(bytes: &[u8]) -> Result<(&[u8], Vec<Section<'_>>), BinaryError> {
    let mut reader = BinaryReader::new(bytes, 0);
    let header = reader.read_bytes(HEADER).map_err(BinaryError::Split)?;
    let mut sections = Vec::new();
    while !reader.eof() {
        let start = reader.current_position();
        let (id, content) = section(&mut reader).map_err(BinaryError::Split)?;
        let whole = bytes.get(start..reader.current_position()).unwrap_or_default();
        sections.push(Section { id, whole, content });
    }
    Ok((header, sections))
}

fn section<'a>(reader: &mut BinaryReader<'a>) -> wasmparser::Result<(u8, &'a [u8])> {
    let id = reader.read_u8()?;
    let size = reader.read_var_u32()?;
    Ok((id, reader.read_bytes(size as usize)?))
}

/// Writes a section.
pub(crate) fn write(into: &mut Vec<u8>, id: u8, content: &[u8]) {
    into.push(id);
    write_length(into, content.len());
    into.extend_from_slice(content);
}

/// Writes an unsigned LEB128, which is what every length is.
pub(crate) fn write_length(into: &mut Vec<u8>, mut length: usize) {
    loop {
        let low = u8::try_from(length & 0x7f).unwrap_or_default();
        length >>= 7;
        if length == 0 {
            into.push(low);
            return;
        }
        into.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_was_written_is_read_in_pieces_and_put_together_again() {
        let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
        let long = vec![7; 300];
        write(&mut bytes, 11, &long);
        write(&mut bytes, CUSTOM, b"\x04mine\xff");
        write(&mut bytes, CUSTOM, b"\x09too short");
        write(&mut bytes, CUSTOM, b"\x0anot so long");
        let (header, sections) = split(&bytes).unwrap();
        let contents: Vec<_> =
            sections.iter().map(|section| (section.id, section.name())).collect();
        assert_eq!(
            contents,
            [(11, None), (0, Some("mine")), (0, Some("too short")), (0, Some("not so lon"))]
        );
        assert_eq!(sections.first().unwrap().content, long);
        let pieces: Vec<_> = sections.iter().map(|section| section.whole).collect();
        assert_eq!([header, &pieces.concat()].concat(), bytes);
    }

    #[test]
    fn a_section_that_ends_behind_the_end_is_an_error_everywhere() {
        let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
        write(&mut bytes, 7, &[1; 200]);
        for end in [3, 7, 9, 10, 11, 100, bytes.len() - 1] {
            let cut = bytes.get(..end).unwrap();
            assert!(matches!(split(cut), Err(BinaryError::Split(_))), "{end}");
        }
        assert!(split(bytes.get(..8).unwrap()).unwrap().1.is_empty());
    }
}
