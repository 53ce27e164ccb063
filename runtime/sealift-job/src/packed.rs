//! Bytes that lie compressed in the binary, and so in the image that every node keeps.
//!
//! `cargo xtask functions` packs them; they are unpacked where they are used. Whether they are
//! the right ones is for their digest to say, not for this.

use std::io;

/// Bytes as one frame of zstd.
#[derive(Debug, Clone, Copy)]
pub struct Packed {
    /// The frame.
    pub frame: &'static [u8],
    /// How many bytes come out of it; more are refused.
    pub size: usize,
}

impl Packed {
    /// The bytes.
    ///
    /// # Errors
    /// The frame is damaged, or holds more than `size`.
    pub fn unpack(self) -> io::Result<Vec<u8>> {
        zstd::bulk::decompress(self.frame, self.size)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn packed(bytes: &[u8]) -> Packed {
        Packed { frame: Vec::leak(zstd::bulk::compress(bytes, 1).unwrap()), size: bytes.len() }
    }

    #[test]
    fn what_was_packed_comes_out() {
        for bytes in [&b""[..], b"a component", &[7; 100_000]] {
            assert_eq!(packed(bytes).unpack().unwrap(), bytes);
        }
    }

    #[test]
    fn a_frame_that_is_cut_off_or_holds_more_than_it_should_is_refused() {
        let whole = packed(&[7; 100_000]);
        let cut = whole.frame.get(..whole.frame.len() - 1).unwrap();
        Packed { frame: cut, ..whole }.unpack().unwrap_err();
        Packed { size: whole.size - 1, ..whole }.unpack().unwrap_err();
    }
}
