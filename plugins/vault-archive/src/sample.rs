//! Snapshots in the form Vault serves them, and pieces to break them with; for tests.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::Write;

use sha2::{Digest as _, Sha256};

/// Bytes that do not compress, the same for the same seed.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

fn meta(state: &[u8]) -> String {
    format!(
        r#"{{"Version":1,"ID":"bolt-snapshot","Index":54,"Term":3,"Configuration":{{}},"Size":{}}}"#,
        state.len()
    )
}

/// The members of a good snapshot with this state.
pub(crate) fn members(state: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let line =
        |name: &str, bytes: &[u8]| format!("{}  {name}\n", hex::encode(Sha256::digest(bytes)));
    let meta = meta(state).into_bytes();
    let sums = line("meta.json", &meta) + &line("state.bin", state);
    vec![
        ("meta.json", meta),
        ("state.bin", state.to_vec()),
        ("SHA256SUMS", sums.into_bytes()),
        ("SHA256SUMS.sealed", noise(9, 200)),
    ]
}

pub(crate) fn tar(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        builder.append_data(&mut header, name, content.as_slice()).unwrap();
    }
    builder.into_inner().unwrap()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
