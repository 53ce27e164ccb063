//! A snapshot of a Vault in the form Vault serves it, small, and a Vault that takes one.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use sha2::{Digest as _, Sha256};

use crate::server::{Answer, Seen, Server, ok, start};

/// The last entry of the log in every snapshot here.
const INDEX: u64 = 54;

/// Bytes that do not compress.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
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

/// A good snapshot with this state.
pub(crate) fn snapshot(state: &[u8]) -> Vec<u8> {
    let meta = format!(
        r#"{{"Version":1,"ID":"x","Index":{INDEX},"Term":3,"Configuration":{{}},"Size":{}}}"#,
        state.len()
    );
    let line =
        |name: &str, bytes: &[u8]| format!("{}  {name}\n", hex::encode(Sha256::digest(bytes)));
    let sums = line("meta.json", meta.as_bytes()) + &line("state.bin", state);
    let mut tar = tar::Builder::new(Vec::new());
    for (name, content) in [
        ("meta.json", meta.as_bytes()),
        ("state.bin", state),
        ("SHA256SUMS", sums.as_bytes()),
        ("SHA256SUMS.sealed", b"only Vault can read this"),
    ] {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        tar.append_data(&mut header, name, content).unwrap();
    }
    gzip(&tar.into_inner().unwrap())
}

/// A whole gzip member.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An answer with this status.
pub(crate) fn answer(status: u16, body: &str) -> Answer {
    let mut answer = ok(body.to_owned());
    *answer.status_mut() = status.try_into().unwrap();
    answer
}

/// A Vault that is unsealed and leads. A whole snapshot is answered with `taken`; after a success
/// it is silent for a look, as one that applies a snapshot is, and then its log has gone on.
pub(crate) async fn vault_that(taken: impl Fn() -> Answer + Send + Sync + 'static) -> Server {
    let (has, paused) = (AtomicBool::new(false), AtomicBool::new(false));
    start(move |seen: &Seen| match seen.path.as_str() {
        "/v1/sys/health" if has.load(Ordering::SeqCst) && !paused.swap(true, Ordering::SeqCst) => {
            answer(503, "")
        }
        "/v1/sys/health" => ok(r#"{"initialized":true,"sealed":false,"standby":false}"#),
        "/v1/sys/leader" => {
            let index = if has.load(Ordering::SeqCst) { INDEX + 20 } else { INDEX + 10 };
            ok(format!(
                r#"{{"ha_enabled":true,"leader_address":"http://me","raft_committed_index":{index}}}"#
            ))
        }
        "/v1/sys/seal-status" => ok(r#"{"type":"shamir","sealed":false}"#),
        "/v1/sys/storage/raft/configuration" => ok("{}"),
        path if path.starts_with("/v1/sys/storage/raft/snapshot") => match &seen.body {
            Some(body) if body.is_empty() => {
                answer(400, r#"{"errors":["failed to decompress the snapshot: EOF"]}"#)
            }
            Some(_) => {
                let answer = taken();
                has.store(answer.status().is_success(), Ordering::SeqCst);
                answer
            }
            None => answer(400, ""),
        },
        other => answer(404, other),
    })
    .await
}

/// What was posted: empty for the question whether a snapshot would be taken, none for what broke
/// off.
pub(crate) fn posted(server: &Server) -> Vec<Option<bytes::Bytes>> {
    let seen = server.seen();
    seen.into_iter().filter(|seen| seen.method == "POST").map(|seen| seen.body).collect()
}
