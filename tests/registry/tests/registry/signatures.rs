//! Signatures both ways with the real cosign: what we sign it verifies, what it signs we verify,
//! and what it refuses we refuse.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use jiff::Timestamp;
use libtest_mimic::Trial;
use sealift_e2e::oci::{PASSWORD, Tool};
use sealift_registry::pull::PullError;
use sealift_registry::signature::{
    BUNDLE, PublicKey, Reject, Signer, SigningKey, Trust, TrustedKey, bundle, referrer, sign,
    statement,
};
use sealift_registry::{Digest, Policy, Reference};
use zeroize::Zeroizing;

use crate::world::{Which, World, client, has_cosign, key_files, pinned, pulled, trial, trusting};

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for which in Which::BOTH {
        let name = |row: &str| format!("signatures::{}::{row}", which.name());
        if has_cosign() {
            trials.extend(with_cosign(world, which));
        }
        trials.extend([
            trial(world, name("a_strangers_signature_is_none"), move |world| {
                stranger(world, which)
            }),
            trial(world, name("nothing_signed_is_told_as_such"), move |world| none(world, which)),
            trial(world, name("a_signature_of_something_else_is_none"), move |world| {
                misplaced(world, which)
            }),
            trial(world, name("a_signature_travels_with_oras"), move |world| {
                travelled(world, which)
            }),
            trial(world, name("what_is_optional_is_told"), move |world| optional(world, which)),
        ]);
    }
    trials.push(trial(world, "signatures::lie_where_each_registry_wants_them", places));
    trials
}

/// Rows of the full tier.
fn with_cosign(world: &Arc<World>, which: Which) -> Vec<Trial> {
    let name = |row: &str| format!("signatures::{}::{row}", which.name());
    vec![
        trial(world, name("cosign_verifies_what_we_sign"), move |world| ours(world, which)),
        trial(world, name("we_verify_what_cosign_signs"), move |world| theirs(world, which)),
        trial(world, name("key_files_go_both_ways"), move |world| files(world, which)),
        trial(world, name("one_good_signature_is_enough"), move |world| both(world, which)),
        trial(world, name("an_attestation_of_cosign_is_no_signature"), move |world| {
            attested(world, which)
        }),
        trial(world, name("a_signature_of_cosign_2_is_told_as_such"), move |world| {
            of_old(world, which)
        }),
    ]
}

/// cosign without the services of the public: keys, and nothing that is asked of anybody.
const SIGN: [&str; 4] = ["sign", "--yes", "--tlog-upload=false", "--use-signing-config=false"];

fn cosign_sign(cosign: &Tool, here: &Path, key: &str, reference: &str) -> Result<()> {
    cosign.run(here, &[&SIGN[..], &["--key", key, reference]].concat()).map(drop)
}

fn cosign_verifies(cosign: &Tool, here: &Path, key: &str, reference: &str) -> Result<bool> {
    let verify = ["verify", "--insecure-ignore-tlog=true", "--key", key, reference];
    Ok(cosign.output(here, &verify)?.status.success())
}

async fn signed(place: &Reference, key: &SigningKey) -> Result<Digest> {
    Ok(sign(&client()?, place, key, Timestamp::UNIX_EPOCH).await?.0)
}

async fn ours(world: Arc<World>, which: Which) -> Result<()> {
    let (place, component) = world.pushed(which).await?;
    let folder = world.folder()?;
    let (cosign, here) = (Tool::cosign(folder.path())?, folder.path());
    let acme = key_files(here, "acme")?;
    key_files(here, "other")?;
    let reference = pinned(&place, component.artifact.digest);
    ensure!(
        !cosign_verifies(&cosign, here, "acme.pub", &reference)?,
        "verified before it was signed"
    );
    let digest = signed(&place, &acme).await?;
    ensure!(digest == component.artifact.digest, "something else was signed");
    ensure!(cosign_verifies(&cosign, here, "acme.pub", &reference)?, "cosign does not verify it");
    ensure!(!cosign_verifies(&cosign, here, "other.pub", &reference)?, "any key will do");
    let (found, bytes) = pulled(&client()?, &place, &trusting("acme", acme.public())).await?;
    ensure!(bytes == component.wasm, "other bytes");
    ensure!(found.signer == by("acme", acme.public()), "{:?}", found.signer);
    Ok(())
}

fn by(name: &str, key: PublicKey) -> Signer {
    Signer::Key { name: name.to_owned(), fingerprint: key.fingerprint() }
}

async fn theirs(world: Arc<World>, which: Which) -> Result<()> {
    let (place, component) = world.pushed(which).await?;
    let folder = world.folder()?;
    let (cosign, here) = (Tool::cosign(folder.path())?, folder.path());
    cosign.run(here, &["generate-key-pair"])?;
    cosign_sign(&cosign, here, "cosign.key", &pinned(&place, component.artifact.digest))?;
    let key = PublicKey::read(&fs::read_to_string(here.join("cosign.pub"))?)?;
    let (found, bytes) = pulled(&client()?, &place, &trusting("theirs", key.clone())).await?;
    ensure!(bytes == component.wasm && found.signer == by("theirs", key), "{:?}", found.signer);
    Ok(())
}

