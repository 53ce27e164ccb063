//! What the tests share: both registries, the tools of others, and a component to carry around.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use jiff::Timestamp;
use libtest_mimic::{Failed, Trial};
use sealift_e2e::oci::PASSWORD;
use sealift_e2e::registry::{Options, Registry};
use sealift_registry::artifact::{Artifact, Publication, build};
use sealift_registry::credentials::Anonymous;
use sealift_registry::pull::PullError;
use sealift_registry::signature::{PublicKey, SigningKey, Trust, TrustedKey};
use sealift_registry::{Client, Digest, Policy, Pulled, Reference, Settings, pull, push};
use tempfile::TempDir;
use zeroize::Zeroizing;

/// Which registry a row is played with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Of the distribution project: signatures lie under tags.
    Distribution,
    /// From memory, with the referrers API.
    Referrers,
}

impl Which {
    pub const BOTH: [Self; 2] = [Self::Distribution, Self::Referrers];

    pub fn name(self) -> &'static str {
        match self {
            Self::Distribution => "distribution",
            Self::Referrers => "referrers",
        }
    }

    pub fn other(self) -> Self {
        match self {
            Self::Distribution => Self::Referrers,
            Self::Referrers => Self::Distribution,
        }
    }
}

/// The folder of the whole run and the registries in it.
pub struct World {
    folder: TempDir,
    registries: [OnceLock<Result<Registry, String>>; 2],
    count: AtomicU32,
}

impl World {
    pub fn new() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("sealift-registry-").tempdir()?;
        Ok(Self { folder, registries: Default::default(), count: AtomicU32::new(0) })
    }

    /// A folder for one row.
    pub fn folder(&self) -> Result<TempDir> {
        Ok(tempfile::tempdir_in(&self.folder)?)
    }

    pub fn registry(&self, which: Which) -> Result<&Registry> {
        let index = usize::from(which == Which::Referrers);
        let made = self.registries[index].get_or_init(|| {
            let folder = self.folder.path().join(which.name());
            let start = || -> Result<Registry> {
                std::fs::create_dir_all(&folder)?;
                match which {
                    Which::Distribution => Registry::distribution(&folder, &Options::default()),
                    Which::Referrers => Registry::referrers(&folder),
                }
            };
            start().map_err(|error| format!("{error:#}"))
        });
        made.as_ref().map_err(|error| anyhow!("{error}"))
    }

    /// A repository nobody else uses, with this tag.
    pub fn place(&self, which: Which, tag: &str) -> Result<Reference> {
        let number = self.count.fetch_add(1, Ordering::SeqCst);
        let host = self.registry(which)?.host();
        Ok(format!("{host}/acme/export-{number}:{tag}").parse()?)
    }

    /// An artifact of a new component, put in a repository nobody else uses.
    pub async fn pushed(&self, which: Which) -> Result<(Reference, Component)> {
        let place = self.place(which, "1")?;
        let component = Component::new(self.count.fetch_add(1, Ordering::SeqCst));
        let digest = push(&client()?, &place, &component.artifact, component.wasm.clone()).await?;
        anyhow::ensure!(digest == component.artifact.digest, "another digest was put");
        Ok((place, component))
    }
}

/// Bytes that pass for a component as far as a registry goes, and their artifact.
pub struct Component {
    pub wasm: Bytes,
    pub artifact: Artifact,
}

impl Component {
    pub fn new(number: u32) -> Self {
        // Some pieces of a body long, and of its own for every row.
        let mut wasm = b"\0asm\x0d\0\x01\0".to_vec();
        let mut state = u64::from(number) + 0x9e37_79b9_7f4a_7c15;
        while wasm.len() < 300_000 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            wasm.extend_from_slice(&state.to_le_bytes());
        }
        let artifact = build(&wasm, &publication());
        Self { wasm: wasm.into(), artifact }
    }
}

pub fn publication() -> Publication {
    Publication {
        name: "export".to_owned(),
        version: "0.1.0".to_owned(),
        summary: "Stores the images of an OCI registry.".to_owned(),
        kind: "source".to_owned(),
        contract: "0.1.0".to_owned(),
        exports: vec!["sealift:function/source@0.1.0".to_owned()],
        imports: vec!["sealift:function/downstream@0.1.0".to_owned()],
        descriptor: r#"{"name":"export","version":"0.1.0"}"#.to_owned(),
        created: Timestamp::UNIX_EPOCH,
        author: None,
        annotations: BTreeMap::new(),
    }
}

pub fn client() -> Result<Client> {
    Ok(Client::new(Settings::default(), Arc::new(Anonymous))?)
}

/// Pulls into memory.
pub async fn pulled(
    client: &Client,
    from: &Reference,
    policy: &Policy,
) -> Result<(Pulled, Vec<u8>), PullError> {
    let mut bytes = Vec::new();
    let pulled = pull(client, from, policy, &mut bytes).await?;
    Ok((pulled, bytes))
}

/// A policy that believes this key and nobody else.
pub fn trusting(name: &str, key: PublicKey) -> Policy {
    let key = TrustedKey { name: name.to_owned(), key };
    Policy::of_signers(Trust { keys: vec![key], identities: Vec::new() })
}

/// A key pair of ours in files as cosign has them; the file of the public key ends in `.pub`.
pub fn key_files(folder: &Path, name: &str) -> Result<SigningKey> {
    let key = SigningKey::generate()?;
    let (private, public) = key.write(&Zeroizing::new(PASSWORD.to_owned()))?;
    std::fs::write(folder.join(format!("{name}.key")), private)?;
    std::fs::write(folder.join(format!("{name}.pub")), public)?;
    Ok(key)
}

/// `<registry>/<repository>@<digest>`.
pub fn pinned(place: &Reference, digest: Digest) -> String {
    place.pinned(digest).to_string()
}

/// Whether the tools are there that take long to build: cosign, and the authority of the tests.
pub fn has_cosign() -> bool {
    std::env::var("SEALIFT_TEST_TIER").as_deref() == Ok("full")
}

/// A row: an async function of the world.
pub fn trial<F>(
    world: &Arc<World>,
    name: impl Into<String>,
    test: impl FnOnce(Arc<World>) -> F + Send + 'static,
) -> Trial
where
    F: Future<Output = Result<()>>,
{
    let world = Arc::clone(world);
    Trial::test(name, move || run(test(world)))
}

/// Runs what a row does, to its end.
pub fn run(work: impl Future<Output = Result<()>>) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("failed to make a runtime");
    runtime
        .and_then(|runtime| runtime.block_on(work))
        .map_err(|error| Failed::from(format!("{error:?}")))
}
