use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::{SigningKey, bundle, statement};
use super::*;

fn trust(keys: &[(&str, &SigningKey)]) -> Trust {
    let keys = keys
        .iter()
        .map(|(name, key)| TrustedKey { name: (*name).to_owned(), key: key.public() })
        .collect();
    Trust { keys, identities: Vec::new() }
}

fn changed(bundle: &[u8], path: &[&str], value: serde_json::Value) -> Vec<u8> {
    let mut json: serde_json::Value = serde_json::from_slice(bundle).unwrap();
    let pointer: String = path.iter().map(|part| format!("/{part}")).collect();
    *json.pointer_mut(&pointer).unwrap() = value;
    serde_json::to_vec(&json).unwrap()
}

#[test]
fn what_a_trusted_key_has_signed_is_believed_and_nothing_else() {
    let (acme, beta, stranger) = (
        SigningKey::generate().unwrap(),
        SigningKey::generate().unwrap(),
        SigningKey::generate().unwrap(),
    );
    let manifest = Digest::of(b"manifest");
    let signed = bundle(&statement(&manifest), &acme).unwrap();
    let both = trust(&[("beta", &beta), ("acme", &acme)]);
    assert_eq!(
        verify(&manifest, &signed, &both),
        Ok(Signer::Key { name: "acme".to_owned(), fingerprint: acme.public().fingerprint() })
    );
    assert_eq!(verify(&Digest::of(b"other"), &signed, &both), Err(Reject::Subject));
    let unknown = Reject::UnknownKey { hint: acme.public().hint() };
    assert_eq!(verify(&manifest, &signed, &trust(&[("beta", &beta)])), Err(unknown));

    // A stranger who writes the hint of a trusted key is still a stranger.
    let forged = bundle(&statement(&manifest), &stranger).unwrap();
    let hint = acme.public().hint().into();
    let forged = changed(&forged, &["verificationMaterial", "publicKey", "hint"], hint);
    let refused = Reject::Signature { name: "acme".to_owned() };
    assert_eq!(verify(&manifest, &forged, &both), Err(refused));
    // And a trusted key needs no hint.
    let plain = changed(&signed, &["verificationMaterial", "publicKey", "hint"], "".into());
    assert!(verify(&manifest, &plain, &both).is_ok());
}

#[test]
fn a_statement_that_was_changed_is_not_what_was_signed() {
    let acme = SigningKey::generate().unwrap();
    let (manifest, other) = (Digest::of(b"manifest"), Digest::of(b"other"));
    let signed = bundle(&statement(&manifest), &acme).unwrap();
    let payload = STANDARD.encode(statement(&other)).into();
    let moved = changed(&signed, &["dsseEnvelope", "payload"], payload);
    let refused = Reject::Signature { name: "acme".to_owned() };
    assert_eq!(verify(&other, &moved, &trust(&[("acme", &acme)])), Err(refused));
}

#[test]
fn an_attestation_of_a_trusted_key_is_no_signature() {
    let acme = SigningKey::generate().unwrap();
    let manifest = Digest::of(b"manifest");
    let text = String::from_utf8(statement(&manifest)).unwrap();
    let trust = trust(&[("acme", &acme)]);
    let attested = text.replace(PREDICATE, "https://slsa.dev/provenance/v1");
    let attested = bundle(attested.as_bytes(), &acme).unwrap();
    assert_eq!(
        verify(&manifest, &attested, &trust),
        Err(Reject::Predicate { found: "https://slsa.dev/provenance/v1".to_owned() })
    );
    // Two values for one key: readers would choose differently.
    let twice = text.replace(
        r#""predicateType""#,
        r#""predicateType":"https://slsa.dev/provenance/v1","predicateType""#,
    );
    let twice = bundle(twice.as_bytes(), &acme).unwrap();
    assert_eq!(verify(&manifest, &twice, &trust), Err(Reject::Form));
}

