//! A registry whose disk somebody has changed: one byte of each part of what was signed.

use std::fs;
use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use jiff::Timestamp;
use libtest_mimic::Trial;
use sealift_registry::pull::PullError;
use sealift_registry::signature::{SigningKey, sign};
use sealift_registry::wire::WireError;
use sealift_registry::{Digest, manifest::Manifest};

use crate::world::{Which, World, client, pulled, trial, trusting};

#[derive(Clone, Copy)]
enum Part {
    Manifest,
    Config,
    Layer,
    SignatureManifest,
    Bundle,
}

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    [
        ("manifest", Part::Manifest),
        ("config", Part::Config),
        ("layer", Part::Layer),
        ("manifest_of_the_signature", Part::SignatureManifest),
        ("bundle", Part::Bundle),
    ]
    .into_iter()
    .map(|(name, part)| {
        let name = format!("tampered::a_changed_{name}_is_refused");
        trial(world, name, move |world| changed(world, part))
    })
    .collect()
}

async fn changed(world: Arc<World>, part: Part) -> Result<()> {
    let (place, component) = world.pushed(Which::Distribution).await?;
    let acme = SigningKey::generate()?;
    let (digest, signature) = sign(&client()?, &place, &acme, Timestamp::UNIX_EPOCH).await?;
    let policy = trusting("acme", acme.public());
    // Nothing but the changed byte is the fault.
    pulled(&client()?, &place, &policy).await?;
    let carrier = client()?.manifest(&place.pinned(signature)).await?;
    let carrier: Manifest = serde_json::from_slice(&carrier.bytes)?;
    let bundle = carrier.layers.first().map(|layer| layer.digest);
    let wanted = match part {
        Part::Manifest => digest,
        Part::Config => Digest::of(&component.artifact.config),
        Part::Layer => component.artifact.component.digest,
        Part::SignatureManifest => signature,
        Part::Bundle => bundle.unwrap_or(signature),
    };
    let file = world.registry(Which::Distribution)?.blob_file(&wanted.hex());
    let mut bytes = fs::read(&file)?;
    ensure!(Digest::of(&bytes) == wanted, "the registry keeps it elsewhere");
    // In a text a character is changed for another, so that it still parses.
    let place_of_change = bytes.iter().rposition(u8::is_ascii_digit).unwrap_or(bytes.len() / 2);
    bytes[place_of_change] = if bytes[place_of_change] == b'1' { b'2' } else { b'1' };
    fs::write(&file, &bytes)?;
    match pulled(&client()?, &place, &policy).await {
        Err(PullError::Wire { source: WireError::Digest { wanted: told, .. }, .. }) => {
            ensure!(told == wanted, "{told}");
            Ok(())
        }
        // distribution reads manifests itself, and may refuse to serve what it cannot.
        Err(PullError::Wire { source, .. }) if !source.is_not_found() => {
            ensure!(matches!(part, Part::Manifest | Part::SignatureManifest), "{source:?}");
            Ok(())
        }
        other => bail!("{other:?}"),
    }
}
