//! `bench vault`: a real Vault is backed up, changed a little, and backed up again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use sealift_e2e::binaries;
use sealift_e2e::vault::{Vault, some_secrets};
use sealift_host::ports::Ports;
use sealift_host::{Function, Host};
use sealift_repository::{Chunks, Repository};
use serde::Serialize;
use url::Url;

use crate::backup::{self, Done, EngineRoom};
use crate::figures::{Spread, gib, mib, rounded};
use crate::report::talk;
use crate::usage;
use crate::vault_forms::{Forms, Pair, by_chunk_size, rewrap};
use crate::vault_ports::{NoKeys, Token, origin};

const SECRETS: usize = 6_000;
const SECRET_BYTES: usize = 4_000;
/// Every so-and-so-many-th secret is changed between the backups: 12 of them.
const CHANGED_EVERY: usize = 500;
/// What Sealift makes repositories for Vaults with.
const CHOSEN: &str = "16KiB";

/// The figures of `bench vault`.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    secrets: usize,
    secret_bytes: usize,
    changed: usize,
    rounds: u32,
    served_mib: f64,
    stored_mib: f64,
    ratios: Ratios,
    /// Through the components, into a repository as Sealift makes it.
    chain: ChainFigures,
    /// Verifying and re-wrapping.
    rewrap: Rewrapping,
    by_chunk_size: BTreeMap<&'static str, Forms>,
}

#[derive(Debug, Serialize)]
struct Ratios {
    /// What the second snapshot added in the stored form, over what it added as served; both at
    /// the chosen size of chunks.
    added_over_gzip: f64,
    guest_cpu_over_native: f64,
}

#[derive(Debug, Serialize)]
struct ChainFigures {
    first_added_mib: f64,
    second_added_mib: f64,
    check_findings: usize,
}

/// CPU seconds for each GiB that is stored.
#[derive(Debug, Serialize)]
struct Rewrapping {
    /// What the host accounted for the stage: downloading, inflating, verifying, wrapping.
    guest_cpu_seconds_per_gib: Spread,
    /// The same work on bytes in memory, without wasm.
    native_cpu_seconds_per_gib: Spread,
    /// The whole process with both stages and the repository.
    chain_cpu_seconds_per_gib: Spread,
    guest_memory_mib: f64,
}

/// One backup through the chain.
struct Backup {
    done: Done,
    cpu_seconds: f64,
}

/// Runs the bench.
pub(crate) fn run(rounds: u32) -> Result<Figures> {
    let binary = match std::env::var_os("SEALIFT_VAULT") {
        Some(path) => PathBuf::from(path),
        None => binaries::server("vault", "vault")?,
    };
    let folder = tempfile::tempdir().context("failed to create a folder")?;
    talk(&format!("filling a Vault with {SECRETS} secrets of {SECRET_BYTES} bytes"));
    let secrets = some_secrets(SECRETS, SECRET_BYTES);
    let vault = Vault::start(&binary, folder.path(), None)?;
    let root = vault.init()?.root_token;
    vault.enable_kv(&root)?;
    vault.put_all(&root, &secrets)?;

    let room = Room::new(&vault, &root, &folder.path().join("repository"))?;
    talk("two backups through the chain, and what Vault serves beside them");
    let served = vault.snapshot(&root)?;
    let first = room.backup()?;
    let changed: Vec<(String, String)> = secrets
        .iter()
        .step_by(CHANGED_EVERY)
        .map(|(name, value)| (name.clone(), value.chars().rev().collect()))
        .collect();
    vault.put_all(&root, &changed)?;
    let gzip = Pair { first: served, second: vault.snapshot(&root)? };
    let mut backups = vec![first, room.backup()?];
    for _ in 2..rounds.max(2) {
        backups.push(room.backup()?);
    }
    vault.kill()?;

    talk("the same on bytes in memory");
    let stored = gzip.rewrapped()?;
    let native = (0..rounds).map(|_| native_cost(&gzip.second)).collect::<Result<Vec<f64>>>()?;
    talk("both forms in repositories with chunks of four sizes");
    let by_chunk_size = by_chunk_size(folder.path(), &gzip, &stored, rounds)?;
    let chosen = by_chunk_size.get(CHOSEN).context("the chosen size was not measured")?;
    let rewrap = rewrapping(&backups, native)?;
    Ok(Figures {
        secrets: SECRETS,
        secret_bytes: SECRET_BYTES,
        changed: changed.len(),
        rounds,
        served_mib: mib(gzip.second.len() as u64),
        stored_mib: mib(stored.second.len() as u64),
        ratios: Ratios {
            added_over_gzip: chosen.added_over_gzip,
            guest_cpu_over_native: rewrap
                .guest_cpu_seconds_per_gib
                .over(&rewrap.native_cpu_seconds_per_gib),
        },
        chain: chain_figures(&backups, &room.repository)?,
        rewrap,
        by_chunk_size,
    })
}

