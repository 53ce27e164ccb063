//! What is signed: a statement of in-toto that names the digest of a manifest, in the envelope's
//! encoding, which puts lengths before its parts so that no part can be taken for another.

use serde_json::json;

use super::{PAYLOAD, PREDICATE};
use crate::digest::Digest;

/// The statement that this manifest is signed. The order of its keys is that of cosign.
#[must_use]
pub fn statement(manifest: &Digest) -> Vec<u8> {
    let subject = json!({"digest": {"sha256": manifest.hex()}});
    // Written by hand for the order of its keys; all that is put in is of known characters.
    format!(
        r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{subject}],"predicateType":"{PREDICATE}","predicate":{{}}}}"#
    )
    .into_bytes()
}

/// The bytes a key signs for a payload: the envelope's pre-authentication encoding.
pub(super) fn encoding(payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {PAYLOAD} {} ", PAYLOAD.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_what_cosign_signs() {
        let manifest = Digest::of(b"x");
        assert_eq!(
            String::from_utf8(statement(&manifest)).unwrap(),
            format!(
                r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"digest":{{"sha256":"{}"}}}}],"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{{}}}}"#,
                manifest.hex()
            )
        );
        assert_eq!(encoding(b"hello"), b"DSSEv1 28 application/vnd.in-toto+json 5 hello");
    }
}
