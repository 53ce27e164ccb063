//! Empty gzip members that take up space: their extra field (RFC 1952, 2.3.1.1) has the missing
//! length.

/// A member without its extra field: header, length of the field, an empty block, trailer.
const FRAME: u64 = 10 + 2 + 2 + 8;
/// Head of the one subfield: two letters and a length.
const SUBFIELD: u64 = 4;
/// Most bytes of an extra field.
const FIELD_MOST: u64 = 65_535;
/// The smallest member.
pub(super) const LEAST: u64 = FRAME + SUBFIELD;
/// The largest member.
const MOST: u64 = FRAME + FIELD_MOST;

/// Sizes of the members that fill `bytes`. Fewer than [`LEAST`] cannot be filled: the member that
/// is made of them is larger.
pub(super) fn sizes(bytes: u64) -> Vec<u64> {
    let mut sizes = Vec::new();
    let mut left = bytes;
    while left > MOST {
        // What remains must be enough for one more member.
        let size = if left - MOST < LEAST { MOST - LEAST } else { MOST };
        sizes.push(size);
        left -= size;
    }
    sizes.push(left);
    sizes
}

/// A member of exactly `size` bytes, from [`LEAST`] to [`MOST`].
pub(super) fn member(size: u64) -> Vec<u8> {
    let field = size.clamp(LEAST, MOST) - FRAME;
    let field_length = u16::try_from(field).unwrap_or(u16::MAX);
    let data_length = field_length.saturating_sub(SUBFIELD as u16);
    // Flag 4: there is an extra field.
    let mut member = vec![0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255];
    member.extend_from_slice(&field_length.to_le_bytes());
    member.extend_from_slice(b"SL");
    member.extend_from_slice(&data_length.to_le_bytes());
    member.resize(member.len() + usize::from(data_length), 0);
    // An empty final block with fixed codes, then checksum and length of nothing.
    member.extend_from_slice(&[3, 0]);
    member.extend_from_slice(&[0; 8]);
    member
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::io::Read;

    use super::*;

    #[test]
    fn every_length_can_be_filled() {
        let near = |middle: u64| middle.saturating_sub(60)..middle + 60;
        let lengths = (LEAST..200).chain(near(MOST)).chain(near(2 * MOST)).chain(near(3 * MOST));
        for length in lengths {
            let sizes = sizes(length);
            assert_eq!(sizes.iter().sum::<u64>(), length);
            assert!(sizes.iter().all(|size| (LEAST..=MOST).contains(size)), "{length}: {sizes:?}");
        }
    }

    #[test]
    fn a_member_has_its_size_and_no_content() {
        for size in [LEAST, LEAST + 1, 1000, MOST - 1, MOST] {
            let bytes = member(size);
            assert_eq!(bytes.len() as u64, size);
            let mut content = Vec::new();
            let mut reader = flate2::bufread::GzDecoder::new(bytes.as_slice());
            reader.read_to_end(&mut content).unwrap();
            assert!(content.is_empty());
            assert!(reader.into_inner().is_empty());
        }
    }
}