/// CPU seconds for each stored GiB.
fn native_cost(served: &[u8]) -> Result<f64> {
    let before = usage::cpu_here()?;
    let stored = rewrap(served)?;
    Ok((usage::cpu_here()? - before).as_secs_f64() / gib(stored.len() as u64))
}

fn chain_figures(backups: &[Backup], repository: &Repository) -> Result<ChainFigures> {
    let added = |at: usize| {
        let backup = backups.get(at).context("there were not two backups")?;
        Ok::<_, anyhow::Error>(mib(backup.done.committed.statistics.uploaded_bytes))
    };
    Ok(ChainFigures {
        first_added_mib: added(0)?,
        second_added_mib: added(1)?,
        check_findings: repository.check(true)?.findings.len(),
    })
}

fn rewrapping(backups: &[Backup], native: Vec<f64>) -> Result<Rewrapping> {
    let mut guest = Vec::new();
    let mut chain = Vec::new();
    let mut memory = 0;
    for backup in backups {
        let outcome = &backup.done.outcome;
        let source = outcome.stages.first().context("the chain had no stage")?;
        let bytes = outcome.artifacts.iter().filter(|artifact| artifact.stage == source.name);
        let size = gib(bytes.map(|artifact| artifact.size).sum());
        guest.push(source.cpu.as_secs_f64() / size);
        chain.push(backup.cpu_seconds / size);
        memory = memory.max(source.peak_memory);
    }
    Ok(Rewrapping {
        guest_cpu_seconds_per_gib: Spread::of(guest)?,
        native_cpu_seconds_per_gib: Spread::of(native)?,
        chain_cpu_seconds_per_gib: Spread::of(chain)?,
        guest_memory_mib: rounded(mib(memory)),
    })
}

/// A chain from one Vault into one repository.
struct Room {
    engine_room: EngineRoom,
    functions: [Function; 2],
    repository: Arc<Repository>,
    ports: Ports,
}

impl Room {
    fn new(vault: &Vault, root: &str, repository: &Path) -> Result<Self> {
        let host = Host::new()?;
        let functions =
            [backup::built_in(&host, "vault-snapshot")?, backup::built_in(&host, "restic-upload")?];
        let address = Url::parse(&vault.address()).context("the Vault's address is no URL")?;
        let ports = Ports {
            keys: Some(Arc::new(NoKeys)),
            credentials: Arc::new(Token(vault.backup_token(root)?)),
            origins: vec![origin(address)],
            allow_loopback: true,
            ..backup::ports()
        };
        Ok(Self {
            engine_room: EngineRoom::new(host)?,
            functions,
            repository: backup::open(repository, Chunks::Small)?,
            ports,
        })
    }

    fn backup(&self) -> Result<Backup> {
        let parameters = BTreeMap::from([("unsealKeys".to_owned(), "omit".to_owned())]);
        let before = usage::cpu_here()?;
        let done = self.engine_room.store(
            &self.repository,
            &self.functions,
            self.ports.clone(),
            parameters,
        )?;
        Ok(Backup { done, cpu_seconds: (usage::cpu_here()? - before).as_secs_f64() })
    }
}
