//! Signatures without a key of anybody's: a certificate for an identity and a proof of a log, made
//! by an authority of the tests. Sigstore's own services are not asked, here or anywhere.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use jiff::Timestamp;
use libtest_mimic::Trial;
use sealift_core::pattern::Pattern;
use sealift_e2e::binaries;
use sealift_e2e::oci::Tool;
use sealift_registry::manifest::Descriptor;
use sealift_registry::pull::PullError;
use sealift_registry::signature::{
    BUNDLE, Reject, Signer, Trust, TrustedIdentity, referrer, verify,
};
use sealift_registry::{Digest, Policy};
use serde_json::Value;

use crate::world::{Which, World, client, has_cosign, pinned, pulled, run, trial};

const WHO: &str = "publisher@example.com";
const ISSUER: &str = "https://issuer.example.com";

/// Rows of the full tier.
pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    let mut trials = Vec::new();
    if !has_cosign() {
        return trials;
    }
    for which in Which::BOTH {
        let name = format!("keyless::{}::an_identity_is_verified_as_cosign_does", which.name());
        trials.push(trial(world, name, move |world| verified(world, which)));
    }
    trials.push(Trial::test("keyless::everything_else_is_refused", || run(refused())));
    trials
}

/// A signature of an identity, and the root it is verified with.
struct Signed {
    bundle: Vec<u8>,
    root: String,
}

fn signed(digest: &Digest) -> Result<Signed> {
    let output = Command::new(binaries::server("keyless", "keyless")?)
        .args(["-identity", WHO, "-issuer", ISSUER, "-digest", &digest.hex()])
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let made: Value = serde_json::from_slice(&output.stdout)?;
    Ok(Signed { bundle: made["bundle"].to_string().into(), root: made["trustedRoot"].to_string() })
}

/// Trust in whom a pattern names, vouched for by an issuer. There is no log of certificates.
fn trust(root: &str, subject: &str, issuer: &str) -> Result<Trust> {
    let subject = Pattern::parse(subject)?;
    let identity =
        TrustedIdentity::new("ci".to_owned(), issuer.to_owned(), subject, root, true, false)?;
    Ok(Trust { keys: Vec::new(), identities: vec![identity] })
}

async fn verified(world: Arc<World>, which: Which) -> Result<()> {
    let (place, component) = world.pushed(which).await?;
    let digest = component.artifact.digest;
    let Signed { bundle, root } = signed(&digest)?;
    let subject =
        Descriptor::of(sealift_registry::manifest::MANIFEST, &component.artifact.manifest);
    let carrier = referrer(&bundle, &subject, Timestamp::UNIX_EPOCH)?;
    let client = client()?;
    for bytes in [b"{}".to_vec(), bundle] {
        client.put_blob(&place, &Digest::of(&bytes), bytes.into()).await?;
    }
    client.attach(&place, &digest, &carrier, BUNDLE, &BTreeMap::new()).await?;

    let policy = Policy::of_signers(trust(&root, "*@example.com", ISSUER)?);
    let (found, bytes) = pulled(&client, &place, &policy).await?;
    let by = Signer::Identity {
        name: "ci".to_owned(),
        subject: WHO.to_owned(),
        issuer: ISSUER.to_owned(),
    };
    ensure!(bytes == component.wasm && found.signer == by, "{:?}", found.signer);
    let strangers = Policy::of_signers(trust(&root, "*@example.org", ISSUER)?);
    match pulled(&client, &place, &strangers).await {
        Err(PullError::Untrusted { rejects, .. }) => {
            ensure!(rejects == [Reject::Identity { found: WHO.to_owned() }], "{rejects:?}");
        }
        other => bail!("{other:?}"),
    }
    // cosign is of the same mind about both.
    let folder = world.folder()?;
    std::fs::write(folder.path().join("root.json"), &root)?;
    let cosign = Tool::cosign(folder.path())?;
    let of = |identity: &str| -> Result<bool> {
        let arguments = [
            "verify",
            "--trusted-root",
            "root.json",
            "--certificate-identity",
            identity,
            "--certificate-oidc-issuer",
            ISSUER,
            "--insecure-ignore-sct",
            &pinned(&place, digest),
        ];
        let output = cosign.output(folder.path(), &arguments)?;
        eprintln!("{}", String::from_utf8_lossy(&output.stderr));
        Ok(output.status.success())
    };
    ensure!(of(WHO)?, "cosign does not verify it");
    ensure!(!of("stranger@example.com")?, "cosign verifies anybody");
    Ok(())
}

async fn refused() -> Result<()> {
    let manifest = Digest::of(b"manifest");
    let Signed { bundle, root } = signed(&manifest)?;
    let good = trust(&root, WHO, ISSUER)?;
    ensure!(verify(&manifest, &bundle, &good).is_ok(), "the rest proves nothing");
    ensure!(verify(&Digest::of(b"other"), &bundle, &good) == Err(Reject::Subject));

    // Another authority of the same names.
    let other = signed(&manifest)?;
    let strange = verify(&manifest, &bundle, &trust(&other.root, WHO, ISSUER)?);
    ensure!(matches!(strange, Err(Reject::Certificate { .. })), "{strange:?}");
    let issuer = verify(&manifest, &bundle, &trust(&root, WHO, "https://other.example.com")?);
    ensure!(matches!(issuer, Err(Reject::Identity { .. })), "{issuer:?}");
    // A proof of the certificate log is wanted, and there is none.
    let subject = Pattern::parse(WHO)?;
    let wanting =
        TrustedIdentity::new("ci".to_owned(), ISSUER.to_owned(), subject, &root, true, true)?;
    let wanting = Trust { keys: Vec::new(), identities: vec![wanting] };
    let without = verify(&manifest, &bundle, &wanting);
    ensure!(matches!(without, Err(Reject::Certificate { .. })), "{without:?}");

    // Parts of two signatures, and parts that were changed or left out.
    let text: Value = serde_json::from_slice(&bundle)?;
    let others: Value = serde_json::from_slice(&other.bundle)?;
    for (pointer, value) in [
        ("/dsseEnvelope", Some(others["dsseEnvelope"].clone())),
        (
            "/verificationMaterial/certificate",
            Some(others["verificationMaterial"]["certificate"].clone()),
        ),
        (
            "/verificationMaterial/tlogEntries",
            Some(others["verificationMaterial"]["tlogEntries"].clone()),
        ),
        ("/verificationMaterial/tlogEntries", Some(Value::Array(Vec::new()))),
        ("/verificationMaterial/tlogEntries/0/inclusionProof", None),
        ("/verificationMaterial/tlogEntries/0/integratedTime", Some("1700000000".into())),
    ] {
        let mut changed = text.clone();
        match (changed.pointer_mut(pointer), value) {
            (Some(place), Some(value)) => *place = value,
            (Some(place), None) => *place = Value::Null,
            (None, _) => bail!("the bundle has no {pointer}"),
        }
        let judged = verify(&manifest, changed.to_string().as_bytes(), &good);
        ensure!(
            matches!(judged, Err(Reject::Certificate { .. } | Reject::Form)),
            "{pointer}: {judged:?}"
        );
    }
    Ok(())
}