async fn files(world: Arc<World>, which: Which) -> Result<()> {
    let folder = world.folder()?;
    let (cosign, here) = (Tool::cosign(folder.path())?, folder.path());
    // Theirs signs with us.
    cosign.run(here, &["generate-key-pair"])?;
    let text = fs::read_to_string(here.join("cosign.key"))?;
    let theirs = SigningKey::read(&text, &Zeroizing::new(PASSWORD.to_owned()))?;
    let public = fs::read_to_string(here.join("cosign.pub"))?;
    ensure!(PublicKey::read(&public)? == theirs.public(), "another public key");
    ensure!(theirs.public().pem() == public, "the files differ:\n{public}");
    let (place, _) = world.pushed(which).await?;
    let reference = pinned(&place, signed(&place, &theirs).await?);
    ensure!(cosign_verifies(&cosign, here, "cosign.pub", &reference)?, "not verified");
    // Ours signs with them.
    let ours = key_files(here, "ours")?;
    let (place, component) = world.pushed(which).await?;
    cosign_sign(&cosign, here, "ours.key", &pinned(&place, component.artifact.digest))?;
    pulled(&client()?, &place, &trusting("ours", ours.public())).await?;
    Ok(())
}

async fn both(world: Arc<World>, which: Which) -> Result<()> {
    let (place, component) = world.pushed(which).await?;
    let folder = world.folder()?;
    let (cosign, here) = (Tool::cosign(folder.path())?, folder.path());
    let (acme, stranger) = (key_files(here, "acme")?, SigningKey::generate()?);
    signed(&place, &stranger).await?;
    let reference = pinned(&place, component.artifact.digest);
    cosign_sign(&cosign, here, "acme.key", &reference)?;
    signed(&place, &SigningKey::generate()?).await?;
    let (found, _) = pulled(&client()?, &place, &trusting("acme", acme.public())).await?;
    ensure!(found.signer == by("acme", acme.public()), "{:?}", found.signer);
    ensure!(cosign_verifies(&cosign, here, "acme.pub", &reference)?, "cosign sees it no more");
    Ok(())
}

async fn stranger(world: Arc<World>, which: Which) -> Result<()> {
    let (place, _) = world.pushed(which).await?;
    let (acme, stranger) = (SigningKey::generate()?, SigningKey::generate()?);
    signed(&place, &stranger).await?;
    match pulled(&client()?, &place, &trusting("acme", acme.public())).await {
        Err(error @ PullError::Untrusted { signatures: 1, .. }) => {
            let text = error.to_string();
            ensure!(text.contains(&stranger.public().hint()), "{text}");
            Ok(())
        }
        other => bail!("{other:?}"),
    }
}

async fn none(world: Arc<World>, which: Which) -> Result<()> {
    let (place, component) = world.pushed(which).await?;
    let policy = trusting("acme", SigningKey::generate()?.public());
    match pulled(&client()?, &place, &policy).await {
        Err(PullError::Unsigned { reference, of_old: false }) => {
            ensure!(reference == pinned(&place, component.artifact.digest), "{reference}");
            Ok(())
        }
        other => bail!("{other:?}"),
    }
}

async fn of_old(world: Arc<World>, which: Which) -> Result<()> {
    let (place, component) = world.pushed(which).await?;
    let folder = world.folder()?;
    let (cosign, here) = (Tool::cosign(folder.path())?, folder.path());
    let acme = key_files(here, "acme")?;
    let reference = pinned(&place, component.artifact.digest);
    let old = ["--new-bundle-format=false", "--key", "acme.key", &reference];
    cosign.run(here, &[&SIGN[..], &old].concat())?;
    match pulled(&client()?, &place, &trusting("acme", acme.public())).await {
        Err(error @ PullError::Unsigned { of_old: true, .. }) => {
            ensure!(error.to_string().contains("sign it again with cosign 3"), "{error}");
            Ok(())
        }
        other => bail!("{other:?}"),
    }
}

async fn attested(world: Arc<World>, which: Which) -> Result<()> {
    let (place, component) = world.pushed(which).await?;
    let folder = world.folder()?;
    let (cosign, here) = (Tool::cosign(folder.path())?, folder.path());
    let acme = key_files(here, "acme")?;
    fs::write(here.join("predicate.json"), "{}")?;
    let reference = pinned(&place, component.artifact.digest);
    cosign.run(
        here,
        &[
            "attest",
            "--yes",
            "--tlog-upload=false",
            "--use-signing-config=false",
            "--type",
            "https://example.com/tested/v1",
            "--predicate",
            "predicate.json",
            "--key",
            "acme.key",
            &reference,
        ],
    )?;
    match pulled(&client()?, &place, &trusting("acme", acme.public())).await {
        Err(PullError::Untrusted { rejects, .. }) => {
            let wanted = Reject::Predicate { found: "https://example.com/tested/v1".to_owned() };
            ensure!(rejects == [wanted], "{rejects:?}");
            Ok(())
        }
        other => bail!("{other:?}"),
    }
}