#[test]
fn what_is_no_bundle_is_refused() {
    let acme = SigningKey::generate().unwrap();
    let manifest = Digest::of(b"manifest");
    let signed = bundle(&statement(&manifest), &acme).unwrap();
    let of = |bytes: &[u8]| verify(&manifest, bytes, &trust(&[("acme", &acme)]));
    for bytes in [&b""[..], b"{}", b"[]", b"\xff", b"null"] {
        assert_eq!(of(bytes), Err(Reject::Form));
    }
    let signature = serde_json::json!({"sig": "AAAA"});
    for (path, value) in [
        (&["mediaType"][..], "text/plain".into()),
        (&["dsseEnvelope", "payload"], "!".into()),
        (&["dsseEnvelope", "signatures"], serde_json::json!([])),
        (&["dsseEnvelope", "signatures"], serde_json::json!([signature, signature])),
        (&["verificationMaterial"], serde_json::json!({})),
    ] {
        assert_eq!(of(&changed(&signed, path, value)), Err(Reject::Form), "{path:?}");
    }
    let broken = changed(&signed, &["dsseEnvelope", "signatures", "0", "sig"], "AAAA".into());
    assert_eq!(of(&broken), Err(Reject::Signature { name: "acme".to_owned() }));
    let other = changed(&signed, &["dsseEnvelope", "payloadType"], "text/plain".into());
    assert_eq!(of(&other), Err(Reject::Predicate { found: "text/plain".to_owned() }));
    let certified = changed(
        &signed,
        &["verificationMaterial"],
        serde_json::json!({"certificate": {"rawBytes": "AAAA"}}),
    );
    assert_eq!(of(&certified), Err(Reject::Kind { found: "a certificate", wanted: "keys" }));
    let nobody = verify(&manifest, &signed, &Trust::default());
    assert_eq!(nobody, Err(Reject::Kind { found: "a key", wanted: "identities" }));
}

/// What cosign 3.1.3 and Sigstore's library for Go have made, so that every run of the tests sees
/// their forms and not only ours. The rows with the tools themselves are in `tests/registry`.
fn recorded(name: &str) -> String {
    let folder =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/signatures");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

/// The manifest that is signed there.
fn recorded_manifest() -> Digest {
    "sha256:f0a43f4c31c7da82b34a7166f4078ed9a9b3fc5f4f6021655f917203173febd6".parse().unwrap()
}

#[test]
fn a_key_and_a_signature_of_cosign_are_read() {
    let password = zeroize::Zeroizing::new("a password of the tests".to_owned());
    let key = SigningKey::read(&recorded("cosign.key"), &password).unwrap();
    assert_eq!(key.public().pem(), recorded("cosign.pub"));
    let bundle = recorded("cosign-bundle.json");
    let cosign = trust(&[("cosign", &key)]);
    let signer = verify(&recorded_manifest(), bundle.as_bytes(), &cosign).unwrap();
    let fingerprint = key.public().fingerprint();
    assert_eq!(signer, Signer::Key { name: "cosign".to_owned(), fingerprint });
    let other = trust(&[("other", &SigningKey::generate().unwrap())]);
    let refused = verify(&recorded_manifest(), bundle.as_bytes(), &other);
    assert_eq!(refused, Err(Reject::UnknownKey { hint: key.public().hint() }));
}

#[test]
fn a_signature_of_an_identity_is_read() {
    let made: serde_json::Value = serde_json::from_str(&recorded("keyless.json")).unwrap();
    let (bundle, root) = (made["bundle"].to_string(), made["trustedRoot"].to_string());
    let of = |subject: &str, issuer: &str| {
        let subject = Pattern::parse(subject).unwrap();
        let identity =
            TrustedIdentity::new("ci".to_owned(), issuer.to_owned(), subject, &root, true, false);
        let trust = Trust { keys: Vec::new(), identities: vec![identity.unwrap()] };
        verify(&recorded_manifest(), bundle.as_bytes(), &trust)
    };
    let issuer = "https://issuer.example.com";
    assert!(matches!(of("*@example.com", issuer), Ok(Signer::Identity { .. })));
    let stranger = Reject::Identity { found: "publisher@example.com".to_owned() };
    assert_eq!(of("*@example.org", issuer), Err(stranger));
    let elsewhere = of("*@example.com", "https://other.example.com");
    assert!(matches!(elsewhere, Err(Reject::Identity { .. })), "{elsewhere:?}");
}
