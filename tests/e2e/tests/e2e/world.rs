//! What the tests share: two Vaults that are only read, one large and one small, and a cluster of
//! three nodes that one test has at a time.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use anyhow::{Context, Result, anyhow};
use libtest_mimic::{Failed, Trial};
use sealift_e2e::binaries;
use sealift_e2e::vault::{Keys, Tls, Vault, some_secrets};
use sealift_e2e::vault_cluster::VaultCluster;
use tempfile::TempDir;

use crate::round_trip::Round;

/// Secrets of the large Vault, and the size of each in bytes: more than 5 000 and 25 MB.
const LARGE: (usize, usize) = (5_200, 4_800);
/// Secrets of the small Vault: its snapshot still has a state of some hundred kilobytes to cut.
const SMALL: (usize, usize) = (150, 2_000);

/// Secrets of the cluster: more bytes than fit into what connections buffer.
const CLUSTER: (usize, usize) = (2_500, 4_800);

/// The folder of the whole run and the servers in it.
pub struct World {
    folder: TempDir,
    large: OnceLock<Result<Filled, String>>,
    small: OnceLock<Result<Filled, String>>,
    round: OnceLock<Result<Round, String>>,
    cluster: OnceLock<Result<Mutex<FilledCluster>, String>>,
}

/// A Vault with secrets in it. Nothing changes it.
pub struct Filled {
    pub vault: Vault,
    pub keys: Keys,
    /// A token that may take snapshots and nothing else.
    pub token: String,
    pub secrets: Vec<(String, String)>,
    /// Its snapshot, as Vault served it.
    pub snapshot: Vec<u8>,
    /// The PEM of the authority that signed its certificate.
    pub authority: String,
}

/// A cluster with secrets in it. Tests change its leader and its data, and leave it with a leader
/// and with these secrets.
pub struct FilledCluster {
    pub cluster: VaultCluster,
    /// A token that may take and restore snapshots and nothing else.
    pub token: String,
    pub secrets: Vec<(String, String)>,
}

impl World {
    pub fn new() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("sealift-e2e-").tempdir()?;
        Ok(Self {
            folder,
            large: OnceLock::new(),
            small: OnceLock::new(),
            round: OnceLock::new(),
            cluster: OnceLock::new(),
        })
    }

    /// A folder for one test.
    pub fn folder(&self) -> Result<TempDir> {
        tempfile::tempdir_in(self.folder.path()).context("failed to create the folder of a test")
    }

    /// The Vault with more than 5 000 secrets.
    pub fn large(&self) -> Result<&Filled> {
        shared(self.large.get_or_init(|| said(filled(&self.folder.path().join("large"), LARGE))))
    }

    /// The Vault whose snapshot is quick to move.
    pub fn small(&self) -> Result<&Filled> {
        shared(self.small.get_or_init(|| said(filled(&self.folder.path().join("small"), SMALL))))
    }

    /// The cluster, for one test alone.
    pub fn cluster(&self) -> Result<MutexGuard<'_, FilledCluster>> {
        let made = self.cluster.get_or_init(|| {
            said(filled_cluster(&self.folder.path().join("cluster")).map(Mutex::new))
        });
        let cluster = shared(made)?;
        // A test that panicked left it as one that failed would.
        Ok(cluster.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The large Vault, backed up once.
    pub fn round(&self) -> Result<&Round> {
        shared(self.round.get_or_init(|| said(Round::new(self))))
    }
}

/// The binary of Vault the tests run.
pub fn vault_binary() -> Result<PathBuf> {
    binaries::server("vault", "vault")
}

/// One test; its error is told with all causes.
pub fn trial(
    world: &Arc<World>,
    name: impl Into<String>,
    test: impl FnOnce(&World) -> Result<()> + Send + 'static,
) -> Trial {
    let world = Arc::clone(world);
    Trial::test(name, move || test(&world).map_err(|error| Failed::from(format!("{error:#}"))))
}

fn filled(folder: &Path, (count, size): (usize, usize)) -> Result<Filled> {
    fs::create_dir_all(folder)?;
    let (tls, authority) = certificate(folder)?;
    let vault = Vault::start(&vault_binary()?, folder, Some(&tls))?;
    let keys = vault.init()?;
    vault.enable_kv(&keys.root_token)?;
    let secrets = some_secrets(count, size);
    vault.put_all(&keys.root_token, &secrets)?;
    let token = vault.backup_token(&keys.root_token)?;
    let snapshot = vault.snapshot(&keys.root_token)?;
    Ok(Filled { vault, keys, token, secrets, snapshot, authority })
}

fn filled_cluster(folder: &Path) -> Result<FilledCluster> {
    let cluster = VaultCluster::start(&vault_binary()?, folder, 3)?;
    let leader = cluster.node(cluster.leader()?)?;
    let root_token = &cluster.keys.root_token;
    leader.enable_kv(root_token)?;
    let (count, size) = CLUSTER;
    let secrets = some_secrets(count, size);
    leader.put_all(root_token, &secrets)?;
    let token = leader.backup_token(root_token)?;
    Ok(FilledCluster { cluster, token, secrets })
}

/// A certificate for `localhost`, and the PEM of the authority that signed it.
pub fn certificate(folder: &Path) -> Result<(Tls, String)> {
    let (authority_pem, authority) = authority("Authority of the tests")?;
    let key = rcgen::KeyPair::generate()?;
    let certificate =
        rcgen::CertificateParams::new(vec!["localhost".to_owned()])?.signed_by(&key, &authority)?;
    let tls = Tls { certificate: folder.join("vault.pem"), key: folder.join("vault-key.pem") };
    fs::write(&tls.certificate, certificate.pem())?;
    fs::write(&tls.key, key.serialize_pem())?;
    Ok((tls, authority_pem))
}

/// A certificate authority: its PEM, and what signs with it.
pub fn authority(name: &str) -> Result<(String, rcgen::Issuer<'static, rcgen::KeyPair>)> {
    let mut params = rcgen::CertificateParams::new(Vec::new())?;
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    let key = rcgen::KeyPair::generate()?;
    let pem = params.self_signed(&key)?.pem();
    Ok((pem, rcgen::Issuer::new(params, key)))
}

fn said<T>(result: Result<T>) -> Result<T, String> {
    result.map_err(|error| format!("{error:#}"))
}

fn shared<T>(result: &Result<T, String>) -> Result<&T> {
    result.as_ref().map_err(|error| anyhow!("what the tests share could not be made: {error}"))
}