async fn misplaced(world: Arc<World>, which: Which) -> Result<()> {
    let (place, component) = world.pushed(which).await?;
    let acme = SigningKey::generate()?;
    // A good signature of another manifest, put beside this one.
    let other = bundle(&statement(&Digest::of(b"other")), &acme)?;
    let client = client()?;
    let subject = client.manifest(&place).await?;
    let subject = sealift_registry::manifest::Descriptor::of(&subject.media_type, &subject.bytes);
    let manifest = referrer(&other, &subject, Timestamp::UNIX_EPOCH)?;
    for bytes in [b"{}".to_vec(), other] {
        client.put_blob(&place, &Digest::of(&bytes), bytes.into()).await?;
    }
    let digest = component.artifact.digest;
    client.attach(&place, &digest, &manifest, BUNDLE, &BTreeMap::new()).await?;
    match pulled(&client, &place, &trusting("acme", acme.public())).await {
        Err(PullError::Untrusted { rejects, .. }) => {
            ensure!(rejects == [Reject::Subject], "{rejects:?}");
            Ok(())
        }
        other => bail!("{other:?}"),
    }
}

async fn travelled(world: Arc<World>, which: Which) -> Result<()> {
    let (place, component) = world.pushed(which).await?;
    let folder = world.folder()?;
    let here = folder.path();
    let acme = key_files(here, "acme")?;
    signed(&place, &acme).await?;
    let there = world.place(which.other(), "1")?;
    Tool::oras(here)?.run(
        here,
        &[
            "cp",
            "--recursive",
            "--from-plain-http",
            "--to-plain-http",
            &place.to_string(),
            &there.to_string(),
        ],
    )?;
    let (found, bytes) = pulled(&client()?, &there, &trusting("acme", acme.public())).await?;
    ensure!(bytes == component.wasm && found.manifest == component.artifact.digest, "{found:?}");
    if has_cosign() {
        let reference = pinned(&there, component.artifact.digest);
        let verified = cosign_verifies(&Tool::cosign(here)?, here, "acme.pub", &reference)?;
        ensure!(verified, "cosign does not verify the copy");
    }
    Ok(())
}

async fn optional(world: Arc<World>, which: Which) -> Result<()> {
    let (place, _) = world.pushed(which).await?;
    let (acme, stranger) = (SigningKey::generate()?, SigningKey::generate()?);
    let pem = acme.public().pem().replace('\n', "\n      ");
    let policy = Policy::read(
        &format!(
            "policies:\n- images: [\"{}/**\"]\n  signature: optional\n  keys:\n  - name: acme\n    publicKey: |\n      {pem}\n",
            place.registry()
        ),
        &|_| Err(std::io::ErrorKind::NotFound.into()),
    )
    .map_err(|errors| anyhow::anyhow!("{errors:?}"))?;
    let (found, _) = pulled(&client()?, &place, &policy).await?;
    ensure!(found.signer == Signer::Unsigned && found.notes.is_empty(), "{found:?}");
    signed(&place, &stranger).await?;
    let (found, _) = pulled(&client()?, &place, &policy).await?;
    ensure!(found.signer == Signer::Unsigned && found.notes.len() == 1, "{found:?}");
    signed(&place, &acme).await?;
    let (found, _) = pulled(&client()?, &place, &policy).await?;
    ensure!(found.signer == by("acme", acme.public()), "{found:?}");
    Ok(())
}

/// One registry gets a list under a tag, the other lists by itself and gets none.
async fn places(world: Arc<World>) -> Result<()> {
    for which in Which::BOTH {
        let (place, component) = world.pushed(which).await?;
        let key = SigningKey::generate()?;
        signed(&place, &key).await?;
        signed(&place, &SigningKey::generate()?).await?;
        let client = client()?;
        let list = format!("sha256-{}", component.artifact.digest.hex());
        let tags = client.tags(&place).await?;
        ensure!(tags.contains(&list) == (which == Which::Distribution), "{which:?}: {tags:?}");
        let found = client.referrers(&place, &component.artifact.digest).await?;
        ensure!(found.len() == 2, "{found:?}");
        let trust = Trust {
            keys: vec![TrustedKey { name: "acme".to_owned(), key: key.public() }],
            identities: Vec::new(),
        };
        pulled(&client, &place, &Policy::of_signers(trust)).await?;
    }
    Ok(())
}
